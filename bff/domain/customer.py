"""A customer of the shop, as the shop's back offices know them."""

from dataclasses import dataclass
from datetime import date
from typing import NewType

CustomerId = NewType("CustomerId", str)
"""The shop's own id of a customer, the same in every back office. It comes from the principal, never an argument."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """Who the customer is. `display_name` is never empty."""

    customer: CustomerId
    display_name: str
    first_name: str | None = None
    last_name: str | None = None
    middle_name: str | None = None
    phone: str | None = None
    email: str | None = None
    birth_date: date | None = None
