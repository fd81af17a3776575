"""Requests leave nothing for the garbage collector: its pauses are everybody's."""

import gc
from collections.abc import Iterator

import pytest
from graphql import Executor, GraphQLError
from graphql.execution.executor import CollectedErrors

from bff.resolvers.context import Context
from tests.http.front import DASHBOARD, Front
from tests.patience import until

OF_AN_EXECUTION = (Executor, CollectedErrors, Context, GraphQLError)


@pytest.fixture
def no_collections() -> Iterator[None]:
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def alive() -> int:
    return sum(isinstance(each, OF_AN_EXECUTION) for each in gc.get_objects())


@pytest.mark.parametrize(
    "query",
    [
        DASHBOARD,
        "query ($yes: Boolean = true) { shop { name @include(if: $yes) sections } dashboard { __typename } }",
        '{ node(id: "T3JkZXI6bm9uZQ==") { id ... on Order { number } } }',
        '{ node(id: "not an id") { id } shop { name } }',
        '{ customerDashboard(id: "c-1002") { profile { displayName } } shop { name } }',
        "{ dashboard { favorites(first: 5000) { totalCount } profile { displayName } } }",
        "mutation { signOut { signedOut userErrors { message } } }",
        "mutation { signOutEverywhere { signedOut } }",
        'mutation { requestSignInCode(input: {contact: {email: "no address"}}) { userErrors { message } } }',
    ],
)
def test_nothing_of_an_execution_is_left(front: Front, no_collections: None, query: str) -> None:
    front.ask(query)
    before = alive()
    for _ in range(5):
        front.ask(query)

    # The service, in a thread of this process, may still be at the end of the last one.
    until(lambda: alive() <= before, "an execution is still there")
