"""Bonuses: points that a customer may spend, until they burn."""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from bff.domain.customer import CustomerId
from bff.domain.money import Money


@dataclass(frozen=True, slots=True, kw_only=True)
class Tier:
    """The customer's level in the programme; `remaining_to_next` is what is still to be bought for the next one."""

    name: str
    next_name: str | None = None
    remaining_to_next: Money | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BonusLot:
    """Points that burn together at the end of `expires_on` (a day in the back office's time zone)."""

    amount: Decimal
    expires_on: date


@dataclass(frozen=True, slots=True, kw_only=True)
class BonusAccount:
    """
    A customer's account in the loyalty programme. Amounts are points.

    `pending` and `lots` are None where the back office's answer about accounts does not hold them: they are asked for
    by the port `BonusDetails`, and only when somebody wants them.
    """

    customer: CustomerId
    id: str
    balance: Decimal
    tier: Tier | None = None
    pending: Decimal | None = None
    lots: tuple[BonusLot, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PendingBonuses:
    """Points that are granted and not active yet."""

    customer: CustomerId
    amount: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class BonusExpirations:
    """The lots that will burn, soonest first."""

    customer: CustomerId
    lots: tuple[BonusLot, ...] = ()
