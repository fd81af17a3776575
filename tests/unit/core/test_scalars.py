"""Scalars: exact, with an offset, and never a gigabyte of zeros."""

from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from graphql import GraphQLScalarType

from bff.domain import CurrencyCode
from bff.schema import graphql_schema


def shown(name: str, value: Any) -> Any:
    kind = graphql_schema().type_map[name]
    assert isinstance(kind, GraphQLScalarType)
    return kind.serialize(value)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("1290.00", "1290.00"),
        ("0", "0"),
        ("-5.5", "-5.5"),
        ("1E+3", "1000"),
        ("1E-7", "0.0000001"),
        ("0E-10", "0.0000000000"),
        ("99999999999999999999.123456789", "99999999999999999999.123456789"),
    ],
)
def test_a_decimal_is_its_digits(value: str, text: str) -> None:
    assert shown("Decimal", Decimal(value)) == text


@pytest.mark.parametrize("value", ["NaN", "sNaN", "Infinity", "-Infinity", "1E+41", "1E-41", "1E+999999", "0E-99"])
def test_a_decimal_that_is_no_amount_is_refused(value: str) -> None:
    with pytest.raises(ValueError, match="finite number of a sane size"):
        shown("Decimal", Decimal(value))


def test_an_instant_has_its_offset() -> None:
    moscow = timezone(timedelta(hours=3))
    assert shown("DateTime", datetime(2026, 11, 21, 10, 42, tzinfo=moscow)) == "2026-11-21T10:42:00+03:00"
    assert shown("DateTime", datetime(2026, 11, 21, 10, 42, 1, 5_000, UTC)) == "2026-11-21T10:42:01.005+00:00"
    with pytest.raises(ValueError, match="offset"):
        shown("DateTime", datetime(2026, 11, 21, 10, 42))  # noqa: DTZ001 (that is the point)


def test_a_day_is_a_day() -> None:
    assert shown("Date", date(2026, 12, 31)) == "2026-12-31"


def test_a_currency_is_its_letters() -> None:
    assert shown("CurrencyCode", CurrencyCode("RUB")) == "RUB"
