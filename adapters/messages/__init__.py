"""Senders of sign-in codes."""
