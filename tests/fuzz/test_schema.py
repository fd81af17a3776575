"""Thousands of operations that nobody wrote, against a running cabinet: each answer is as the schema says."""

from collections.abc import Callable, Iterator
from itertools import cycle
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from graphql import build_schema, lexicographic_sort_schema, parse, print_schema
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from bff.demo.faults import Failure
from bff.demo.launch import DemoOffices
from tests.fuzz.answers import faults
from tests.fuzz.asking import CUSTOMERS, Asker, bad_tokens
from tests.fuzz.cabinet import RunningCabinet
from tests.fuzz.operations import Known, Operation, invalid, kinds, valid
from tests.fuzz.replies import Reply

FILE = Path(__file__).parents[2] / "schema.graphql"
SCHEMA = build_schema(FILE.read_text(encoding="utf-8"))

CUSTOMERS_OPERATIONS = 1_200
GUESTS_OPERATIONS = 200
INVALID_OPERATIONS = 300
STRANGERS_OPERATIONS = 150
OPERATIONS_IN_TROUBLE = 250
SCHEMATHESIS_OPERATIONS = 270
"""How many of each are made; more than 2,000 together."""

STAFF = {"customerDashboard"}
"""Where customers are FORBIDDEN, and so is all that stands beside it: then little else would come."""

SHARES = {"query": 1.0, "mutation": 0.2}
"""Of the numbers above, by the kind of operation: there are fewer mutations, with less to choose from in each."""


def many(number: int) -> settings:
    """The same ones each time, however slow the machine is."""
    return settings(
        max_examples=number,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
        report_multiple_bugs=False,
    )


def part(number: int, kind: str) -> int:
    return int(number * SHARES[kind])


def judge(reply: Reply, operation: Operation) -> None:
    """Fail with the request and the answer where anything is wrong."""
    found = reply.faults()
    if not found:
        found = faults(SCHEMA, parse(operation.query), reply.answer, operation.variables)
    assert not found, f"{found}\n{operation}\n{reply.status} {reply.body.decode(errors='replace')}"


def ask(asker: Asker, operation: Operation, token: str | None) -> Reply:
    return asker.ask(operation.query, operation.variables, token, accept_language="en")


def run(number: int, operations: st.SearchStrategy[Operation], each: Callable[[Operation], Reply]) -> list[Reply]:
    """Make that many operations, others for each number, and have each asked; what was answered."""
    replies: list[Reply] = []

    @seed(number)
    @many(number)
    @given(operations)
    def go(operation: Operation) -> None:
        reply = each(operation)
        judge(reply, operation)
        replies.append(reply)

    go()
    assert len(replies) >= number
    return replies


def executed(replies: list[Reply]) -> int:
    return sum("data" in reply.answer for reply in replies)


@pytest.mark.parametrize("kind", kinds(SCHEMA))
def test_customers_get_what_the_schema_says(kind: str, asker: Asker, known: Known) -> None:
    tokens = cycle([asker.good_token(customer) for customer in CUSTOMERS])
    number = part(CUSTOMERS_OPERATIONS, kind)
    replies = run(number, valid(SCHEMA, kind, known, without=STAFF), lambda made: ask(asker, made, next(tokens)))
    assert executed(replies) > 0.8 * len(replies), "hardly anything was run: then nothing is shown"
    if kind == "query":
        assert sum(not reply.codes for reply in replies) > 0.2 * len(replies), "hardly anything came without an error"


@pytest.mark.parametrize("kind", kinds(SCHEMA))
def test_guests_get_what_the_schema_says(kind: str, asker: Asker, known: Known) -> None:
    replies = run(part(GUESTS_OPERATIONS, kind), valid(SCHEMA, kind, known), lambda made: ask(asker, made, None))
    assert executed(replies) > 0.8 * len(replies)


@pytest.mark.parametrize("kind", kinds(SCHEMA))
def test_with_a_bad_token_nothing_is_run_whatever_it_is(kind: str, asker: Asker, known: Known) -> None:
    tokens = cycle(bad_tokens().values())
    number = part(STRANGERS_OPERATIONS, kind)
    replies = run(number, valid(SCHEMA, kind, known), lambda made: ask(asker, made, next(tokens)))
    assert {reply.status for reply in replies} == {401}
    assert len({reply.body for reply in replies}) == 1, "what is wrong with a token is told to nobody"
    assert replies[0].codes == {"UNAUTHENTICATED"}


@pytest.mark.parametrize("kind", kinds(SCHEMA))
def test_what_the_schema_does_not_allow_is_refused(kind: str, asker: Asker) -> None:
    token = asker.good_token(CUSTOMERS[0])
    replies = run(part(INVALID_OPERATIONS, kind), invalid(SCHEMA, kind), lambda made: ask(asker, made, token))
    assert executed(replies) == 0
    # How long a page may be is looked at before what else is wrong.
    assert set.union(*(reply.codes for reply in replies)) <= {"GRAPHQL_VALIDATION_FAILED", "BAD_USER_INPUT"}


@pytest.fixture
def trouble(offices: DemoOffices) -> Iterator[None]:
    """Each back office fails in its own way."""
    failures: tuple[Failure, ...] = ("fault", "500", "malformed")
    for office, failure in zip(offices, failures, strict=True):
        office.faults(fail=failure)
    yield
    for office in offices:
        office.faults()


@pytest.mark.usefixtures("trouble")
@pytest.mark.parametrize("kind", kinds(SCHEMA))
def test_what_is_broken_behind_it_breaks_no_answer(kind: str, new_cabinet: Asker, known: Known) -> None:
    tokens = cycle([new_cabinet.good_token(customer) for customer in CUSTOMERS])
    number = part(OPERATIONS_IN_TROUBLE, kind)
    replies = run(number, valid(SCHEMA, kind, known, without=STAFF), lambda made: ask(new_cabinet, made, next(tokens)))
    assert executed(replies) > 0.8 * len(replies)
    if kind == "query":
        assert sum(bool(reply.codes) for reply in replies) > 0.5 * len(replies), "there was hardly any trouble"


@pytest.fixture(scope="module")
def served(cabinet: RunningCabinet) -> schemathesis.BaseSchema:
    """The schema as Schemathesis reads it: by introspection, from the cabinet itself."""
    return schemathesis.graphql.from_url(f"{cabinet.address}/graphql")


def test_the_served_schema_is_the_one_in_git(served: Any) -> None:
    came, kept = (print_schema(lexicographic_sort_schema(schema)) for schema in (served.client_schema, SCHEMA))
    # Schemathesis does not ask which inputs are `@oneOf`; tests/http/test_scanner.py does.
    assert came == kept.replace(" @oneOf", "")


def test_what_schemathesis_makes_is_answered_as_the_schema_says(served: Any, asker: Asker) -> None:
    # Its own check of GraphQL takes every entry of `errors` for a broken server; ours tell the two apart.
    tokens = cycle([None, *(asker.good_token(customer) for customer in CUSTOMERS)])
    # And of `@oneOf`, which mutations use, it knows nothing.
    made = served.include(name_regex=r"^Query\.").as_strategy().map(lambda case: Operation(case.body))
    replies = run(SCHEMATHESIS_OPERATIONS, made, lambda operation: ask(asker, operation, next(tokens)))
    # Half of the pages that it asks for are longer than they may be.
    assert executed(replies) > 0.5 * len(replies)
