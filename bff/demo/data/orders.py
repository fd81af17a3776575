"""What the customers ordered in the last three years, up to 60 orders each.

An order's age decides what can have happened to it: the youngest are new, those older than nine days are finished.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from decimal import Decimal
from functools import lru_cache
from random import Random
from uuid import UUID
from zlib import crc32

from bff.demo.data import goods
from bff.demo.data.people import FIRST, LAST, customer_id
from bff.demo.data.world import World

MOST = 60

_OLDEST_DAYS = 3 * 365
_FINISHED_DAYS = 10
"""An order at least this old is finished: its last possible stage lies nine days after its date."""

_COUNTS = {1001: 23, 1002: 0, 1003: MOST}

ODD_STATUS = "На согласовании"
"""A status that no description of the service names: shops add their own, and a client has to live with that."""
_ODD_CUSTOMER = 1004  # whose last order has it, so that nobody has to search

# 1C makes its GUIDs by time and network card: version 1, and the same last part for the whole base.
_GUID_VERSION = 0x11EE
_GUID_VARIANT = 0x8000
_GUID_NODE = 0x00155D0A1B2C


@dataclass(frozen=True, slots=True)
class Stage:
    """A step on an order's way; `at` is None for what has not happened yet."""

    name: str
    at: datetime | None


@dataclass(frozen=True, slots=True)
class Line:
    """One product of an order; `total` = price * quantity, in roubles with two digits."""

    product_id: str
    name: str
    quantity: Decimal
    price: Decimal
    total: Decimal


@dataclass(frozen=True, slots=True)
class Order:
    """One order; `total` is the sum of its lines, times are Moscow's without a zone, as 1C has them."""

    id: str
    customer_id: str
    number: str
    at: datetime
    status: str
    total: Decimal
    stages: tuple[Stage, ...]
    lines: tuple[Line, ...]


@lru_cache(maxsize=4096)
def ages(world: World, customer: int) -> tuple[int, ...]:
    """Return the age in whole days (1 …) of each of the customer's orders, oldest first. Cheap: makes no order."""
    dice = world.dice("orders", customer)
    if customer == 1001:
        past = dice.sample(range(_FINISHED_DAYS + 5, _OLDEST_DAYS), _COUNTS[1001] - 1)
        return (*sorted(past, reverse=True), 4)
    if customer == _ODD_CUSTOMER:
        return (400, 33, 2)
    count = _COUNTS.get(customer)
    if count is None:
        count = 0 if dice.random() < 0.06 else round(dice.triangular(0, MOST, 12))
    drawn = dice.sample(range(2 * _FINISHED_DAYS, _OLDEST_DAYS), count)
    # Half of the customers came back lately; else hardly anybody would have an order under way.
    if drawn and dice.random() < 0.5:
        drawn[0] = dice.randint(1, _FINISHED_DAYS + 2)
    return tuple(sorted(drawn, reverse=True))


def latest(world: World, customer: int, count: int) -> list[Order]:
    """Return at most `count` orders of the customer, newest first."""
    newest = len(ages(world, customer)) - 1
    return [order(world, customer, index) for index in range(newest, max(newest - count, -1), -1)]


def find(world: World, order_id: str) -> Order | None:
    """Return the order of that GUID, None if there is none."""
    place = locate(world, order_id)
    return None if place is None else order(world, *place)


def locate(world: World, order_id: str) -> tuple[int, int] | None:
    """Return (customer's number, index) of the order of that GUID, None if there is none."""
    try:
        guid = UUID(order_id)
    except ValueError:
        return None
    customer, index = guid.time_mid, (guid.int >> 48 & 0xFFFF) - _GUID_VARIANT
    if not FIRST <= customer <= LAST or not 0 <= index < len(ages(world, customer)):
        return None
    return (customer, index) if _guid(world, customer, index) == guid else None


def order(world: World, customer: int, index: int) -> Order:
    """Return one order; `index` counts from the oldest (0 … len(ages) - 1)."""
    age = ages(world, customer)[index]
    dice = world.dice("order", f"{customer}:{index}")
    # Between eight and nineteen, so that a confirmation within three hours falls on the same day.
    at = datetime.combine(world.today - timedelta(days=age), time(8)) + timedelta(seconds=dice.randrange(11 * 3600))
    is_pickup = dice.random() < 0.4
    status = _status(dice, age, is_pickup=is_pickup)
    lines = dice.choice((1, 1, 2, 2, 3, 4, 5, 7))
    if (customer, age) == (1001, 4):
        is_pickup, status, lines = False, "Передан в доставку", 4
    elif (customer, age) == (_ODD_CUSTOMER, 2):
        status = ODD_STATUS
    made = tuple(_line(world, dice, number) for number in dice.sample(range(1, goods.COUNT + 1), lines))
    return Order(
        id=str(_guid(world, customer, index)),
        customer_id=customer_id(customer),
        number=f"КБ00-{(customer - FIRST) * MOST + index + 1:06d}",
        at=at,
        status=status,
        total=sum((line.total for line in made), Decimal("0.00")),
        stages=_stages(dice, at, status, is_pickup=is_pickup),
        lines=made,
    )


def _guid(world: World, customer: int, index: int) -> UUID:
    """Return a GUID that says whose order it is, so that no index of 40,000 orders is needed to find it."""
    seal = crc32(f"{world.seed}:order:{customer}:{index}".encode())
    return UUID(int=seal << 96 | customer << 80 | _GUID_VERSION << 64 | (_GUID_VARIANT + index) << 48 | _GUID_NODE)


def _status(dice: Random, age: int, *, is_pickup: bool) -> str:
    if age >= _FINISHED_DAYS:
        return dice.choices(("Выполнен", "Отменен", "Возврат"), weights=(88, 8, 4))[0]
    if age <= 2:
        if dice.random() < 0.03:
            return ODD_STATUS
        return dice.choice(("Новый", "Подтвержден")) if age == 1 else dice.choice(("Подтвержден", "Собирается"))
    if age <= 4 and dice.random() < 0.3:
        return "Собирается"
    return "Готов к выдаче" if is_pickup else "Передан в доставку"


_DONE_STAGES = {
    "Новый": 1,
    ODD_STATUS: 1,
    "Подтвержден": 2,
    "Собирается": 2,
    "Передан в доставку": 4,
    "Готов к выдаче": 4,
    "Выполнен": 5,
    "Возврат": 5,
}


def _stages(dice: Random, at: datetime, status: str, *, is_pickup: bool) -> tuple[Stage, ...]:
    def later(days: int) -> datetime:
        day = datetime.combine(at.date() + timedelta(days=days), time(9))
        return day + timedelta(minutes=dice.randrange(10 * 60))

    placed = Stage("Оформлен", at)
    confirmed_at = at + timedelta(minutes=dice.randint(15, 180))
    if status == "Отменен":
        return (placed, Stage("Отменен", confirmed_at))
    way: Sequence[tuple[str, datetime]] = (
        ("Подтвержден", confirmed_at),
        ("Собран", later(1)),
        ("Готов к выдаче" if is_pickup else "Передан в доставку", later(2)),
        ("Получен", later(dice.randint(3, 6))),
    )
    done = _DONE_STAGES[status] - 1
    stages = (placed, *(Stage(name, moment if step < done else None) for step, (name, moment) in enumerate(way)))
    return (*stages, Stage("Возврат", later(9))) if status == "Возврат" else stages


def _line(world: World, dice: Random, number: int) -> Line:
    sold = goods.product(world, number)
    quantity = Decimal(dice.randint(3, 30)) / 2 if sold.by_the_metre else Decimal(dice.choice((1, 1, 1, 2, 3)))
    return Line(sold.id, sold.name, quantity, sold.price, (sold.price * quantity).quantize(Decimal("0.01")))
