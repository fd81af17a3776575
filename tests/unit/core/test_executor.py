"""
Our executor against graphql-core's own: the same answers and errors, in the same order, the second time as well.

What is done side by side may be begun in another order; mutations may not.
"""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest
import strawberry
from graphql import ExecutionResult, Executor, OperationDefinitionNode, execute, parse, validate

from bff.schema.build import graphql_schema
from bff.schema.fields import Attribute, class_of, shorten_resolvers
from bff.web.executor import Fragments, OperationExecutor, conditions_of
from tests.patience import PATIENCE_SECONDS
from tests.unit.core.boxes import ODD, Diary, Stone, Thing, schema_of

THEIRS = schema_of()
OURS = schema_of()
shorten_resolvers(OURS)

PLAIN = "label size weight fresh id madeOn colour coin { amount side } spare { side } coins { amount __typename } grid"
DEEP = f"{{ __typename {PLAIN} inner {{ {PLAIN} inner {{ {PLAIN} }} }} }}"


def shown(result: ExecutionResult) -> tuple[str, list[Any]]:
    errors = [
        (error.message, error.path, error.locations, type(error.original_error), str(error.original_error))
        for error in result.errors or ()
    ]
    return json.dumps(result.data), errors


async def theirs(text: str, variables: dict[str, Any], name: str | None) -> tuple[Any, list[str]]:
    diary = Diary()
    result = execute(
        THEIRS, parse(text), context_value=diary, variable_values=variables, operation_name=name,
        hide_suggestions=True, executor_class=Executor,
    )  # fmt: skip
    return shown(result if isinstance(result, ExecutionResult) else await result), diary.did


async def ours(executor: OperationExecutor, variables: dict[str, Any]) -> tuple[Any, list[str]]:
    diary = Diary()
    result = executor.run(diary, variables)
    return shown(result if isinstance(result, ExecutionResult) else await result), diary.did


def prepared(text: str, name: str | None = None) -> OperationExecutor:
    document = parse(text)
    assert validate(OURS, document) == []
    operations = [each for each in document.definitions if isinstance(each, OperationDefinitionNode)]
    (operation,) = (each for each in operations if name is None or (each.name and each.name.value == name))
    return OperationExecutor(OURS, operation, Fragments.of(document), hide_suggestions=True)


def same(text: str, *variables: dict[str, Any], name: str | None = None) -> None:
    """Ask with each of the variables in turn, twice over, one executor for all: the answers are the library's."""
    executor = prepared(text, name)
    order: Callable[[list[str]], list[str]] = list if text.lstrip().startswith("mutation") else sorted

    async def ask() -> None:
        for each in (variables or ({},)) * 2:
            answer, did = await ours(executor, each)
            their_answer, they_did = await theirs(text, each, name)
            assert answer == their_answer
            assert order(did) == order(they_did)

    asyncio.run(ask())


@pytest.mark.parametrize(
    "text",
    [
        f"{{ box {DEEP} }}",
        '{ __typename box { a: label b: label c: __typename slow d: slow } second: box(label: "z") { label quick } }',
        "{ boxes(many: 2) { label slow coin { amount } quick } boxes(many: 2) { coin { side } size } }",
        "{ boxes { label ...B ... on Box { size ...B } } box { ...B } }"
        " fragment B on Box { coin { ...C } inner { label } } fragment C on Coin { amount side }",
        "{ boxes(many: 0) { label } box { label @skip(if: true) size @include(if: true)"
        " coin @include(if: false) { side } } }",
        "{ box { label broken size } boxes { label } }",
        "{ sure { label broken } box { slow } }",
        "{ box { inner { label fragile inner { broken } } fragile coins { amount } slow } }",
        "{ boxes { label fragile slow } two: boxes { broken quick } }",
        '{ thing(name: "stone") { name ... on Stone { weight } ... on Leaf { madeAt } __typename } other: '
        'thing(name: "leaf") { ... on Thing { name } ... on Leaf { madeAt } } neither: thing(name: "") { name } }',
        "{ things { name __typename ... on Stone { weight } ... on Leaf { madeAt } } }",
        '{ by(key: { word: "w" }) two: by(key: { number: 2 }) }',
        "{ __schema { queryType { name fields { name args { defaultValue } } } }"
        ' __type(name: "Box") { kind name } box { label } }',
        'mutation { a: write(what: "a") { label slow } b: write(what: "b") { coin { amount } } }',
        'mutation { a: write(what: "a") { label } b: write(what: "wrong") { label } c: write(what: "c") { label } }',
    ],
)
def test_answers_are_those_of_the_library(text: str) -> None:
    same(text)


@pytest.mark.parametrize("kind", ODD)
def test_what_is_not_as_it_should_be_is_told_as_the_library_does(kind: str) -> None:
    text = f'query ($kind: String!) {{ odd(kind: $kind) {DEEP} fine: odd(kind: "fine") {DEEP} }}'
    same(text, {"kind": kind}, {"kind": "fine"}, {"kind": kind})


def test_errors_of_many_come_in_the_library_s_order() -> None:
    text = f"""
        query ($kinds: [String!]!) {{
          odds(kinds: $kinds) {DEEP}
          two: odds(kinds: $kinds) {{ slow coin {{ side amount }} size }}
        }}
    """
    same(text, {"kinds": list(ODD)}, {"kinds": ["fine", "fine"]}, {"kinds": list(reversed(ODD))})


def test_variables_decide_anew_what_is_asked() -> None:
    text = """
        query ($a: Boolean!, $b: Boolean = true, $c: Boolean! = false, $label: String = "v") {
          box(label: $label) {
            label @include(if: $a)
            coin @skip(if: $a) { amount side @include(if: $b) }
            ...B @include(if: $c)
            ... @skip(if: $b) { size slow }
          }
          more: boxes(many: 2) { ...B }
        }
        fragment B on Box { coins { amount @skip(if: $c) __typename } inner @include(if: $b) { label } fresh }
    """
    flags = [(a, b, c) for a in (True, False) for b in (True, False) for c in (True, False)]
    same(
        text,
        *({"a": a, "b": b, "c": c, "label": f"{a}"} for a, b, c in flags),
        {"a": True},
        {"a": False, "b": None},
        {"a": True, "c": True},
        {"a": None},
        {},
        {"a": True, "b": "x"},
    )


def test_a_condition_that_is_null_is_told_where_it_stands() -> None:
    text = "query ($b: Boolean = true) { box { label coin { side @skip(if: $b) } coins { amount @include(if: $b) } } }"
    same(text, {"b": None}, {}, {"b": None}, {"b": False})


def test_conditions_are_found_wherever_they_stand() -> None:
    executor = prepared(
        "query One($a: Boolean!, $b: Boolean!, $n: Int) { boxes(many: $n) { label @skip(if: $a) ...B } }"
        " query Two($b: Boolean!) { box { ...B } }"
        " fragment B on Box { inner { ... @include(if: $b) { coin { side } } } }",
        "One",
    )
    assert conditions_of(executor.operation) == {"a"}
    assert conditions_of(executor.operation, *executor.fragment_definitions.values()) == {"a", "b"}


def test_fields_are_collected_again_only_where_conditions_change() -> None:
    executor = prepared("query ($a: Boolean!, $n: Int) { boxes(many: $n) { label @skip(if: $a) quick } }")

    def known(**variables: object) -> int:
        assert isinstance(executor.run(Diary(), variables), ExecutionResult)
        return id(executor._known)

    first = known(a=True, n=1)
    kept = executor._known
    assert known(a=True, n=5) == first
    assert known(a=False, n=5) != first
    assert kept is not executor._known


def test_one_execution_does_not_see_what_another_asks() -> None:
    text = "query ($a: Boolean!) { boxes { slow coin @include(if: $a) { amount } size @skip(if: $a) } }"
    executor = prepared(text)
    variables = [{"a": n % 2 == 0} for n in range(6)]

    async def ask() -> None:
        answers = await asyncio.gather(*(ours(executor, each) for each in variables))
        assert answers == [await theirs(text, each, None) for each in variables]

    asyncio.run(ask())


def test_variables_that_are_wrong_are_told_as_the_library_does() -> None:
    text = """
        query ($kind: String!, $many: Int, $key: Key = { word: "d" }) {
          odd(kind: $kind) { label }
          boxes(many: $many) { label }
          by(key: $key) }
    """
    same(
        text,
        {},
        {"kind": 5, "many": "x"},
        {"kind": "fine", "many": None},
        {"kind": "fine"},
        {"kind": "fine", "key": {"word": "x", "number": 1}},
        {"kind": "fine", "key": {"wrod": "x"}},
    )


def test_an_operation_is_found_by_its_name() -> None:
    text = "query A { box { label } } query B { boxes { size } }"
    same(text, name="A")
    same(text, name="B")


@pytest.mark.parametrize("fields", ["broken slow", "never broken"], ids=["first", "last"])
def test_siblings_of_an_error_are_given_up(fields: str) -> None:
    executor = prepared(f"{{ sure {{ {fields} }} }}")

    async def ask() -> None:
        result = executor.run(Diary(), {})
        assert not isinstance(result, ExecutionResult)
        async with asyncio.timeout(PATIENCE_SECONDS):
            assert [error.message for error in (await result).errors or ()] == ["broken sure"]
        assert len(asyncio.all_tasks()) == 1

    asyncio.run(ask())


def test_who_is_given_up_gives_up_all_fields() -> None:
    executor = prepared("{ a: box { slow } b: box { slow } }")

    async def ask() -> None:
        diary = Diary()
        result = executor.run(diary, {})
        assert not isinstance(result, ExecutionResult)
        asking = asyncio.ensure_future(result)
        while not diary.did:  # noqa: ASYNC110 (nobody else could say so)
            await asyncio.sleep(0)
        asking.cancel()
        await asyncio.wait([asking])
        assert asking.cancelled()
        assert len(asyncio.all_tasks()) == 1

    asyncio.run(ask())


def test_a_type_that_says_itself_what_it_is_is_left_to_the_library() -> None:
    @strawberry.type
    class Own(Thing):
        @classmethod
        def is_type_of(cls, obj: object, info: object) -> bool:
            return True

    schema = schema_of(Own)
    assert class_of(schema.type_map["Own"]) is None  # type: ignore[arg-type]
    assert class_of(schema.type_map["Stone"]) is Stone  # type: ignore[arg-type]


def test_the_service_s_attributes_are_known_as_such() -> None:
    fields = graphql_schema().type_map["Order"].fields  # type: ignore[attr-defined]
    assert {name for name, each in fields.items() if not isinstance(each.resolve, Attribute)} == set()
