"""Scalars: money and points travel as strings, never as floats. None of them is an input yet."""

from datetime import date, datetime
from decimal import Decimal
from typing import Any

import strawberry

from bff.domain import CurrencyCode

_MAX_MAGNITUDE = 40
"""Powers of ten away from 1: written out, `1e-999999999` takes a gigabyte of memory."""


def _decimal(value: Decimal) -> str:
    # Built-in adapters refuse such numbers when they read them; a stranger's may not.
    if not value.is_finite() or abs(value.adjusted()) > _MAX_MAGNITUDE:
        raise ValueError("an amount is a finite number of a sane size")
    return format(value, "f")


def _instant(value: datetime) -> str:
    if value.utcoffset() is None:
        raise ValueError("an instant has an offset")
    return value.isoformat(timespec="milliseconds" if value.microsecond else "seconds")


# Strawberry takes built-in types of Python as scalars by this map; the values are its own ScalarDefinition.
SCALARS: dict[object, Any] = {
    Decimal: strawberry.scalar(
        name="Decimal",
        description='An exact decimal number, as a string so that no digit is lost: "1290.00".',
        serialize=_decimal,
    ),
    date: strawberry.scalar(
        name="Date",
        description='A calendar day of the shop (ISO 8601): "2026-12-31".',
        serialize=date.isoformat,
    ),
    datetime: strawberry.scalar(
        name="DateTime",
        description='An instant with its offset (ISO 8601): "2026-11-21T10:42:00+03:00".',
        serialize=_instant,
    ),
    CurrencyCode: strawberry.scalar(
        name="CurrencyCode",
        description='A currency by its three letters (ISO 4217): "RUB".',
        serialize=str,
    ),
}
