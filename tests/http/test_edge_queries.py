"""Bad inputs, group B: abuse of queries is refused before any resolver runs."""

from collections.abc import Iterator

import pytest
from graphql import get_introspection_query

from bff.app import assemble
from bff.demo.launch import DemoOffices
from bff.demo.run import demo_headers, demo_settings, serving
from bff.web.graphiql_page import READY_QUERY
from tests.http.conftest import COLD
from tests.http.edge import Edge, Reply

GRAPHQL_JSON = "application/graphql-response+json"


@pytest.fixture(scope="module")
def address(running_offices: DemoOffices) -> Iterator[str]:
    production = {"graphiql": False, "introspection": False}
    with serving(assemble(demo_settings(running_offices, over=COLD, **production))) as address:
        yield address


@pytest.fixture
def edge(address: str, offices: DemoOffices) -> Iterator[Edge]:
    """The cabinet with a shop's settings; whatever the test did, nobody was asked."""
    yield Edge(address)
    assert [office.calls() for office in offices] == [{}, {}, {}]


def refused(edge: Edge, query: str, code: str, **more: object) -> Reply:
    """Ask as a customer. Clients that know only the older media type get 200, the others 400."""
    older, newer = (
        edge.post({"query": query, **more}, Accept=accept, **demo_headers())
        for accept in ("application/json", GRAPHQL_JSON)
    )
    assert (older.status, newer.status) == (200, 400)
    assert older.codes == newer.codes == {code}
    assert "data" not in older.json | newer.json
    return newer


def fields(number: int, name: str = "dashboard { profile { displayName } }") -> str:
    return "{" + " ".join(f"a{each}: {name}" for each in range(number)) + "}"


NAMES = "fragment names on Profile { " + " ".join(f"a{each}: phone" for each in range(5)) + " }"
CHAIN = " ".join(
    f"fragment f{each} on Query {{ ...f{each + 1} ... on Query {{ ...f{each + 1} }} }}" for each in range(20)
)
DEEP = "{ dashboard { lastOrder { lines { product { " + "a { " * 400 + "b" + " }" * 404 + "}"
CIRCLE = "fragment a on Dashboard { lastOrder { ...b } } fragment b on Order { lines { product { ...c } } } "

ABUSE = {
    "1,000 aliases": (fields(1_000), "GRAPHQL_PARSE_FAILED"),
    "16 aliases": (fields(4, "dashboard { b: profile { c: phone d: email e: phone } }"), "QUERY_TOO_COMPLEX"),
    "aliases through fragments": (
        "{ dashboard { profile { ...names } lastOrder { number } } "
        "x: dashboard { profile { ...names } } y: dashboard { profile { ...names } } } " + NAMES,
        "QUERY_TOO_COMPLEX",
    ),
    "11 root fields": ("{" + " ".join(f"n{each}: __typename" for each in range(11)) + "}", "QUERY_TOO_COMPLEX"),
    "a fragment cycle": (
        "{ ...a } fragment a on Query { ...b } fragment b on Query { ...a }",
        "GRAPHQL_VALIDATION_FAILED",
    ),
    "a fragment cycle through fields": (
        "{ dashboard { ...a } } fragment a on Dashboard { lastOrder { ...b } } fragment b on Order { lines { ...b } }",
        "QUERY_TOO_DEEP",
    ),
    "fragments that double": ("{ ...f0 } " + CHAIN + " fragment f20 on Query { __typename }", "QUERY_TOO_DEEP"),
    "depth 400": (DEEP, "GRAPHQL_PARSE_FAILED"),
    "depth 100": ("{" + "dashboard { a { " * 50 + "b" + " } }" * 50 + "}", "QUERY_TOO_DEEP"),
    "depth 11": ("{" + "a { " * 10 + "b" + " }" * 10 + "}", "QUERY_TOO_DEEP"),
    "3,000 duplicate fields": ("{" + "dashboard { profile { displayName } } " * 600 + "}", "GRAPHQL_PARSE_FAILED"),
    "900 times __typename": ("{" + "__typename " * 900 + "}", "QUERY_TOO_COMPLEX"),
    "900 times __typename in a section": (
        "{ dashboard { " + "__typename " * 900 + " } }",
        "QUERY_TOO_COMPLEX",
    ),
    "900 times __typename in a fragment that nobody spreads": (
        "{ __typename } fragment unused on Query { " + "__typename " * 900 + " }",
        "QUERY_TOO_COMPLEX",
    ),
    "140 duplicate sections": ("{" + "dashboard { profile { displayName } } " * 140 + "}", "QUERY_TOO_COMPLEX"),
    "nested inline fragments": (
        "{" + "... { " * 150 + "dashboard { profile { phone } }" + " }" * 150 + "}",
        "QUERY_TOO_DEEP",
    ),
    "5,000 directives": ("{ __typename" + " @skip(if: false)" * 5_000 + " }", "TOO_LARGE"),
    "900 directives": ("{ dashboard" + " @a" * 450 + " { __typename } }", "QUERY_TOO_COMPLEX"),
    "directives through fragments": (
        "{ dashboard { ...d } x: dashboard { ...d } y: dashboard { ...d } } "
        "fragment d on Dashboard { profile { phone " + "@include(if: true) " * 7 + "} }",
        "QUERY_TOO_COMPLEX",
    ),
    "padding by comments": ("#\n" * 20_000 + "{ __typename }", "GRAPHQL_PARSE_FAILED"),
    "20,000 unknown fields": ("{" + " ".join(f"x{each}" for each in range(9_500)) + "}", "GRAPHQL_PARSE_FAILED"),
    "8 unknown fields": ("{" + " ".join(f"x{each}" for each in range(8)) + "}", "GRAPHQL_VALIDATION_FAILED"),
    "introspection": (get_introspection_query(), "GRAPHQL_VALIDATION_FAILED"),
    "circular introspection": (
        "{ __schema { types { fields { type { fields { type { fields { type { name } } } } } } } } }",
        "GRAPHQL_VALIDATION_FAILED",
    ),
    "a page of 2147483647": ("{ dashboard { favorites(first: 2147483647) { totalCount } } }", "BAD_USER_INPUT"),
    "a page of 60,000 digits": (
        f"{{ dashboard {{ favorites(first: {'9' * 60_000}) {{ totalCount }} }} }}",
        "BAD_USER_INPUT",
    ),
    "a page of 101": ("{ dashboard { offers(first: 101) { totalCount } } }", "BAD_USER_INPUT"),
    "a negative page": ("{ dashboard { favorites(first: -1) { totalCount } } }", "BAD_USER_INPUT"),
    "a page too large by default": (
        "query q($n: Int! = 1000) { dashboard { favorites(first: $n) { totalCount } } }",
        "BAD_USER_INPUT",
    ),
    "a list of 1,000 ids in the document": (
        "{ node(id: [" + '"a" ' * 800 + "]) { id } }",
        "BAD_USER_INPUT",
    ),
    "pages within pages": (
        "{" + " ".join(
            f"a{each}: dashboard {{ favorites(first: 100) {{ nodes {{ id name price {{ amount }} }} }} "
            f"offers(first: 100) {{ edges {{ node {{ id title kind url }} }} }} }}"
            for each in range(6)
        ) + "}",
        "QUERY_TOO_COMPLEX",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", ABUSE)
def test_abuse_is_refused_before_any_resolver_runs(edge: Edge, name: str) -> None:
    query, code = ABUSE[name]
    if code == "TOO_LARGE":
        reply = edge.post({"query": query}, **demo_headers())
        assert (reply.status, reply.codes) == (413, {code})
    else:
        refused(edge, query, code)


def test_an_array_batch_is_no_request(edge: Edge) -> None:
    one = b'{"query": "{ dashboard { profile { phone } } }"}'
    reply = edge.post(b"[" + b", ".join([one] * 10) + b"]", **demo_headers())
    assert (reply.status, reply.codes) == (400, {"BAD_USER_INPUT"})


def test_two_operations_and_no_name_run_neither(edge: Edge) -> None:
    two = "query a { dashboard { profile { phone } } } query b { dashboard { profile { email } } }"
    reply = edge.post({"query": two}, **demo_headers())
    assert (reply.status, reply.codes) == (400, {"BAD_USER_INPUT"})


PAGE = "query q($first: Int!) { dashboard { favorites(first: $first) { totalCount } } }"


@pytest.mark.parametrize("first", [2_147_483_647, 101, -1, -2_147_483_648])
def test_a_page_of_a_senseless_size_by_a_variable(edge: Edge, first: int) -> None:
    reply = refused(edge, PAGE, "BAD_USER_INPUT", variables={"first": first})
    assert reply.json["errors"][0]["message"] == "first must be between 0 and 100"


def test_a_list_of_1_000_ids_in_variables(edge: Edge) -> None:
    ids = [f"id-{number}" for number in range(1_000)]
    query = "query q($id: ID!) { node(id: $id) { id } }"
    for variables in ({"id": ids}, {"id": {"ids": ids}}, {"id": "x", "more": [{"ids": ids}]}):
        refused(edge, query, "BAD_USER_INPUT", variables=variables)


SIZED = """query q($n: Int!, $m: Int = 100) {
  a: dashboard { favorites(first: $n) { nodes { id name url price { amount currency } } edges { node { id name } } } }
  b: dashboard { offers(first: $m) { ...offers } }
  c: dashboard { offers(first: $n) { ...offers } }
  d: dashboard { offers(first: $n) { ...offers } }
  e: dashboard { offers(first: $n) { ...offers } }
}
fragment offers on OfferConnection {
  nodes { id title kind url imageUrl promoCode } edges { cursor node { id title kind url } }
}"""


def test_what_an_operation_costs_depends_on_its_variables(edge: Edge, offices: DemoOffices) -> None:
    reply = refused(edge, SIZED, "QUERY_TOO_COMPLEX", variables={"n": 100})
    assert "and 5000 is the most" in reply.json["errors"][0]["message"]
    reply = edge.post({"query": SIZED, "variables": {"n": 1}}, **demo_headers())
    assert reply.json["data"]["a"]["favorites"]["nodes"]
    for office in offices:
        office.reset()


def test_nothing_is_suggested_and_nothing_introspected(edge: Edge) -> None:
    reply = refused(edge, "{ dashbord { profile { displayName } } }", "GRAPHQL_VALIDATION_FAILED")
    assert b"Did you mean" not in reply.body
    assert b"dashboard" not in reply.body


ORDINARY = {
    "the ready query": READY_QUERY,
    "the largest pages": """{ dashboard {
        favorites(first: 100) { totalCount nodes { id name url imageUrl price { amount currency } available }
                                pageInfo { hasNextPage hasPreviousPage startCursor endCursor } }
        offers(first: 100) { totalCount nodes { id kind title description imageUrl url promoCode startsOn endsOn } }
    } }""",
    "fields of many fragments": "{ dashboard { profile { ...a ...b ...c phone } } } "
    + " ".join(f"fragment {name} on Profile {{ displayName phone email }}" for name in "abc"),
    "ten root fields": "{" + " ".join(f"a{each}: __typename" for each in range(10)) + "}",
}


@pytest.mark.parametrize("name", ORDINARY)
def test_what_front_ends_ask_is_executed(address: str, offices: DemoOffices, name: str) -> None:
    reply = Edge(address).post({"query": ORDINARY[name]}, **demo_headers())
    assert "errors" not in reply.json
    assert reply.json["data"]


def test_graphiql_can_introspect_in_development(cabinet_address: str) -> None:
    queries = (
        get_introspection_query(),
        get_introspection_query(specified_by_url=True, directive_is_repeatable=True, input_value_deprecation=True),
    )
    for query in queries:
        reply = Edge(cabinet_address).post({"query": query, "operationName": "IntrospectionQuery"})
        assert "errors" not in reply.json
        assert reply.json["data"]["__schema"]["queryType"] == {"name": "Query", "kind": "OBJECT"} or reply.json["data"]
    reply = Edge(cabinet_address).post({"query": ABUSE["circular introspection"][0]})
    assert reply.codes == {"GRAPHQL_VALIDATION_FAILED"}
