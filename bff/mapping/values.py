"""
From what stands in a reply to typed values.

Each converter takes a `Raw` and returns the value, or None where nothing is said; it raises `Misfit` where what is
said is not of its kind. Texts of errors never hold the value: it may be personal.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, tzinfo
from decimal import Decimal
from enum import Enum
from typing import Any, TypeAlias

from bff.domain import CurrencyCode, OfferKind, OrderStatus
from bff.mapping.paths import Misfit, Raw

Converter: TypeAlias = Callable[[Raw], Any]

_NUMBER = re.compile(r"[+-]?\d{1,18}(\.\d{1,18})?", re.ASCII)
_DIGITS = "0123456789"
_MOST_SANE_CHARACTERS = 15
"""Of digits and one point: such a number `amount` cannot refuse, and need not be asked."""
_SPACES = dict.fromkeys(map(ord, " \u00a0\u202f\u2009"))
_RUSSIAN_DATE = re.compile(r"(\d\d)\.(\d\d)\.(\d{4})(?:[ T]+(\d\d?:\d\d(?::\d\d)?))?", re.ASCII)
_ISO_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_EMPTY_YEAR = 1
"""1C's empty date is 0001-01-01T00:00:00; Rarus writes the same with a Z."""

MAX_AMOUNT = Decimal(10) ** 15
"""No shop has an amount as large; what is larger is a mistake."""

_MAX_MAGNITUDE = 40
"""Powers of ten away from 1: written out, `1e-999999999` takes a gigabyte of memory."""


class Kind(Enum):
    """What a field holds."""

    TEXT = "a text"
    NUMBER = "a number"
    DAY = "a date"
    INSTANT = "a date with time"
    FLAG = "true or false"
    CURRENCY = "a currency"
    ORDER_STATUS = "an order's status"
    OFFER_KIND = "a kind of offer"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wording:
    """How this back office writes things down."""

    time_zone: tzinfo
    decimal_comma: bool = False
    """Numbers may come as `1 234,50`, as 1C formats them for people."""
    order_statuses: Mapping[str, OrderStatus] = field(default_factory=dict)
    offer_kinds: Mapping[str, OfferKind] = field(default_factory=dict)
    currencies: Mapping[str, CurrencyCode] = field(default_factory=dict)

    def converter(self, kind: Kind) -> Converter:
        """The function that reads a kind."""
        return {
            Kind.TEXT: text,
            Kind.NUMBER: self.number,
            Kind.DAY: self.day,
            Kind.INSTANT: self.instant,
            Kind.FLAG: flag,
            Kind.CURRENCY: self.currency,
            Kind.ORDER_STATUS: self.order_status,
            Kind.OFFER_KIND: self.offer_kind,
        }[kind]

    def number(self, raw: Raw) -> Decimal | None:
        """A finite decimal, from its text. Floats never come here."""
        if isinstance(raw, str):
            if self.decimal_comma:
                raw = raw.translate(_SPACES).replace(",", ".")
            # What nearly all numbers look like: digits, perhaps with a point between them.
            rest = raw.strip(_DIGITS)
            if (not rest or (rest == "." and raw[0] != "." != raw[-1])) and 0 < len(raw) <= _MOST_SANE_CHARACTERS:
                return Decimal(raw)
            if not _NUMBER.fullmatch(raw):
                raise Misfit("a number was expected")
        elif raw is None:
            return None
        elif isinstance(raw, bool):
            raise Misfit("a number was expected")
        return amount(Decimal(raw))

    def instant(self, raw: Raw) -> datetime | None:
        """An instant with an offset; one without is in the back office's zone."""
        if raw is None:
            return None
        if not isinstance(raw, str):
            raise Misfit("a date was expected")
        try:
            value = datetime.fromisoformat(raw)
        except ValueError:
            value = _russian_instant(raw)
        if value.year == _EMPTY_YEAR:
            return None
        # Not `replace`: it takes six times as long.
        return value if value.tzinfo else datetime.combine(value, value.time(), self.time_zone)

    def day(self, raw: Raw) -> date | None:
        """A day; of an instant, the day in the back office's zone."""
        if isinstance(raw, str) and _ISO_DATE.fullmatch(raw):
            try:
                value = date.fromisoformat(raw)
            except ValueError:
                raise Misfit("a date was expected") from None
            return None if value.year == _EMPTY_YEAR else value
        moment = self.instant(raw)
        try:
            return moment.astimezone(self.time_zone).date() if moment else None
        except OverflowError:
            raise Misfit("a date of our times was expected") from None

    def order_status(self, raw: Raw) -> OrderStatus | None:
        """The status that the shop's word stands for; `UNKNOWN` for a word that the mapping does not have."""
        word = text(raw)
        return None if word is None else self.order_statuses.get(word.casefold(), OrderStatus.UNKNOWN)

    def offer_kind(self, raw: Raw) -> OfferKind | None:
        """The kind that the shop's word stands for."""
        word = text(raw)
        if word is None:
            return None
        if kind := self.offer_kinds.get(word.casefold()):
            return kind
        try:
            return OfferKind[word.upper()]
        except KeyError:
            raise Misfit("a kind of offer was expected; name the word under [offer_kinds]") from None

    def currency(self, raw: Raw) -> CurrencyCode | None:
        """ISO 4217's three letters, from the shop's word for them."""
        word = text(raw)
        if word is None:
            return None
        if known := self.currencies.get(word.casefold()):
            return known
        if not (len(word) == 3 and word.isascii() and word.isalpha() and word.isupper()):
            raise Misfit("a currency such as RUB was expected; name the word under [currencies]")
        return CurrencyCode(word)


def text(raw: Raw) -> str | None:
    """A text as it stands; a number in its own digits. NUL and halves of characters are refused."""
    if isinstance(raw, str):
        try:
            raw.encode()
        except UnicodeEncodeError:
            raise Misfit("a text of whole characters was expected") from None
        if "\0" in raw:
            raise Misfit("a text without NUL was expected")
        return raw
    match raw:
        case None:
            return None
        case bool():
            raise Misfit("a text was expected")
        case Decimal():
            return format(_written_out(raw), "f")
        case _:
            return str(raw)


def amount(value: Decimal) -> Decimal:
    """Refuse a number that no shop's amount can be: NaN, infinite, 10^15 or more, too small to be written out."""
    # Not abs(): it is arithmetic, which raises Overflow for 1e999999999.
    if _written_out(value).copy_abs() >= MAX_AMOUNT:
        raise Misfit("a number of a sane size was expected")
    return value


def _written_out(value: Decimal) -> Decimal:
    if not value.is_finite() or abs(value.adjusted()) > _MAX_MAGNITUDE:
        raise Misfit("a number of a sane size was expected")
    return value


def flag(raw: Raw) -> bool | None:
    """True or false, as XML Schema and JSON write them."""
    match raw:
        case None | bool():
            return raw
        case "true" | "1":
            return True
        case "false" | "0":
            return False
    raise Misfit("true or false was expected")


def _russian_instant(raw: str) -> datetime:
    match = _RUSSIAN_DATE.fullmatch(raw)
    try:
        if match:
            day, month, year, time = match.groups()
            time = time or "00:00"
            return datetime.fromisoformat(f"{year}-{month}-{day}T{'0' if time[1] == ':' else ''}{time}")
    except ValueError:
        pass  # the 31st of February
    raise Misfit("a date with time was expected, as 2026-11-21T10:42:00 or 21.11.2026 10:42") from None
