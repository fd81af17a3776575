"""Answers as documents that can be spoilt in one place, XML and JSON alike, and what the demo's answers look like."""

import json
from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass
from enum import Enum
from typing import Any, Protocol, TypeAlias

from lxml import etree

_NIL = "{http://www.w3.org/2001/XMLSchema-instance}nil"

Record: TypeAlias = Any
"""An lxml element, or what `json` gives."""


class Dialect(Enum):
    """What an answer is written in."""

    XML = "xml"
    JSON = "json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """
    An operation's answer: which records it holds, and what there is in a record to be spoilt.

    Paths go from name to name, from the root of JSON and of the SOAP operation's result to the records, and within a
    record; where a list is on the way its first item is meant. None: there is no such thing in it.
    """

    dialect: Dialect
    records: str
    key: str | None = None
    """What was asked for; an answer has one record a key."""
    owner: str | None = None
    """The customer whose record it is."""
    inner_owner: str | None = None
    """The customer, as something inside the record names it once more."""
    strict: str | None = None
    """A field of a type that not every text has: a number, a date."""
    required: str
    """A field without which a record, or an item in it, is none."""
    label: str | None = None
    """A text that may be any text."""


def _shape(dialect: Dialect) -> Callable[..., Shape]:
    def make(records: str, **fields: Any) -> Shape:
        return Shape(dialect=dialect, records=records, **fields)

    return make


_xml, _json = _shape(Dialect.XML), _shape(Dialect.JSON)

DEMO_SHAPES: Mapping[str, Shape] = {
    "ПолучитьКлиентов": _xml("Клиент", key="Ид", owner="Ид", strict="ДатаРождения", required="Ид", label="Фамилия"),
    "ПолучитьПоследниеЗаказы": _xml(
        "Клиент",
        key="Ид",
        owner="Ид",
        inner_owner="Заказы/Заказ/ИдКлиента",
        strict="Заказы/Заказ/Сумма",
        required="Заказы/Заказ/Ид",
        label="Заказы/Заказ/Номер",
    ),
    "ПолучитьЗаказы": _xml("Заказ", key="Ид", owner="ИдКлиента", strict="Сумма", required="Номер", label="Статус"),
    "accounts": _json(
        "loyaltyAccounts",
        key="customer/externalId",
        owner="customer/externalId",
        strict="amount",
        required="amount",
        label="level/name",
    ),
    "customers": _json(
        "customers", key="externalId", owner="externalId", strict="personalDiscount", required="externalId"
    ),
    "bonus_waiting_activation": _json(".", strict="statistic/totalAmount", required="statistic/totalAmount"),
    "bonus_burn_soon": _json("bonuses", strict="amount", required="date"),
    "favorites": _json("items", key="customer_id", owner="customer_id", required="products/id", label="products/id"),
    "products": _json("items", key="id", strict="price/amount", required="name", label="name"),
    "promotions": _json("items", key="id", strict="ends", required="title", label="title"),
}
"""By operation, as the demo's offices name them."""


class Document(Protocol):
    """An answer, taken apart."""

    records: list[Record]
    """The records; `render` writes what then stands here."""

    def has(self, record: Record, path: str) -> bool:
        """Whether there is such a place in it: a customer without an order has no order's owner."""

    def put(self, record: Record, path: str, value: object) -> None:
        """Write a value: a text, a number (its `repr` in XML), None (null, nil)."""

    def repeat(self, record: Record, path: str) -> None:
        """Make a list of twice the same of what stands there."""

    def add_unknown(self, record: Record) -> None:
        """Add something that no mapping knows."""

    def render(self) -> bytes:
        """Write it all down."""


class XmlDocument:
    """A SOAP answer."""

    def __init__(self, body: bytes, shape: Shape) -> None:
        self._root = etree.fromstring(body, etree.XMLParser(resolve_entities=False, no_network=True))
        self._result = self._root.find(".//{*}return")
        assert self._result is not None, "a SOAP answer with a `return` was expected"
        self._name = shape.records
        self.records: list[Record] = list(self._result.iterchildren("{*}" + self._name))

    def has(self, record: Record, path: str) -> bool:
        """See `Document`."""
        return self._at(record, path) is not None

    def put(self, record: Record, path: str, value: object) -> None:
        """See `Document`."""
        element = self._at(record, path)
        for child in list(element):
            element.remove(child)
        element.attrib.pop(_NIL, None)
        element.text = None if value is None else str(value)
        if value is None:
            element.set(_NIL, "true")

    def repeat(self, record: Record, path: str) -> None:
        """See `Document`."""
        element = self._at(record, path)
        element.addnext(deepcopy(element))

    def add_unknown(self, record: Record) -> None:
        """See `Document`."""
        element = etree.SubElement(record, f"{{{etree.QName(record).namespace}}}Новое", новый="да")
        inner: Any = etree.SubElement(element, "{urn:elsewhere}Вложенное")
        inner.text = "<&>"
        record.insert(0, etree.Comment("примечание"))

    def render(self) -> bytes:
        """See `Document`."""
        assert self._result is not None
        for old in list(self._result.iterchildren("{*}" + self._name)):
            self._result.remove(old)
        self._result.extend(self.records)
        return etree.tostring(self._root, encoding="UTF-8", xml_declaration=False)

    @staticmethod
    def _at(record: Record, path: str) -> Any:
        return record.find("/".join("{*}" + name for name in path.split("/")))


class JsonDocument:
    """A JSON answer."""

    def __init__(self, body: bytes, shape: Shape) -> None:
        self._root = json.loads(body)
        self._name = shape.records
        self.records: list[Record] = [self._root] if self._name == "." else self._root[self._name]

    def has(self, record: Record, path: str) -> bool:
        """See `Document`. What is left out may be put, but not into what is not there."""
        try:
            holder, _ = self._at(record, path)
        except (KeyError, IndexError, TypeError):  # nothing, an empty list or null is on the way
            return False
        return isinstance(holder, dict)

    def put(self, record: Record, path: str, value: object) -> None:
        """See `Document`."""
        holder, name = self._at(record, path)
        holder[name] = value

    def repeat(self, record: Record, path: str) -> None:
        """See `Document`."""
        holder, name = self._at(record, path)
        holder[name] = [holder.get(name)] * 2

    def add_unknown(self, record: Record) -> None:
        """See `Document`."""
        record["new"] = {"deeper": [1.5, None, "<&>"]}

    def lone(self) -> None:
        """Write the first record in the place of the list."""
        self._root[self._name] = self.records[0]
        self._name = "."

    def render(self) -> bytes:
        """See `Document`."""
        if self._name != ".":
            self._root[self._name] = self.records
        return json.dumps(self._root, ensure_ascii=False).encode()

    @staticmethod
    def _at(record: Record, path: str) -> tuple[Any, str]:
        *way, name = path.split("/")
        for step in way:
            record = record[step]
            if isinstance(record, list):
                record = record[0]
        return record, name


def first(document: Document, path: str) -> Record | None:
    """The first record in which there is such a place."""
    return next((record for record in document.records if document.has(record, path)), None)


def parse(body: bytes, shape: Shape) -> XmlDocument | JsonDocument:
    """Take a healthy answer apart."""
    return XmlDocument(body, shape) if shape.dialect is Dialect.XML else JsonDocument(body, shape)
