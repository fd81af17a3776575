"""Adapters for content management systems."""
