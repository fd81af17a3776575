"""The loyalty programme: accounts, tiers, lots that will come or burn, personal discounts.

A tier follows from what the customer really bought: the sum of the finished orders that the ERP shows.
"""

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from functools import lru_cache
from itertools import pairwise
from random import Random

from bff.demo.data import orders
from bff.demo.data.people import FIRST, LAST
from bff.demo.data.world import World

BURN_SOON_DAYS = 90

_ACCOUNT_IDS_FROM = 5001
_MANY_LOTS = 27  # c-1003: more than one page of twenty


@dataclass(frozen=True, slots=True)
class Tier:
    """A level: whose orders come to `threshold` roubles gets `percent` of each back as bonuses."""

    id: int
    name: str
    threshold: Decimal
    percent: int
    percent_promo: int


TIERS = (
    Tier(1, "Бронзовый", Decimal(0), 3, 1),
    Tier(2, "Серебряный", Decimal(60_000), 5, 2),
    Tier(3, "Золотой", Decimal(150_000), 7, 3),
    Tier(4, "Платиновый", Decimal(500_000), 10, 5),
)


@dataclass(frozen=True, slots=True)
class Lot:
    """An amount of bonuses and the day on which it comes (pending) or burns."""

    on: date
    amount: Decimal


@dataclass(frozen=True, slots=True)
class Account:
    """A customer's account. `amount` can be spent today and includes what will burn; `pending` is not in it."""

    id: int
    customer: int
    card: str
    amount: Decimal
    orders_sum: Decimal
    tier: Tier
    next_tier: Tier | None
    pending: tuple[Lot, ...]
    burning: tuple[Lot, ...]
    created_at: datetime


def has_account(world: World, customer: int) -> bool:
    """Return whether the customer joined the programme: most did."""
    return customer in (1001, 1002, 1003) or world.dice("account", customer).random() < 0.85


def owner_of(world: World, account_id: int) -> int | None:
    """Return the number of the customer whose account it is, None if there is no such account."""
    customer = FIRST + account_id - _ACCOUNT_IDS_FROM
    return customer if FIRST <= customer <= LAST and has_account(world, customer) else None


@lru_cache(maxsize=1)
def members(world: World) -> tuple[int, ...]:
    """Return the numbers of all customers who joined."""
    return tuple(customer for customer in range(FIRST, LAST + 1) if has_account(world, customer))


@lru_cache(maxsize=4096)
def account(world: World, customer: int) -> Account:
    """Return the account of a customer who has one."""
    dice = world.dice("bonuses", customer)
    bought = _finished_sum(world, customer)
    tier, next_tier = _tier(bought)
    pending, burning, rest = _lots(dice, world.today, customer, percent=tier.percent)
    return Account(
        id=_ACCOUNT_IDS_FROM + customer - FIRST,
        customer=customer,
        card=f"2200{customer:09d}",
        amount=sum((lot.amount for lot in burning), rest),
        orders_sum=bought,
        tier=tier,
        next_tier=next_tier,
        pending=pending,
        burning=burning,
        created_at=_joined_at(dice, world.today, customer),
    )


def personal_discount(world: World, customer: int) -> int:
    """Return the customer's personal discount in percent: 0 or 3 … 15."""
    if customer in (1001, 1002):
        return 7 if customer == 1001 else 0
    dice = world.dice("discount", customer)
    return dice.randint(3, 15) if dice.random() < 0.3 else 0


def _finished_sum(world: World, customer: int) -> Decimal:
    everything = orders.latest(world, customer, orders.MOST)
    return sum((order.total for order in everything if order.status == "Выполнен"), Decimal("0.00"))


def _tier(bought: Decimal) -> tuple[Tier, Tier | None]:
    for tier, following in pairwise(TIERS):
        if bought < following.threshold:
            return tier, following
    return TIERS[-1], None


def _lots(
    dice: Random, today: date, customer: int, *, percent: int
) -> tuple[tuple[Lot, ...], tuple[Lot, ...], Decimal]:
    """Return (pending, burning, what is left of the balance besides), lots by date."""

    def lots(count: int, within_days: int) -> tuple[Lot, ...]:
        days = sorted(dice.sample(range(1, within_days + 1), count))
        # Half roubles: the vendor sends JSON numbers, and a whole one would hide who reads them as integers.
        return tuple(Lot(today + timedelta(days=day), Decimal(dice.randint(2, 80) * percent) / 2) for day in days)

    if customer == 1002:
        return (), (), Decimal(0)
    if customer == 1001:
        return lots(2, 14), lots(4, BURN_SOON_DAYS), Decimal("842.5")
    burning = _MANY_LOTS if customer == 1003 else dice.choice((0, 0, 1, 2, 3, 5))
    return lots(dice.choice((0, 0, 1, 2)), 14), lots(burning, BURN_SOON_DAYS), Decimal(dice.randint(0, 4000)) / 2


def _joined_at(dice: Random, today: date, customer: int) -> datetime:
    days_ago = 1 if customer == 1002 else dice.randint(30, 4 * 365)
    return datetime.combine(today - timedelta(days=days_ago), time(12)) + timedelta(seconds=dice.randrange(6 * 3600))
