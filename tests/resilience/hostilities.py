"""
The names of hostile answers, and what each makes of a healthy one.

Bodies that are invented have `CANARY` in them: it must come out of no log and no answer.
"""

from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import dataclass, field, replace
from enum import Enum, auto
from typing import TypeAlias

from tests.resilience.documents import Dialect, Document, JsonDocument, Shape, first, parse
from tests.resilience.traps import Traps

CANARY = "canary-7f3a"
STRANGER = "c-4242"
"""A customer who has asked for nothing."""


class Hostility(Enum):
    """What may be wrong with an answer. The registry `WAYS` says how it is made."""

    # Whose data it is
    WRONG_OWNER = auto()
    WRONG_INNER_OWNER = auto()
    STRANGER_BESIDE = auto()
    # Which records there are
    DUPLICATE = auto()
    DUPLICATE_DIFFERENT = auto()
    MISSING_KEY = auto()
    REVERSED = auto()
    # What stands in a record
    TEXT_FOR_NUMBER = auto()
    NAN = auto()
    DECIMAL_COMMA = auto()
    HUGE_NUMBER = auto()
    LIST_FOR_VALUE = auto()
    NULL_FOR_REQUIRED = auto()
    UNKNOWN_FIELDS = auto()
    LONE_OBJECT = auto()
    DUPLICATE_MEMBERS = auto()
    # Other documents than were asked for
    EMPTY_BODY = auto()
    OTHER_DOCUMENT = auto()
    HTML_200 = auto()
    TECHNICAL_FAULT_200 = auto()
    TECHNICAL_FAULT_500 = auto()
    BUSINESS_FAULT = auto()
    # Statuses
    HTML_502 = auto()
    BUSY_503 = auto()
    BUSY_429 = auto()
    REFUSED_401 = auto()
    REFUSED_403 = auto()
    SESSION_400 = auto()
    SESSION_406 = auto()
    REDIRECT = auto()
    # Documents that attack who parses them
    DTD = auto()
    ENTITY_FILE = auto()
    ENTITY_HTTP = auto()
    BILLION_LAUGHS = auto()
    LAUGHS_UTF16 = auto()
    LAUGHS_LATE = auto()
    DEEP = auto()
    # Bytes
    BOM = auto()
    BAD_CHARSET = auto()
    DECLARED_CP1251 = auto()
    CUT_RIGHT_LENGTH = auto()
    CUT_WRONG_LENGTH = auto()
    LENGTH_TOO_SHORT = auto()
    LENGTH_TOO_LONG = auto()
    LENGTHS_DIFFER = auto()
    LENGTH_NOT_A_NUMBER = auto()
    SECOND_ANSWER = auto()
    CHUNKS_CUT = auto()
    CHUNKS_HANG = auto()
    CHUNKS_BROKEN = auto()
    ENDLESS = auto()
    ENDLESS_CHUNKS = auto()
    GIGABYTE = auto()
    GZIP_10_MB = auto()
    GZIP_1_GB = auto()
    GZIP_BROKEN = auto()
    GZIP_TRAILED = auto()
    UNKNOWN_ENCODING = auto()
    LARGE_HEADER = auto()
    ENDLESS_HEADERS = auto()
    ENDLESS_INTERIM = auto()
    HTTP_09 = auto()


@dataclass(frozen=True, slots=True)
class Reply:
    """A whole answer; `Content-Length` is added when it is written."""

    status: int
    body: bytes
    headers: tuple[tuple[str, str], ...] = ()

    def head(self, *more: tuple[str, str], without_length: bool = False) -> bytes:
        """The status line and the headers."""
        length = () if without_length else (("Content-Length", str(len(self.body))),)
        lines = [f"{name}: {value}" for name, value in (*self.headers, *length, *more)]
        return "\r\n".join([f"HTTP/1.1 {self.status} -", *lines, "", ""]).encode()

    def encoded(self) -> bytes:
        """All of it, as it is sent."""
        return self.head() + self.body


@dataclass(frozen=True, slots=True)
class Case:
    """A call that is to be answered in a hostile way."""

    shape: Shape
    traps: Traps
    reply: Reply = field(default_factory=lambda: Reply(200, b""))
    """The healthy answer, where the way wants one."""

    def with_body(self, body: bytes) -> Reply:
        """The healthy answer with another body."""
        return replace(self.reply, body=body)


class After(Enum):
    """What becomes of the connection after the bytes; without a word it is closed (FIN)."""

    KEEP = auto()
    HANG = auto()
    PAUSE = auto()
    """It stays, and more comes in a millisecond: a flood that leaves the machine to others."""


Sent: TypeAlias = Iterator[bytes | After]


@dataclass(frozen=True, slots=True)
class Way:
    """How an answer is made."""

    send: Callable[[Case], Sent]
    suits: Callable[[Shape], bool]
    asks: bool = True
    """Whether the healthy office is asked first. Where not, nothing has happened there."""


WAYS: dict[Hostility, Way] = {}


def _any(_: Shape) -> bool:
    return True


def only(dialect: Dialect) -> Callable[[Shape], bool]:
    """Whether a shape is of a dialect."""
    return lambda shape: shape.dialect is dialect


def wire(
    hostility: Hostility, suits: Callable[[Shape], bool] = _any, *, asks: bool = True
) -> Callable[[Callable[[Case], Sent]], Callable[[Case], Sent]]:
    """Register what sends bytes."""

    def register(send: Callable[[Case], Sent]) -> Callable[[Case], Sent]:
        WAYS[hostility] = Way(send, suits, asks)
        return send

    return register


def answer(
    hostility: Hostility, make: Callable[[Case], Reply], suits: Callable[[Shape], bool] = _any, *, asks: bool = True
) -> None:
    """Register what makes a whole answer, sent as HTTP wants it."""

    def send(case: Case) -> Sent:
        yield make(case).encoded()
        yield After.KEEP

    WAYS[hostility] = Way(send, suits, asks)


def _edit(hostility: Hostility, *needs: str) -> Callable[[Callable[[Document, Shape], None]], None]:
    """Register what spoils a document whose shape has what is needed."""

    def register(spoil: Callable[[Document, Shape], None]) -> None:
        def make(case: Case) -> Reply:
            document = parse(case.reply.body, case.shape)
            if document.records:
                spoil(document, case.shape)
            return case.with_body(document.render())

        answer(hostility, make, lambda shape: all(getattr(shape, need) is not None for need in needs))

    return register


def _put_first(document: Document, path: str, value: object) -> None:
    """Into the first record in which there is such a place; where there is none, nothing can be spoilt."""
    if (record := first(document, path)) is not None:
        document.put(record, path, value)


@_edit(Hostility.WRONG_OWNER, "owner")
def _wrong_owner(document: Document, shape: Shape) -> None:
    _put_first(document, str(shape.owner), STRANGER)


@_edit(Hostility.WRONG_INNER_OWNER, "inner_owner")
def _wrong_inner_owner(document: Document, shape: Shape) -> None:
    _put_first(document, str(shape.inner_owner), STRANGER)


@_edit(Hostility.STRANGER_BESIDE, "owner")
def _stranger_beside(document: Document, shape: Shape) -> None:
    stranger = deepcopy(document.records[0])
    document.put(stranger, str(shape.owner), STRANGER)
    if shape.inner_owner and document.has(stranger, shape.inner_owner):
        document.put(stranger, shape.inner_owner, STRANGER)
    document.records.append(stranger)


@_edit(Hostility.DUPLICATE, "key")
def _duplicate(document: Document, _: Shape) -> None:
    document.records.append(deepcopy(document.records[0]))


@_edit(Hostility.DUPLICATE_DIFFERENT, "key")
def _duplicate_different(document: Document, shape: Shape) -> None:
    other = deepcopy(document.records[0])
    path, value = (shape.label, CANARY) if shape.label else (str(shape.strict), 3)
    if document.has(other, path):
        document.put(other, path, value)
    document.records.append(other)


@_edit(Hostility.MISSING_KEY, "key")
def _missing_key(document: Document, _: Shape) -> None:
    del document.records[0]


@_edit(Hostility.REVERSED, "key")
def _reversed(document: Document, _: Shape) -> None:
    document.records.reverse()


@_edit(Hostility.TEXT_FOR_NUMBER, "strict")
def _text_for_number(document: Document, shape: Shape) -> None:
    _put_first(document, str(shape.strict), CANARY)


@_edit(Hostility.NAN, "strict")
def _nan(document: Document, shape: Shape) -> None:
    _put_first(document, str(shape.strict), "NaN" if shape.dialect is Dialect.XML else float("nan"))


@_edit(Hostility.DECIMAL_COMMA, "strict")
def _decimal_comma(document: Document, shape: Shape) -> None:
    _put_first(document, str(shape.strict), "10,5")


@_edit(Hostility.HUGE_NUMBER, "strict")
def _huge_number(document: Document, shape: Shape) -> None:
    _put_first(document, str(shape.strict), int("9" * 4_000))


@_edit(Hostility.LIST_FOR_VALUE, "strict")
def _list_for_value(document: Document, shape: Shape) -> None:
    if (record := first(document, str(shape.strict))) is not None:
        document.repeat(record, str(shape.strict))


@_edit(Hostility.NULL_FOR_REQUIRED)
def _null_for_required(document: Document, shape: Shape) -> None:
    _put_first(document, shape.required, None)


@_edit(Hostility.UNKNOWN_FIELDS)
def _unknown_fields(document: Document, _: Shape) -> None:
    for record in document.records:
        document.add_unknown(record)


def _lone_object(case: Case) -> Reply:
    document = parse(case.reply.body, case.shape)
    assert isinstance(document, JsonDocument)
    if document.records:
        document.lone()
    return case.with_body(document.render())


answer(Hostility.LONE_OBJECT, _lone_object, lambda shape: shape.dialect is Dialect.JSON and shape.key is not None)


def placed(case: Case, path: str | None, text: bytes) -> bytes:
    """The healthy body, with bytes of any kind in the place of a value (quotes included, in JSON)."""
    place = "the-place-of-it"
    document = parse(case.reply.body, case.shape)
    _put_first(document, path or case.shape.required, place)
    quotes = '"' if case.shape.dialect is Dialect.JSON else ""
    return document.render().replace(f"{quotes}{place}{quotes}".encode(), text)


def _duplicate_members(case: Case) -> Reply:
    # Whoever checks the first and shows the last shows a stranger's data.
    name = str(case.shape.owner).rpartition("/")[2]
    body = placed(case, case.shape.owner, f'"{STRANGER}"'.encode())
    real = parse(case.reply.body, case.shape)
    assert isinstance(real, JsonDocument)
    if not real.records:
        return case.reply
    holder, _ = real._at(real.records[0], str(case.shape.owner))
    both = f'"{name}": "{STRANGER}"'
    return case.with_body(body.replace(both.encode(), f'"{name}": "{holder[name]}", {both}'.encode(), 1))


answer(
    Hostility.DUPLICATE_MEMBERS,
    _duplicate_members,
    lambda shape: shape.dialect is Dialect.JSON and shape.owner is not None,
)
