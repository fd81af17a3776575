"""Documents: parsed and validated once, and what is refused."""

from contextlib import suppress

import pytest

from bff.errors import Code
from bff.schema import graphql_schema
from bff.web import operations
from bff.web.limits import LimitSettings
from bff.web.operations import REMEMBERED, Operations
from bff.web.refusal import RequestRefused


@pytest.fixture(scope="module")
def closed() -> Operations:
    return Operations(graphql_schema(), LimitSettings(), introspection=False)


@pytest.fixture(scope="module")
def opened() -> Operations:
    return Operations(graphql_schema(), LimitSettings(), introspection=True)


def refusal(made: Operations, query: str, name: str | None = None) -> RequestRefused:
    with pytest.raises(RequestRefused) as caught:
        made.find(query, None, name)
    assert caught.value.status == 400
    return caught.value


def test_a_document_is_prepared_once(closed: Operations) -> None:
    assert closed.find("{ __typename }", None, None) is closed.find("{ __typename }", None, None)


def test_a_bad_document_is_remembered_too(monkeypatch: pytest.MonkeyPatch) -> None:
    made = Operations(graphql_schema(), LimitSettings(), introspection=False)
    first = refusal(made, "{ nonsense }")
    monkeypatch.setattr(operations, "validate", None)
    assert refusal(made, "{ nonsense }").errors == first.errors


def test_only_so_many_are_remembered(closed: Operations) -> None:
    for number in range(REMEMBERED + 50):
        closed.find(f"query q{number} {{ __typename }}", None, None)
    assert closed._prepare.cache_info().currsize == REMEMBERED


TWO = "query a { __typename } query b { __typename }"


@pytest.mark.parametrize(("query", "name"), [(TWO, None), (TWO, "c"), ("{ __typename }", "a"), (TWO, "A")])
def test_it_must_be_clear_what_to_run(closed: Operations, query: str, name: str | None) -> None:
    assert refusal(closed, query, name).code is Code.BAD_USER_INPUT


def test_one_of_several_may_be_named(closed: Operations) -> None:
    assert closed.find(TWO, None, "b").name == "b"


@pytest.mark.parametrize(
    "query",
    [
        "",
        "#",
        "{",
        "dashboard }",
        "{ dashboard { profile { displayName } }",
        '{ node(id: "',
        "query { __typename } \x00",
        "{ a(x: \ud800) }",
        "\ufffe{ __typename }",
        "{" + "__typename " * 1_001 + "}",
        "#\n" * 1_001 + "{ __typename }",
        "{" + "a {" * 400 + "b" + "}" * 400 + "}",
        "{" + "... {" * 400 + "__typename" + "}" * 400 + "}",
        "{ node(id: " + "[" * 480 + "]" * 480 + ") { id } }",
    ],
    ids=range(14),
)
def test_what_does_not_parse(closed: Operations, query: str) -> None:
    assert refusal(closed, query).code is Code.GRAPHQL_PARSE_FAILED


NESTED = {
    "fields": ("{ ", "a { ", "b", " }", " }"),
    "inline fragments": ("{ ", "... { ", "__typename", " }", " }"),
    "lists": ("{ node(id: ", "[", "", "]", ") { id } }"),
    "types": ("query q($a: ", "[", "Int", "]", ") { __typename }"),
}


@pytest.mark.parametrize("kind", NESTED)
def test_nesting_is_valid_or_refused_whatever_the_depth(closed: Operations, kind: str) -> None:
    start, opening, middle, closing, end = NESTED[kind]
    for depth in range(40, 260, 12):
        with suppress(RequestRefused):
            closed.find(start + opening * depth + middle + closing * depth + end, None, None)


@pytest.mark.parametrize(
    "query",
    [
        "{ nonsense }",
        "{ dashboard }",
        "{ dashboard { profile } }",
        "{ dashboard { profile { displayName { x } } } }",
        "{ node { id } }",
        "{ node(id: 5.5) { id } }",
        '{ node(id: "x", id: "y") { id } }',
        '{ dashboard { favorites(first: "many") { totalCount } } }',
        "query q($a: Foo) { __typename }",
        "{ ...a } fragment a on Query { ...b } fragment b on Query { ...a }",
        "{ ...a }",
        "{ __typename @nonsense }",
        "{ __typename" + " @skip(if: false)" * 20 + " }",
        "{ dashboard { ... @defer { profile { displayName } } } }",
        "mutation { a }",
        "subscription { a }",
        "type A { b: Int }",
        "extend type Query { b: Int }",
    ],
)
def test_what_is_not_valid(closed: Operations, query: str) -> None:
    refused = refusal(closed, query)
    assert refused.code is Code.GRAPHQL_VALIDATION_FAILED
    assert 1 <= len(refused.errors) <= 6


INTROSPECTION = ["{ __schema { types { name } } }", '{ __type(name: "Query") { name } }']


@pytest.mark.parametrize("query", INTROSPECTION)
def test_introspection_is_off_where_it_is_off(closed: Operations, query: str) -> None:
    refused = refusal(closed, query)
    assert refused.code is Code.GRAPHQL_VALIDATION_FAILED
    assert "introspection has been disabled" in refused.errors[0].message


@pytest.mark.parametrize("query", INTROSPECTION)
def test_introspection_is_on_where_it_is_on(opened: Operations, query: str) -> None:
    opened.find(query, None, None)


MISSPELT = [
    "{ dashbord { profile { displayName } } }",
    '{ node(idd: "x") { id } }',
    "{ node(id: 1) { ... on Ordr { number } } }",
    "query q($first: Itn) { __typename }",
]


@pytest.mark.parametrize("query", MISSPELT)
def test_names_are_suggested_only_where_introspection_is_on(opened: Operations, closed: Operations, query: str) -> None:
    assert "Did you mean" in str(refusal(opened, query).errors)
    assert "Did you mean" not in str(refusal(closed, query).errors)
