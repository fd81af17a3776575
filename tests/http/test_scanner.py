"""
What a security scanner sees: of `kabinet serve` with what it has by itself, and of `kabinet demo`.

Most of what such scanners look for is here by the names that they have for it. Both run as processes of their own.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from graphql import (
    build_client_schema,
    build_schema,
    get_introspection_query,
    lexicographic_sort_schema,
    print_schema,
)

from bff.demo.launch import DemoOffices
from bff.demo.run import demo_token
from bff.web.graphiql_page import BUILD
from tests.fuzz.cabinet import RunningCabinet, command, running
from tests.fuzz.replies import Reply

SCHEMA_FILE = Path(__file__).parents[2] / "schema.graphql"
NEWER = "application/graphql-response+json"
TYPENAME = '{"query": "{ __typename }"}'
SECONDS = 60.0


def _as_it_is_by_itself(text: str) -> str:
    """A shop's file that says nothing about the server and its limits: then everything is as in production."""
    edited = re.sub(r"^\[(?:server|limits)\]\n.*?(?=^\[)", "", text, flags=re.MULTILINE | re.DOTALL)
    assert "introspection" not in edited
    return edited


@pytest.fixture(scope="module")
def production(running_offices: DemoOffices, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningCabinet]:
    folder = tmp_path_factory.mktemp("production")
    with running(folder, running_offices, {}, edit=_as_it_is_by_itself) as cabinet:
        yield cabinet


@pytest.fixture
def scanner(production: RunningCabinet, offices: DemoOffices) -> Iterator[httpx2.Client]:
    """A stranger with a client. Whatever it sends in these tests, no back office hears of it."""
    with httpx2.Client(base_url=production.address, timeout=SECONDS) as client:
        yield client
    assert {office.name: dict(office.calls()) for office in offices} == {"erp": {}, "loyalty": {}, "cms": {}}


def post(client: httpx2.Client, query: str, *, status: int = 400, **more: Any) -> dict[str, Any]:
    """What is said to an operation that is refused."""
    response = client.post("/graphql", json={"query": query, **more}, headers={"Accept": NEWER})
    reply = Reply.of(query, response)
    assert reply.faults() == []
    assert reply.status == status, reply
    answer: dict[str, Any] = reply.answer
    assert status == 200 or "data" not in answer
    return answer


def code_of(answer: dict[str, Any]) -> str:
    """The code of its errors, which all have the same."""
    [code] = {error["extensions"]["code"] for error in answer["errors"]}
    return str(code)


@pytest.mark.parametrize(
    "query",
    [
        "{ __schema { types { name } } }",
        '{ __type(name: "Query") { fields { name } } }',
        get_introspection_query(),
        "query IntrospectionQuery { __schema { queryType { name } } }",
        "{ a: __typename ...S } fragment S on Query { s: __schema { types { fields { type { name } } } } }",
    ],
)
def test_introspection_is_off(scanner: httpx2.Client, query: str) -> None:
    answer = post(scanner, query)
    assert code_of(answer) == "GRAPHQL_VALIDATION_FAILED"
    assert "introspection has been disabled" in answer["errors"][0]["message"]


def test_there_is_no_schema_by_federations_way_either(scanner: httpx2.Client) -> None:
    assert code_of(post(scanner, "{ _service { sdl } }")) == "GRAPHQL_VALIDATION_FAILED"


@pytest.mark.parametrize(
    "query",
    [
        "{ dashbord { profile { phone } } }",
        "{ dashboard { profil { phone } } }",
        '{ node(id: "x", idd: "y") { id } }',
        '{ node(id: "x") { id ... on Ordr { number } } }',
        "query ($id: ID) { dashboard { lastOrder { stat } } node(id: $i) { id } }",
        "query ($id: Strin) { __typename }",
        "{ __typename @includ(if: true) }",
        "{ __typename @include(if: true, iff: true) }",
        "{ ...Pat } fragment Part on Query { __typename }",
    ],
)
def test_nothing_is_suggested(scanner: httpx2.Client, query: str) -> None:
    answer = post(scanner, query)
    assert code_of(answer) == "GRAPHQL_VALIDATION_FAILED"
    assert "did you mean" not in str(answer).lower()
    quoted = {word for error in answer["errors"] for word in re.findall(r"['\"](\w+)['\"!]", error["message"])}
    known = set(re.findall(r"\w+", query)) | {"Query", "Dashboard", "Order"}
    assert quoted <= known, "no name that the stranger did not say, but for the types they went through"


@pytest.mark.parametrize("query", ["{ __typename }", "mutation { __typename }", ""])
def test_nothing_is_asked_by_get(scanner: httpx2.Client, query: str) -> None:
    for accept in ("application/json", "text/html", "*/*"):
        response = scanner.get("/graphql", params={"query": query} if query else {}, headers={"Accept": accept})
        assert response.status_code == 405
        assert response.headers["allow"] == "POST"
        assert Reply.of(query, response).codes == {"BAD_USER_INPUT"}
        assert "<" not in response.text, "no page"


@pytest.mark.parametrize("method", ["HEAD", "PUT", "PATCH", "DELETE", "TRACE", "CONNECT", "OPTIONS", "QUERY", "BREW"])
def test_no_other_method_does_anything(scanner: httpx2.Client, method: str) -> None:
    response = scanner.request(method, "/graphql", content=TYPENAME, headers={"Content-Type": "application/json"})
    assert 400 <= response.status_code < 500
    assert b"Query" not in response.content


def test_no_batches(scanner: httpx2.Client) -> None:
    for number in (0, 1, 2, 100):
        response = scanner.post("/graphql", json=[{"query": "{ __typename }"}] * number)
        assert response.status_code == 400
        assert Reply.of(number, response).codes == {"BAD_USER_INPUT"}


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("text/plain", TYPENAME),
        ("application/x-www-form-urlencoded", "query=%7B__typename%7D"),
        ("application/graphql", "{ __typename }"),
        ("multipart/form-data; boundary=x", '--x\r\nContent-Disposition: form-data; name="query"\r\n\r\n{a}\r\n--x--'),
        ("application/json; charset=utf-16", TYPENAME),
        ("", TYPENAME),
    ],
)
def test_only_json_is_read(scanner: httpx2.Client, content_type: str, body: str) -> None:
    response = scanner.post("/graphql", content=body, headers={"Content-Type": content_type})
    assert response.status_code == 415
    assert Reply.of(body, response).codes == {"BAD_USER_INPUT"}


PROFILE = "dashboard { profile { phone } }"
LIMITS = {
    "alias overloading": (
        "{ " + " ".join(f"a{number}: __typename" for number in range(16)) + " }",
        "QUERY_TOO_COMPLEX",
    ),
    "a thousand aliases": (
        "{ " + " ".join(f"a{number}: __typename" for number in range(300)) + " }",
        "QUERY_TOO_COMPLEX",
    ),
    "aliases through fragments": (
        "{ ...A } fragment A on Query { " + " ".join(f"a{number}: {PROFILE}" for number in range(16)) + " }",
        "QUERY_TOO_COMPLEX",
    ),
    "directive overloading": ("{ __typename " + "@include(if: true) " * 21 + "}", "QUERY_TOO_COMPLEX"),
    "field duplication": ("{ " + "__typename " * 900 + "}", "QUERY_TOO_COMPLEX"),
    "too deep": ("{ " + "... { dashboard { " * 11 + "__typename" + " } }" * 11 + " }", "QUERY_TOO_DEEP"),
    "too expensive": (
        "{ dashboard { "
        + " ".join(
            f"a{number}: favorites(first: 100) {{ nodes {{ id name url imageUrl price {{ amount }} }} }}"
            for number in range(15)
        )
        + " } }",
        "QUERY_TOO_COMPLEX",
    ),
    "too many words": ("{ __typename " + "# padding\n" * 1 + "__typename " * 1_000 + "}", "GRAPHQL_PARSE_FAILED"),
    "circular fragments": ("{ ...A } fragment A on Query { ...B } fragment B on Query { ...A }", None),
    "a page without end": ("{ dashboard { favorites(first: 2147483647) { totalCount } } }", "BAD_USER_INPUT"),
    "a page of less than nothing": ("{ dashboard { favorites(first: -1) { totalCount } } }", "BAD_USER_INPUT"),
    "incremental delivery": ("{ dashboard { ... @defer { profile { phone } } } }", "GRAPHQL_VALIDATION_FAILED"),
}


@pytest.mark.parametrize(("query", "code"), LIMITS.values(), ids=LIMITS)
def test_limits_are_in_force(scanner: httpx2.Client, query: str, code: str | None) -> None:
    said = code_of(post(scanner, query))
    assert said == code if code else said in {"QUERY_TOO_DEEP", "QUERY_TOO_COMPLEX", "GRAPHQL_VALIDATION_FAILED"}


def test_more_than_ten_fields_at_the_root_are_too_many(scanner: httpx2.Client) -> None:
    fields = " ".join(f"a{number}: __typename" for number in range(11))
    assert code_of(post(scanner, f"{{ {fields} }}")) == "QUERY_TOO_COMPLEX"
    assert post(scanner, "{ " + fields.replace("a10: __typename", "") + " }", status=200)["data"]


def test_a_large_body_is_not_read(scanner: httpx2.Client) -> None:
    response = scanner.post("/graphql", json={"query": "{ __typename }", "variables": {"x": "x" * 65_536}})
    assert response.status_code == 413
    assert Reply.of("65 KB", response).codes == {"TOO_LARGE"}


def test_a_customer_who_asks_without_end_is_told_to_wait(scanner: httpx2.Client) -> None:
    headers = {"Authorization": f"Bearer {demo_token('c-1005')}"}
    asked = (scanner.post("/graphql", json={"query": "{ __typename }"}, headers=headers) for _ in range(1_000))
    response = next((each for each in asked if each.status_code != 200), None)
    assert response is not None, "a thousand requests, and no end"
    assert response.status_code == 429
    assert int(response.headers["retry-after"]) >= 1
    reply = Reply.of("much", response)
    assert reply.faults() == []
    assert reply.codes == {"RATE_LIMITED"}
    other = {"Authorization": f"Bearer {demo_token('c-1004')}"}
    assert scanner.post("/graphql", json={"query": "{ __typename }"}, headers=other).status_code == 200


def test_operations_by_id_are_not_taken_from_strangers(scanner: httpx2.Client) -> None:
    by_hash = {"persistedQuery": {"version": 1, "sha256Hash": "0" * 64}}
    for more in ({"extensions": by_hash}, {"documentId": "sha256:" + "0" * 64}):
        response = scanner.post("/graphql", json=more)
        assert Reply.of(more, response).codes == {"PERSISTED_QUERY_NOT_SUPPORTED"}


@pytest.mark.parametrize("extensions", [{"tracing": True}, {"debug": True}, {"trace": 1}])
def test_there_is_no_trace_mode(scanner: httpx2.Client, extensions: dict[str, Any]) -> None:
    response = scanner.post(
        "/graphql",
        json={"query": "{ __typename }", "extensions": extensions},
        headers={"Apollo-Federation-Include-Trace": "ftv1", "X-Apollo-Tracing": "1", "X-Debug": "1"},
    )
    assert response.json() == {"data": {"__typename": "Query"}}


def test_a_guest_gets_no_ones_data(scanner: httpx2.Client) -> None:
    answer = post(scanner, f"{{ {PROFILE} }}", status=200)
    assert code_of(answer) == "UNAUTHENTICATED"
    assert "phone" not in str(answer["data"])


def test_a_foreign_page_may_not_ask(scanner: httpx2.Client) -> None:
    foreign = {"Origin": "https://evil.example", "Access-Control-Request-Method": "POST"}
    for response in (
        scanner.options("/graphql", headers=foreign),
        scanner.post("/graphql", json={"query": "{ __typename }"}, headers={"Origin": "https://evil.example"}),
        scanner.post("/graphql", json={"query": "{ __typename }"}, headers={"Origin": "null"}),
    ):
        assert response.status_code == 403
        assert not [name for name in response.headers if name.startswith("access-control-")]


def test_there_is_no_websocket(scanner: httpx2.Client) -> None:
    upgrade = {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
        "Sec-WebSocket-Protocol": "graphql-ws",
    }
    for path in ("/graphql", "/subscriptions", "/"):
        assert 400 <= scanner.get(path, headers=upgrade).status_code < 500


ODD_PATHS = (
    "/",
    "/graphiql",
    "/playground",
    "/altair",
    "/voyager",
    "/console",
    "/graphql/",
    "/graphql/console",
    "/graphql/schema.graphql",
    "/graphql/assets/graphiql.js",
    "//graphql",
    "/v1/graphql",
    "/docs",
    "/openapi.json",
    "/metrics",
    "/debug",
    "/admin",
    "/.env",
    "/.git/config",
    "/kabinet.toml",
    "/..%2fkabinet.toml",
    "/graphql/assets/..%2f..%2fconfig.py",
)


@pytest.mark.parametrize("path", ODD_PATHS)
def test_there_is_nothing_else_to_find(scanner: httpx2.Client, path: str) -> None:
    for response in (scanner.get(path), scanner.post(path, json={"query": "{ __typename }"})):
        assert response.status_code in {404, 405}
        assert len(response.content) < 100


def test_every_answer_has_its_headers(scanner: httpx2.Client) -> None:
    answers = {
        "an answer": scanner.post("/graphql", json={"query": "{ __typename }"}),
        "a refusal": scanner.post("/graphql", content="{"),
        "a bad token": scanner.post("/graphql", content=TYPENAME, headers={"Authorization": "Bearer x"}),
        "a wrong method": scanner.get("/graphql"),
        "no such path": scanner.get("/nothing"),
        "health": scanner.get("/healthz"),
        "a hook": scanner.post("/hooks/erp", content="{}"),
    }
    for name, response in answers.items():
        headers = response.headers
        assert headers["cache-control"] == "private, no-store", name
        assert headers["x-content-type-options"] == "nosniff", name
        assert headers["referrer-policy"] == "no-referrer", name
        assert not {"server", "x-powered-by", "via", "set-cookie", "x-aspnet-version"} & set(headers), name
    assert answers["a bad token"].status_code == 401
    assert answers["a bad token"].headers["www-authenticate"].startswith("Bearer")
    for name in ("an answer", "a refusal", "a bad token", "a wrong method"):
        assert answers[name].headers["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'"


def test_the_log_has_no_defect_and_no_token(production: RunningCabinet) -> None:
    # It stands behind all of the above.
    for never in ("internal error", "Traceback", "eyJ"):
        assert never not in production.log


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with command(tmp_path_factory.mktemp("demo"), "demo") as cabinet:
        yield cabinet.address


def test_the_demos_page_comes_with_all_that_it_loads(demo: str) -> None:
    page = httpx2.get(f"{demo}/graphql", headers={"Accept": "text/html"}, timeout=SECONDS)
    assert page.status_code == 200
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert "Bearer " in page.text
    if (BUILD / "graphiql.js").is_file():
        own = re.findall(r'(?:src|href)="(/graphql/assets/[^"]+)"', page.text)
        assert own
        for asset in own:
            assert httpx2.get(f"{demo}{asset}", timeout=SECONDS).status_code == 200


def test_the_demos_page_can_read_the_schema(demo: str) -> None:
    query = get_introspection_query(input_value_deprecation=True, one_of=True)
    answer = httpx2.post(
        f"{demo}/graphql",
        json={"query": query, "operationName": "IntrospectionQuery"},
        # As GraphiQL's own fetcher does.
        headers={"Accept": "application/json, multipart/mixed", "Origin": demo},
        timeout=SECONDS,
    )
    assert answer.headers["content-type"].startswith("application/json")
    came = build_client_schema(answer.json()["data"])
    kept = build_schema(SCHEMA_FILE.read_text(encoding="utf-8"))
    assert print_schema(lexicographic_sort_schema(came)) == print_schema(lexicographic_sort_schema(kept))


def test_the_demo_suggests_names_and_serve_does_not(demo: str, scanner: httpx2.Client) -> None:
    query = "{ dashbord { profile { phone } } }"
    message = httpx2.post(f"{demo}/graphql", json={"query": query}, timeout=SECONDS).json()["errors"][0]["message"]
    assert "Did you mean 'dashboard'?" in message
    assert "dashboard" not in str(post(scanner, query))
