"""Adapters for ERP systems: customers and orders."""
