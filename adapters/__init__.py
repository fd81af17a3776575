"""Adapters: one folder a back office, by kind. Nothing in `bff` imports them; they are found by name."""
