"""The checker of answers has teeth: each of these is nearly right."""

from copy import deepcopy
from typing import Any

import orjson
import pytest
from graphql import build_schema, parse

from tests.fuzz.answers import faults
from tests.fuzz.replies import Reply

SCHEMA = build_schema("""
  scalar Decimal scalar Date scalar DateTime
  enum Kind { BIG SMALL }
  interface Thing { id: ID! }
  type Book implements Thing { id: ID! title: String! kind: Kind day: Date }
  type Pen implements Thing { id: ID! price: Decimal at: DateTime }
  type Query { thing: Thing things: [Thing!]! count: Int! wide: Boolean }
""")
QUERY = """
  query ($no: Boolean!) {
    things { id ...B ... on Pen { price at } } n: count thing @skip(if: $no) { id } wide @include(if: $no)
  }
  fragment B on Book { __typename title kind day }
"""
BOOK = {"id": "1", "__typename": "Book", "title": "A", "kind": "BIG", "day": "2026-11-21"}
PEN = {"id": "2", "price": "1.50", "at": "2026-11-21T10:00:00+03:00"}
ANSWER: dict[str, Any] = {"data": {"things": [BOOK, PEN], "n": 2, "wide": None}}
ERROR = {"message": "No.", "path": ["wide"], "extensions": {"code": "UNAVAILABLE"}}


def found(answer: Any, query: str = QUERY) -> list[str]:
    return faults(SCHEMA, parse(query), answer, {"no": True})


def changed(place: str, value: Any) -> dict[str, Any]:
    """The right answer but for one value; ``things.0.title`` is a place. ``...`` takes it away."""
    answer = deepcopy(ANSWER)
    *steps, last = (int(step) if step.isdigit() else step for step in place.split("."))
    inner: Any = answer["data"]
    for step in steps:
        inner = inner[step]
    if value is ...:
        del inner[last]
    else:
        inner[last] = value
    return answer


def test_what_is_right_is_right() -> None:
    assert found(ANSWER) == []
    assert found({**ANSWER, "errors": [ERROR]}) == []
    assert found({"data": None, "errors": [ERROR]}) == []
    assert found({"errors": [{"message": "No.", "extensions": {"code": "BAD_USER_INPUT"}}]}) == []


@pytest.mark.parametrize(
    ("place", "value"),
    [
        ("n", None),
        ("n", "2"),
        ("n", 2.0),
        ("n", True),
        ("n", 2**31),
        ("n", ...),
        ("more", 1),
        ("thing", {"id": "1"}),
        ("things", None),
        ("things", {}),
        ("things.0", None),
        ("things.0", []),
        ("things.0.id", 1),
        ("things.0.__typename", "Pen"),
        ("things.0.title", None),
        ("things.0.title", ...),
        ("things.0.kind", "TINY"),
        ("things.0.kind", 1),
        ("things.0.day", "2026-11-31"),
        ("things.0.day", "20261121"),
        ("things.1.price", "1,50"),
        ("things.1.price", 1.5),
        ("things.1.at", "2026-11-21T10:00:00"),
        ("things.1.title", "A"),
        ("wide", 1),
    ],
)
def test_what_does_not_fit_the_schema_is_found(place: str, value: Any) -> None:
    assert found(changed(place, value)) != []


def test_fields_come_in_the_order_that_was_asked_for() -> None:
    data = ANSWER["data"]
    assert found({"data": {"n": data["n"], "things": data["things"], "wide": None}}) != []


@pytest.mark.parametrize(
    "answer",
    [
        None,
        [],
        {},
        {"data": None},
        {**ANSWER, "more": 1},
        {**ANSWER, "errors": []},
        {**ANSWER, "errors": [{**ERROR, "message": ""}]},
        {**ANSWER, "errors": [{**ERROR, "path": ["wider"]}]},
        {**ANSWER, "errors": [{**ERROR, "path": ["things", 2]}]},
        {**ANSWER, "errors": [{**ERROR, "extensions": {}}]},
        {**ANSWER, "errors": [{**ERROR, "extensions": {"code": "INTERNAL"}}]},
        {**ANSWER, "errors": [{**ERROR, "extensions": {"code": "MADE_UP"}}]},
        {**ANSWER, "errors": [{**ERROR, "trace": []}]},
        {**ANSWER, "errors": [{"message": "No.", "extensions": {"code": "UNAVAILABLE"}}]},
        {"errors": [ERROR]},
    ],
)
def test_an_answer_of_another_form_is_found(answer: Any) -> None:
    assert found(answer) != []


GOOD = {"cache-control": "private, no-store", "content-type": "application/json"}


def reply(text: str = "No.", code: str = "NOT_FOUND", status: int = 200, **headers: str) -> Reply:
    body = orjson.dumps({"errors": [{"message": text, "extensions": {"code": code}}]})
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Reply("", status, {**GOOD, **named}, body)


def test_a_refusal_with_a_code_is_right() -> None:
    assert reply().faults() == []
    assert reply("Cannot query field 'self_made' on type 'Query'.", "GRAPHQL_VALIDATION_FAILED").faults() == []


@pytest.mark.parametrize(
    "wrong",
    [
        reply(status=500),
        reply(code="INTERNAL"),
        reply(code="MADE_UP"),
        reply(""),
        reply(cache_control="max-age=60"),
        reply(content_type="text/html"),
        Reply("", 200, GOOD, b"<html>"),
        Reply("", 200, GOOD, b"[]"),
        Reply("", 400, GOOD, b"{}"),
        reply("KeyError: 'id'"),
        reply("'NoneType' object has no attribute 'id'"),
        reply("Traceback (most recent call last)"),
        reply("<bff.domain.Order object at 0x7f01>"),
        reply("bff.http said no"),
        reply("cannot connect to 127.0.0.1:8001"),
        reply("the token eyJhbGciOiJIUzI1NiJ9 is wrong"),
    ],
)
def test_what_nobody_should_read_is_found(wrong: Reply) -> None:
    assert wrong.faults() != []
