"""kabinet: one GraphQL endpoint in front of a shop's back offices."""

__version__ = "0.1.0"
