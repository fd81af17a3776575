"""The endpoint: what is no good request gets a coded 4xx, and what breaks inside gets out as a reference."""

import json
from itertools import product as product_of
from typing import Any

import pytest
from starlette.testclient import TestClient
from structlog.testing import capture_logs

from bff.web.limits import LimitSettings
from tests.fakes.back_offices import FakeBackOffice
from tests.unit.core.asking import JSON, NAME, ask, codes, post
from tests.unit.core.cabinets import GRAPHQL_JSON, bearer, client

DEEP = 100_000
BODIES = {
    "empty": b"",
    "blanks": b"   ",
    "null": b"null",
    "a number": b"5",
    "a text": b'"x"',
    "true": b"true",
    "a list": b'[{"query": "{ __typename }"}]',
    "an empty object": b"{}",
    "not JSON": b"query { __typename }",
    "cut": b'{"query": "{ __type',
    "two objects": b'{"query": "{ __typename }"} {}',
    "invalid UTF-8": b'{"query": "\xff"}',
    "a byte order mark": b'\xef\xbb\xbf{"query": "{ __typename }"}',
    "UTF-16": '{"query": "{ __typename }"}'.encode("utf-16"),
    "a lone surrogate": b'{"query": "{ __typename }", "variables": {"a": "\\ud800"}}',
    "NaN": b'{"query": "{ __typename }", "variables": {"a": NaN}}',
    "Infinity": b'{"query": "{ __typename }", "variables": {"a": -Infinity}}',
    "a number beyond floats": b'{"query": "{ __typename }", "variables": {"a": 1e999}}',
    "a name twice": b'{"query": "{ __typename }", "query": "{ dashboard { profile { phone } } }"}',
    "a name twice inside": b'{"query": "{ __typename }", "variables": {"a": 1, "b": [{"c": 1, "c": 2}]}}',
    "a name twice, once escaped": b'{"query": "{ __typename }", "qu\\u0065ry": "{ __typename }"}',
    "nested 30,000 deep": b"[" * 30_000 + b"]" * 30_000,
    "nested 30,000 deep and open": b'{"a":' * 10_000,
    "nested 1,000 deep": b'{"query": "{ __typename }", "variables": {"a": ' + b"[" * 1_000 + b"]" * 1_000 + b"}}",
    "no query": b'{"query": null}',
    "an empty query": b'{"query": ""}',
    "a query that is a number": b'{"query": 5}',
    "a query that is a list": b'{"query": ["{ __typename }"]}',
    "an operation name that is a number": b'{"query": "{ __typename }", "operationName": 5}',
    "variables that are a list": b'{"query": "{ __typename }", "variables": []}',
    "variables that are a text": b'{"query": "{ __typename }", "variables": "{}"}',
    "extensions that are a text": b'{"query": "{ __typename }", "extensions": "x"}',
}


def test_a_body_that_is_no_request_is_a_coded_400(http: TestClient, subtests: pytest.Subtests) -> None:
    for name, body in BODIES.items():
        for accept in (JSON, GRAPHQL_JSON):
            with subtests.test(name, accept=accept):
                response = post(http, body, Accept=accept)
                assert response.status_code == 400
                assert set(codes(response)) == {"BAD_USER_INPUT"}
                assert response.headers["content-type"] == f"{accept}; charset=utf-8"
                assert response.headers["cache-control"] == "private, no-store"


@pytest.mark.parametrize(
    "body",
    [b"[" * DEEP + b"]" * DEEP, b'{"query": "{ __typename }", "x": "' + b"x" * 5_000_000 + b'"}', b" " * 65_537],
    ids=["100,000 deep", "5 MB", "one byte too many"],
)
def test_a_body_beyond_the_limit_is_413(http: TestClient, body: bytes) -> None:
    response = post(http, body)
    assert response.status_code == 413
    assert codes(response) == ["TOO_LARGE"]


def test_a_body_of_exactly_the_limit_is_read(http: TestClient) -> None:
    body = b'{"query": "{ __typename }"}'
    assert post(http, body + b" " * (LimitSettings().body_bytes - len(body))).json() == {
        "data": {"__typename": "Query"}
    }


@pytest.mark.parametrize(
    "content_type",
    [
        "",
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/graphql",
        "application/json-patch+json",
        "text/plain; application/json",
        "application/json; charset=windows-1251",
        'application/json; charset="koi8-r"',
        "application/json; x=y; charset=utf-16",
        "application/json; charset=utf-8; charset=utf-16",
    ],
)
def test_any_other_content_type_is_415(http: TestClient, content_type: str) -> None:
    response = post(http, {"query": "{ __typename }"}, content_type=content_type)
    assert response.status_code == 415
    assert codes(response) == ["BAD_USER_INPUT"]


@pytest.mark.parametrize(
    "content_type",
    [
        "application/json",
        "Application/JSON",
        "application/json; charset=utf-8",
        'application/json;charset="UTF-8"',
        "application/json; charset=utf8; profile=x",
        "application/json; odata=verbose",
        "application/json;",
    ],
)
def test_json_in_utf_8_however_it_is_written_is_read(http: TestClient, content_type: str) -> None:
    assert post(http, {"query": "{ __typename }"}, content_type=content_type).status_code == 200


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "PATCH", "OPTIONS"])
def test_only_post_is_allowed(http: TestClient, method: str) -> None:
    response = http.request(method, "/graphql?query={__typename}", headers=bearer())
    assert response.status_code == 405
    assert "POST" in response.headers["allow"]
    assert "Query" not in response.text


@pytest.mark.parametrize("graphiql", [False, True])
def test_no_answer_may_be_kept_by_anybody(shop: FakeBackOffice, graphiql: bool) -> None:
    with capture_logs(), client(shop, graphiql=graphiql) as http:
        for path in ("/", "/graphql", "/graphql/x", "/nowhere", "/healthz", "/readyz", "/../etc/passwd"):
            for response in (
                http.get(path, follow_redirects=False),
                http.get(path, headers={"Accept": "text/html"}, follow_redirects=False),
                http.post(path, json={"query": NAME}, headers=bearer(), follow_redirects=False),
            ):
                assert response.headers["cache-control"] == "private, no-store", path


def test_graphiql_is_served_only_where_it_is_switched_on(shop: FakeBackOffice) -> None:
    page = {"Accept": "text/html"}
    with client(shop) as http:
        assert http.get("/graphql", headers=page).status_code == 405
    with client(shop, graphiql=True) as http:
        response = http.get("/graphql", headers=page)
        assert response.status_code == 200
        assert "default-src 'none'" in response.headers["content-security-policy"]
        assert http.get("/graphql").status_code == 405
        assert http.get("/", follow_redirects=False).headers["location"] == "/graphql"


def test_health_says_alive_and_which_back_offices_there_are(http: TestClient) -> None:
    assert http.get("/healthz").json() == {"status": "alive"}
    assert http.get("/readyz").json() == {"status": "ready", "back_offices": ["shop"]}


@pytest.mark.parametrize(
    ("accept", "media_type"),
    [
        (None, JSON),
        ("*/*", JSON),
        ("application/json", JSON),
        ("application/*", JSON),
        ("text/html, */*;q=0.1", JSON),
        (f"{JSON};q=0.5, {GRAPHQL_JSON};q=0.4", JSON),
        (f"{JSON};q=0.4, {GRAPHQL_JSON};q=0.5", GRAPHQL_JSON),
        (f"{GRAPHQL_JSON};q=0, */*", JSON),
        (f"{JSON};q=0, */*", GRAPHQL_JSON),
        (f"{JSON}, {GRAPHQL_JSON};charset=utf-16", JSON),
        (f"{GRAPHQL_JSON};q=much, {JSON}", JSON),
        (GRAPHQL_JSON, GRAPHQL_JSON),
        ("Application/GraphQL-Response+JSON", GRAPHQL_JSON),
        (f"{GRAPHQL_JSON}; charset=utf-8, application/json; q=0.9", GRAPHQL_JSON),
    ],
)
def test_the_answer_is_in_the_media_type_that_was_asked_for(
    http: TestClient, accept: str | None, media_type: str
) -> None:
    response = post(http, {"query": "{ __typename }"}, **({} if accept is None else {"Accept": accept}))
    assert response.headers["content-type"] == f"{media_type}; charset=utf-8"
    assert response.json() == {"data": {"__typename": "Query"}}


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"query": "{"}, "GRAPHQL_PARSE_FAILED"),
        ({"query": "{ nonsense }"}, "GRAPHQL_VALIDATION_FAILED"),
        ({"query": "{ __schema { types { name } } }"}, "GRAPHQL_VALIDATION_FAILED"),
    ],
)
def test_a_bad_document_is_400_for_clients_that_know_the_newer_media_type(
    http: TestClient, body: dict[str, Any], code: str
) -> None:
    for accept, status in ((JSON, 200), (GRAPHQL_JSON, 400)):
        response = post(http, body, Accept=accept)
        assert response.status_code == status
        assert set(codes(response)) == {code}
        assert "data" not in response.json()


VARIABLE = "query q($first: Int!) { dashboard { favorites(first: $first) { totalCount } } }"


@pytest.mark.parametrize("value", ["five", 1.5, True, None, [1], {}, 2**31, 2**70, "5"])
def test_a_variable_of_a_wrong_type_is_bad_input_and_nothing_is_logged(shop: FakeBackOffice, value: Any) -> None:
    with client(shop) as http:
        for accept, status in ((JSON, 200), (GRAPHQL_JSON, 400)):
            with capture_logs() as logs:
                response = post(
                    http, {"query": VARIABLE, "variables": {"first": value}}, Accept=accept, **bearer()
                )  # fmt: skip
            assert response.status_code == status
            assert codes(response) == ["BAD_USER_INPUT"]
            assert "data" not in response.json()
            assert [line["event"] in {"operation", "request refused"} for line in logs] == [True]
    assert shop.calls == []


def test_a_variable_that_is_missing_is_bad_input(http: TestClient) -> None:
    assert codes(post(http, {"query": VARIABLE}, **bearer())) == ["BAD_USER_INPUT"]


def test_null_for_an_argument_that_must_be_there_is_bad_input_of_its_section(http: TestClient) -> None:
    query = "query q($first: Int) { dashboard { favorites(first: $first) { totalCount } profile { displayName } } }"
    answer = ask(http, query, {"first": None})
    assert answer["data"]["dashboard"] == {"favorites": None, "profile": {"displayName": "Анна"}}
    assert answer["errors"][0]["extensions"] == {"code": "BAD_USER_INPUT"}
    assert answer["errors"][0]["path"] == ["dashboard", "favorites"]


@pytest.mark.parametrize("first", [-1, 101, 2_147_483_647, -2_147_483_648])
def test_a_page_of_a_senseless_size_is_bad_input(http: TestClient, first: int) -> None:
    answer = ask(http, VARIABLE, {"first": first})
    assert answer["errors"][0]["extensions"] == {"code": "BAD_USER_INPUT"}
    assert answer["errors"][0]["message"] == "first must be between 0 and 100"


TWO = "query one { __typename } query two { alias: __typename }"


def test_several_operations_and_no_name_run_nothing(http: TestClient) -> None:
    for body in ({"query": TWO}, {"query": TWO, "operationName": None}, {"query": TWO, "operationName": ""}):
        response = post(http, body)
        assert response.status_code == 400
        assert codes(response) == ["BAD_USER_INPUT"]


def test_an_unknown_operation_name_runs_nothing(http: TestClient) -> None:
    for query in (TWO, "{ __typename }"):
        response = post(http, {"query": query, "operationName": "three"})
        assert response.status_code == 400
        assert codes(response) == ["BAD_USER_INPUT"]


def test_the_named_operation_is_run(http: TestClient) -> None:
    assert post(http, {"query": TWO, "operationName": "two"}).json() == {"data": {"alias": "Query"}}


def test_introspection_works_where_it_is_switched_on(shop: FakeBackOffice) -> None:
    with client(shop, introspection=True) as http:
        answer = post(http, {"query": '{ __type(name: "Query") { name } }'}).json()
        assert answer == {"data": {"__type": {"name": "Query"}}}
        assert "Did you mean" in post(http, {"query": "{ dashbord }"}).text
    with client(shop) as http:
        assert "Did you mean" not in post(http, {"query": "{ dashbord }"}).text


def test_typename_needs_no_token_and_a_section_does(http: TestClient, shop: FakeBackOffice) -> None:
    assert post(http, {"query": "{ __typename }"}).json() == {"data": {"__typename": "Query"}}
    for query in (NAME, '{ node(id: "T3JkZXI6by0x") { id } }'):
        response = post(http, {"query": query})
        assert response.status_code == 200
        assert codes(response) == ["UNAUTHENTICATED"]
        assert "www-authenticate" not in response.headers
    assert shop.calls == []


BAD_TOKENS = [
    "Bearer x",
    "Bearer",
    "Bearer ",
    "bearer a.b.c",
    "Basic dXNlcjpwYXNz",
    "x",
    "",
    "Bearer \xff",
    "Bearer " + "x" * 20_000,
    bearer()["Authorization"] + "x",
    bearer()["Authorization"].removeprefix("Bearer "),
]


@pytest.mark.parametrize("header", BAD_TOKENS, ids=range(len(BAD_TOKENS)))
def test_a_bad_token_is_401_even_where_none_is_needed(http: TestClient, shop: FakeBackOffice, header: str) -> None:
    for query, accept in product_of(("{ __typename }", NAME), (JSON, GRAPHQL_JSON)):
        response = http.post(
            "/graphql",
            content=json.dumps({"query": query}),
            headers=[
                (b"Authorization", header.encode("latin-1")),
                (b"Accept", accept.encode()),
                (b"Content-Type", JSON.encode()),
            ],
        )
        assert response.status_code == 401
        assert codes(response) == ["UNAUTHENTICATED"]
        assert response.headers["www-authenticate"].startswith("Bearer ")
        assert response.headers["cache-control"] == "private, no-store"
        assert "data" not in response.json()
    assert shop.calls == []


def test_two_tokens_are_none(http: TestClient) -> None:
    token = bearer()["Authorization"]
    headers = [("Authorization", token), ("Authorization", token), ("Content-Type", JSON)]
    response = http.post("/graphql", content=b'{"query": "{ __typename }"}', headers=headers)
    assert response.status_code == 401


def test_a_token_is_in_no_log(shop: FakeBackOffice) -> None:
    token = bearer()["Authorization"].removeprefix("Bearer ")
    with client(shop) as http, capture_logs() as logs:
        post(http, {"query": NAME}, Authorization=f"Bearer {token}x")
        post(http, {"query": NAME}, Authorization=f"Bearer {token}")
    assert [line["event"] for line in logs] == ["token refused", "operation"]
    assert token not in str(logs)
    assert "c-1" not in str(logs)
