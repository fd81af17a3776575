"""Tokens of OpenID providers, and signing in at them."""
