"""Somebody who is known."""

from dataclasses import dataclass

from bff.domain import CustomerId


@dataclass(frozen=True, slots=True)
class Principal:
    """Whose cabinet is asked for. It comes from a checked token and from nowhere else."""

    customer: CustomerId
