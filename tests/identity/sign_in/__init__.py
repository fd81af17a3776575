"""Signing in: codes, limits, sessions."""
