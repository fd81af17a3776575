"""Somebody who is known."""

from dataclasses import dataclass
from enum import Enum

from bff.domain import CustomerId


class Strength(Enum):
    """How sure it is that the customer is at the keyboard, and not somebody with a customer's token."""

    ONE_FACTOR = "one-factor"
    FRESH_SECOND_FACTOR = "fresh-second-factor"
    """A code that was sent to the customer was confirmed a few minutes ago."""


@dataclass(frozen=True, slots=True)
class Principal:
    """Whose cabinet is asked for. It comes from a checked token or cookie, and from nowhere else."""

    customer: CustomerId
    session: str | None = None
    """The session's id; None for tokens of the shop's own identity provider."""
    strength: Strength = Strength.ONE_FACTOR
    scopes: frozenset[str] = frozenset()
