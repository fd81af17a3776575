"""The shop's customers: c-1001 … c-3000.

c-1001 has something in every section, c-1002 is new (a first name and a phone only), the others are as chance made
them. Phones start with +7 900 000 and addresses end in ``.example``, so that they belong to nobody.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache

from bff.demo.data import names
from bff.demo.data.world import World

FIRST = 1001
LAST = 3000
FIRST_REGISTERED = 10_001
"""Who registers gets an id of five digits: nobody's data is made up for it."""


@dataclass(frozen=True, slots=True)
class Person:
    """One customer as the ERP knows him or her; None is "not filled in"."""

    id: str
    number: int
    first_name: str
    last_name: str | None
    patronymic: str | None
    phone: str | None
    """``+79000001001``; only those who registered by mail have none."""
    email: str | None
    birthday: date | None


def customer_id(number: int) -> str:
    """Return ``c-1001`` for 1001."""
    return f"c-{number}"


def number_of(customer: str) -> int | None:
    """Return 1001 for ``c-1001``, None for whom the shop does not know."""
    prefix, _, digits = customer.partition("-")
    if prefix != "c" or len(digits) != len(str(FIRST)) or not (digits.isascii() and digits.isdigit()):
        return None
    number = int(digits)
    return number if FIRST <= number <= LAST else None


def number_of_phone(phone: str) -> int | None:
    """Return 1001 for ``+79000001001``, None for a phone that is nobody's."""
    number = int(phone[-7:]) if phone[-7:].isascii() and phone[-7:].isdigit() else 0
    return number if FIRST <= number <= LAST and phone == _phone(number) else None


def is_registered(customer: str) -> bool:
    """Return whether an id may be that of somebody who registered; which are, only the ERP knows."""
    digits = customer.removeprefix("c-")
    is_number = len(digits) == len(str(FIRST_REGISTERED)) and digits.isascii() and digits.isdigit()
    return is_number and customer == customer_id(int(digits)) and int(digits) >= FIRST_REGISTERED


def _phone(number: int) -> str:
    return f"+7900{number:07d}"


@lru_cache(maxsize=4096)
def person(world: World, number: int) -> Person:
    """Return the customer of that number (FIRST … LAST)."""
    phone = _phone(number)
    if number == 1001:
        email, birthday = "anna.sokolova@pochta.example", date(1987, 3, 14)
        return Person("c-1001", number, "Анна", "Соколова", "Сергеевна", phone, email, birthday)
    if number == 1002:
        return Person("c-1002", number, "Олег", None, None, phone, None, None)

    dice = world.dice("person", number)
    is_woman = dice.random() < 0.6
    first_name = dice.choice(names.WOMEN) if is_woman else dice.choice(names.MEN)[0]
    patronymic = dice.choice(names.MEN)[2 if is_woman else 1]
    surname = dice.choice(names.SURNAMES)
    last_name = names.feminine(surname) if is_woman else surname
    email = f"{names.latin(first_name)}.{names.latin(last_name)}{number}@pochta.example"
    birthday = world.today - timedelta(days=dice.randint(18 * 366, 75 * 365))
    return Person(
        id=customer_id(number),
        number=number,
        first_name=first_name,
        last_name=last_name,
        patronymic=patronymic if dice.random() < 0.8 else None,
        phone=phone,
        email=email if dice.random() < 0.85 else None,
        birthday=birthday if dice.random() < 0.7 else None,
    )


def strangers(asked: Iterable[int], fits: Callable[[int], bool]) -> list[int]:
    """Return, for each customer asked for, another one who was not asked for and who `fits` (has something to show).

    What the fault ``wrong_owner`` answers with. Each stranger comes once; when nobody is left, the list is shorter.
    """
    asked = list(asked)
    taken = set(asked)
    found: list[int] = []
    everyone = LAST - FIRST + 1
    for number in asked:
        # Half the customers away, so that neighbours in one batch do not meet each other.
        candidates = (FIRST + (number - FIRST + everyone // 2 + step) % everyone for step in range(everyone))
        stranger = next((one for one in candidates if one not in taken and fits(one)), None)
        if stranger is not None:
            taken.add(stranger)
            found.append(stranger)
    return found
