"""Adapters for loyalty systems."""
