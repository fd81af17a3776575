"""Whatever a back office sends, a decoder answers or raises an error of `bff.errors`: nothing else comes out."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from bff.errors import BackOfficeError
from bff.mapping import Dialect, Reading, compile_reading, parse_json, parse_xml
from tests.unit.mapping.mappings import mapping
from tests.unit.mapping.test_reading import BONUSES, FAVORITES, JSON_AT, OFFERS, ORDERS, PRODUCTS, PROFILES, STATUS

READS = (
    (ORDERS, "latest_orders"),
    (ORDERS, "orders"),
    (FAVORITES, "favorites"),
    (JSON_AT, "favorites"),
    (PROFILES, "profiles"),
    (STATUS, "profiles"),
    (PRODUCTS, "products"),
    (BONUSES, "bonus_accounts"),
    (f"[reads.promotions.reply]\n{OFFERS}", "promotions"),
)
NAMES = [
    *["items", "who", "id", "name", "title", "products", "lots", "amount", "day", "balance", "pending", "price"],
    *["return", "status", "kind", "ends", "клиенты", "заказы", "ид", "товары", "дата", "сумма", "статус", "номер"],
]
TEXTS = st.sampled_from(
    ["c-1", "c-2", "1", "2026-11-21", "9999-12-31T23:59:59-12:00", "NaN", "В пути", "ok", "[]", "\0", ""]
)
LEAVES = (
    TEXTS
    | st.text(max_size=8)
    | st.none()
    | st.booleans()
    | st.integers()
    | st.decimals(allow_nan=False, allow_infinity=False)
    | st.sampled_from([Decimal("1e999999999"), Decimal("1e-999999999"), Decimal("0e999999999"), "\ud800"])
)
TREES: st.SearchStrategy[Any] = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=6),
    max_leaves=6,
)
RECORDS = st.dictionaries(st.sampled_from(NAMES), TREES, max_size=6)
ROOTS = TREES | st.fixed_dictionaries({name: st.lists(RECORDS, max_size=2) for name in ("items", "клиенты", "заказы")})


def readings(dialect: Dialect) -> list[Reading]:
    return [compile_reading(read, mapping(text), dialect) for text, read in READS]


JSON_READINGS, XML_READINGS = readings(Dialect.JSON), readings(Dialect.XML)


def outcome(reading: Reading, root: Any) -> Any:
    """What is answered, or the error of `bff.errors`."""
    try:
        return reading.decode(root)
    except BackOfficeError as error:
        return error


@settings(max_examples=25, deadline=None)
@given(root=ROOTS)
def test_json(root: Any) -> None:
    for reading in JSON_READINGS:
        outcome(reading, root)


def _element(name: str, tree: Any) -> etree._Element:
    element = etree.Element(name)
    match tree:
        case dict():
            element.extend([_element(key, value) for key, value in tree.items()])
        case list():
            element.extend([_element("items", value) for value in tree])
        case None:
            element.set("{http://www.w3.org/2001/XMLSchema-instance}nil", "true")
        case bool() | int():
            element.text = str(tree).lower()
        case str():
            element.text = "".join(char for char in tree if char.isprintable())
    return element


@settings(max_examples=25, deadline=None)
@given(root=ROOTS)
def test_xml(root: Any) -> None:
    document = parse_xml(etree.tostring(_element("root", root), encoding="utf-8"))
    for reading in XML_READINGS:
        outcome(reading, document)


@pytest.mark.parametrize("number", ["1e999999999", "-1e999999999", "1e-999999999", "0e999999999", "0.0e-999999999"])
def test_a_number_never_becomes_a_gigabyte_of_zeros(number: str) -> None:
    body = '{"items": [{"who": "c-1", "products": [{"id": NUMBER}], "id": NUMBER, "balance": NUMBER, "pending": 0}]}'
    root = parse_json(body.replace("NUMBER", number))
    for reading in JSON_READINGS:
        outcome(reading, root)


def test_texts_of_errors_hold_nothing_of_the_reply() -> None:
    # Whose it is stands in the answer, so it is not secret here; no field can be read.
    record: dict[str, Any] = {
        **dict.fromkeys(NAMES, "secret-77"),
        "who": "c-1",
        "ид": "c-1",
        "id": "c-1",
        "name": ["secret-77"],
    }
    record |= {"title": {"secret-77": 1}, "products": ["secret-77"]}
    for root in ({"items": [record], "клиенты": [record], "заказы": [record]}, {"items": "secret-77"}, "secret-77"):
        for reading in JSON_READINGS:
            assert "secret" not in repr(outcome(reading, root))
