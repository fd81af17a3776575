"""From texts to typed values."""

import contextlib
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bff.domain import CurrencyCode, OfferKind, OrderStatus
from bff.mapping.paths import Misfit, Raw
from bff.mapping.values import Kind, Wording, flag, text

MOSCOW = ZoneInfo("Europe/Moscow")
WORDING = Wording(
    time_zone=MOSCOW,
    order_statuses={"в пути": OrderStatus.SHIPPED},
    offer_kinds={"акция": OfferKind.PROMOTION},
    currencies={"руб.": CurrencyCode("RUB")},
)
COMMA = Wording(time_zone=MOSCOW, decimal_comma=True)

HUGE = Decimal("1e999999999")
TINY = Decimal("1e-999999999")


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        ("10.50", "10.50"),
        ("-3", "-3"),
        ("+3", "3"),
        ("0", "0"),
        (7, "7"),
        (Decimal("0.1000000000000000055511151231257827"), "0.1000000000000000055511151231257827"),
        ("0.123456789012345678", "0.123456789012345678"),
    ],
)
def test_numbers(raw: Raw, value: str) -> None:
    assert str(WORDING.number(raw)) == value


@pytest.mark.parametrize(
    ("raw", "value"), [("1 234,50", "1234.50"), ("1\u00a0234,50", "1234.50"), ("1\u202f234", "1234"), ("7.5", "7.5")]
)
def test_numbers_as_1c_writes_them_for_people(raw: str, value: str) -> None:
    assert str(COMMA.number(raw)) == value


@pytest.mark.parametrize(
    "raw",
    [
        *["10,5", "1 000", "NaN", "Infinity", "1e5", "0x10", "", "--1", "1.", ".5", "٣", "1_000", "9" * 19, True],
        *[HUGE, TINY, Decimal("NaN"), Decimal("0e999999999"), Decimal(10) ** 15, 10**4_000],
    ],
    ids=lambda raw: f"{raw!r:.20}",
)
def test_what_is_no_number(raw: Raw) -> None:
    with pytest.raises(Misfit):
        WORDING.number(raw)


@pytest.mark.parametrize("raw", ["1,234,5", "1.234,5"])
def test_what_is_no_number_with_a_comma(raw: str) -> None:
    with pytest.raises(Misfit):
        COMMA.number(raw)


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        ("2026-11-21T10:42:00", datetime(2026, 11, 21, 10, 42, tzinfo=MOSCOW)),
        ("2026-11-21 10:42", datetime(2026, 11, 21, 10, 42, tzinfo=MOSCOW)),
        ("2026-11-21T10:42:00Z", datetime(2026, 11, 21, 10, 42, tzinfo=UTC)),
        ("2026-11-21T10:42:00.5+05:00", datetime(2026, 11, 21, 10, 42, 0, 500_000, timezone(timedelta(hours=5)))),
        ("2026-11-21", datetime(2026, 11, 21, tzinfo=MOSCOW)),
        ("21.11.2026 9:05", datetime(2026, 11, 21, 9, 5, tzinfo=MOSCOW)),
        ("21.11.2026 19:05:07", datetime(2026, 11, 21, 19, 5, 7, tzinfo=MOSCOW)),
        ("21.11.2026T19:05", datetime(2026, 11, 21, 19, 5, tzinfo=MOSCOW)),
        ("21.11.2026", datetime(2026, 11, 21, tzinfo=MOSCOW)),
    ],
)
def test_instants(raw: str, value: datetime) -> None:
    found = WORDING.instant(raw)
    assert found == value
    assert found is not None
    assert found.utcoffset() == value.utcoffset()


def test_a_date_without_a_zone_has_the_offset_of_its_day() -> None:
    berlin = Wording(time_zone=ZoneInfo("Europe/Berlin"))
    summer, winter = berlin.instant("2026-07-01T12:00:00"), berlin.instant("2026-12-01T12:00:00")
    assert summer is not None
    assert winter is not None
    assert (summer.utcoffset(), winter.utcoffset()) == (timedelta(hours=2), timedelta(hours=1))


@pytest.mark.parametrize(
    "raw", [None, "0001-01-01T00:00:00", "0001-01-01T00:00:00Z", "0001-01-01", "01.01.0001 0:00:00"]
)
def test_empty_dates(raw: str | None) -> None:
    assert WORDING.instant(raw) is None
    assert WORDING.day(raw) is None


@pytest.mark.parametrize(
    "raw",
    ["31.02.2026", "2026-13-01", "21/11/2026", "21.11.26", "завтра", "21.11.2026 25:00", 20261121, True, "\ud800"],
)
def test_what_is_no_date(raw: Raw) -> None:
    for read in (WORDING.instant, WORDING.day):
        with pytest.raises(Misfit):
            read(raw)


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        ("2026-11-21", date(2026, 11, 21)),
        ("21.11.2026", date(2026, 11, 21)),
        ("2026-11-21T00:00:00", date(2026, 11, 21)),
        ("2026-11-20T22:30:00Z", date(2026, 11, 21)),
        ("2026-11-21T23:59:59", date(2026, 11, 21)),
    ],
)
def test_days_are_those_of_the_back_office(raw: str, value: date) -> None:
    assert WORDING.day(raw) == value


def test_a_day_at_the_end_of_time_is_a_misfit() -> None:
    with pytest.raises(Misfit):
        WORDING.day("9999-12-31T23:59:59-12:00")


def test_words() -> None:
    assert WORDING.order_status("В пути") is OrderStatus.SHIPPED
    assert WORDING.order_status("Неведомо где") is OrderStatus.UNKNOWN
    assert WORDING.order_status(None) is None
    assert WORDING.offer_kind("АКЦИЯ") is OfferKind.PROMOTION
    assert WORDING.offer_kind("coupon") is OfferKind.COUPON
    assert WORDING.offer_kind(None) is None
    with pytest.raises(Misfit):
        WORDING.offer_kind("подарок")


def test_currencies() -> None:
    assert WORDING.currency("Руб.") == "RUB"
    assert WORDING.currency("KZT") == "KZT"
    assert WORDING.currency(None) is None
    for raw in ("rub", "643", "A1B", "РУБ", "RUBL", 643):
        with pytest.raises(Misfit):
            WORDING.currency(raw)


def test_flags() -> None:
    assert [flag(raw) for raw in ("true", "1", True, "false", "0", False, None)] == [True] * 3 + [False] * 3 + [None]
    for raw in ("да", "True", 2, Decimal("0.5")):
        with pytest.raises(Misfit):
            flag(raw)


def test_texts() -> None:
    assert text("Ид-7") == "Ид-7"
    assert text(7) == "7"
    assert text(Decimal("1E+2")) == "100"
    assert text(Decimal("1.50")) == "1.50"
    assert text(None) is None


@pytest.mark.parametrize(
    "raw", [True, "a\0b", "a\ud800", HUGE, TINY, Decimal("0e-999999")], ids=lambda raw: f"{raw!r:.20}"
)
def test_what_is_no_text(raw: Raw) -> None:
    with pytest.raises(Misfit):
        text(raw)


RAWS: st.SearchStrategy[Raw] = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.decimals(allow_nan=False, allow_infinity=False)
    | st.text(max_size=30)
    | st.datetimes().map(lambda moment: moment.isoformat())
    | st.datetimes(timezones=st.timezones(no_cache=True)).map(lambda moment: moment.isoformat())
    | st.from_regex(r"\d\d\.\d\d\.\d{4}( \d?\d:\d\d(:\d\d)?)?", fullmatch=True)
    | st.sampled_from(["9999-12-31T23:59:59-23:59", "0001-01-01T00:00:00+23:59", "0002-01-01T00:00:00+14:00"])
)


@given(raw=RAWS, kind=st.sampled_from(Kind), comma=st.booleans())
def test_no_value_raises_anything_else(raw: Any, kind: Kind, comma: bool) -> None:
    for wording in (WORDING, COMMA) if comma else (WORDING,):
        with contextlib.suppress(Misfit):
            wording.converter(kind)(raw)
