"""The endpoint: what is no good request gets a coded 4xx, and what breaks inside gets out as a reference."""

import json
from collections.abc import Iterator
from itertools import product as product_of
from typing import Any

import pytest
from httpx2 import Response
from starlette.testclient import TestClient
from structlog.testing import capture_logs

from bff.app import create_app
from bff.errors import Unavailable
from bff.identity import TokenVerifier
from bff.web.limits import LimitSettings
from bff.web.routes import SecurityHeaders
from tests.fakes.back_offices import FakeBackOffice, account, favorites, offers, order, product, profile
from tests.unit.core.cabinets import AUDIENCE, GRAPHQL_JSON, ISSUER, bearer, cabinet, client

JSON = "application/json"
NAME = "{ dashboard { profile { displayName } } }"


@pytest.fixture
def shop() -> FakeBackOffice:
    """A shop in good health, with one customer."""
    return FakeBackOffice(
        profiles={"c-1": profile("c-1")},
        latest_orders={"c-1": order("c-1", products=["p-1", "p-2"])},
        orders=lambda ids: {each: order("c-1" if each == "o-1" else "c-2", each) for each in ids if each != "o-404"},
        bonus_accounts={"c-1": account("c-1", pending=None, lots=())},
        favorites={"c-1": favorites("c-1", "p-1")},
        products=lambda ids: {each: product(each) for each in ids},
        promotions=offers("a", "b"),
        personal_offers={"c-1": offers("c", customer="c-1")},
    )


@pytest.fixture
def http(shop: FakeBackOffice) -> Iterator[TestClient]:
    with capture_logs(), client(shop) as made:
        yield made


def post(http: TestClient, body: Any, *, content_type: str = JSON, **headers: str) -> Response:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    named = {"Content-Type": content_type, **{name.replace("_", "-"): value for name, value in headers.items()}}
    return http.post("/graphql", content=raw, headers=named)


def ask(http: TestClient, query: str, variables: dict[str, Any] | None = None, **headers: str) -> Any:
    response = post(http, {"query": query, "variables": variables}, **{**bearer(), **headers})
    assert response.status_code == 200
    return response.json()


def codes(response: Response) -> list[str]:
    return [error["extensions"]["code"] for error in response.json()["errors"]]


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


def test_a_customer_sees_every_section_of_their_own(http: TestClient) -> None:
    query = """{ dashboard {
        profile { displayName stale asOf }
        lastOrder { number lines { product { name } } total { amount currency } status }
        bonuses { balance expirations { amount } }
        favorites { totalCount nodes { name } }
        offers { nodes { title kind } pageInfo { hasNextPage } }
    } }"""
    answer = ask(http, query)
    assert "errors" not in answer
    found = answer["data"]["dashboard"]
    assert found["profile"] == {"displayName": "Анна", "stale": False, "asOf": "2026-11-21T10:00:00+00:00"}
    assert found["lastOrder"]["total"] == {"amount": "10.00", "currency": "RUB"}
    assert found["bonuses"] == {"balance": "100", "expirations": []}
    assert [node["title"] for node in found["offers"]["nodes"]] == ["Акция c", "Акция a", "Акция b"]


def test_another_customers_order_looks_exactly_like_none(http: TestClient, shop: FakeBackOffice) -> None:
    mine, anothers, nobodys = (
        ask(http, "query q($id: ID!) { node(id: $id) { id } }", {"id": made})
        for made in ("T3JkZXI6by0x", "T3JkZXI6by0y", "T3JkZXI6by00MDQ=")
    )
    assert mine == {"data": {"node": {"id": "T3JkZXI6by0x"}}}
    assert anothers == nobodys
    assert anothers["errors"][0]["extensions"] == {"code": "NOT_FOUND"}
    assert shop.asked("orders") == [["o-1"], ["o-2"], ["o-404"]]


def test_an_id_of_another_kind_asks_nobody(http: TestClient, shop: FakeBackOffice) -> None:
    for made in ("UHJvZHVjdDpwLTE=", "o-1", "", "%%%", "\x00", "ж" * 1_000):
        answer = ask(http, "query q($id: ID!) { node(id: $id) { id } }", {"id": made})
        assert answer["errors"][0]["extensions"] == {"code": "NOT_FOUND"}
    assert shop.calls == []


def test_the_same_section_asked_twice_is_one_call(http: TestClient, shop: FakeBackOffice) -> None:
    answer = ask(http, "{ a: dashboard { profile { displayName } } b: dashboard { profile { displayName } } }")
    assert answer["data"]["a"] == answer["data"]["b"]
    assert shop.asked("profiles") == [["c-1"]]


def test_products_of_all_lines_are_one_call(http: TestClient, shop: FakeBackOffice) -> None:
    ask(http, "{ dashboard { lastOrder { lines { product { name } } } } }")
    assert shop.asked("products") == [["p-1", "p-2"]]


def test_what_is_broken_inside_costs_its_section_and_gets_out_as_a_reference(shop: FakeBackOffice) -> None:
    shop.replies["profiles"] = ValueError("postgres://user:sec-ret@db/+79990000000")
    query = "{ dashboard { profile { displayName } lastOrder { number } } }"
    with client(shop) as http, capture_logs() as logs:
        answer = ask(http, query, Accept_Language="en")
    assert answer["data"]["dashboard"] == {"profile": None, "lastOrder": {"number": "O-1"}}
    (error,) = answer["errors"]
    assert (error["path"], error["extensions"]["code"]) == (["dashboard", "profile"], "INTERNAL")
    assert error["message"] == "Something broke; we know of it."
    references = [line["reference"] for line in logs if line["event"] == "internal error"]
    assert references == [error["extensions"]["reference"]]
    assert "sec-ret" not in str(answer)


@pytest.mark.parametrize("accept", [JSON, GRAPHQL_JSON])
def test_what_breaks_outside_of_any_section_gets_out_as_a_reference_too(
    shop: FakeBackOffice, monkeypatch: pytest.MonkeyPatch, accept: str
) -> None:
    def broken(*_: Any) -> Any:
        raise RuntimeError("sec-ret")

    monkeypatch.setattr(TokenVerifier, "verify", broken)
    with client(shop) as http, capture_logs() as logs:
        response = post(http, {"query": NAME}, Accept=accept, **bearer())
    assert response.status_code == 500
    assert codes(response) == ["INTERNAL"]
    assert response.headers["cache-control"] == "private, no-store"
    assert "sec-ret" not in response.text
    assert [line["reference"] for line in logs] == [response.json()["errors"][0]["extensions"]["reference"]]


def test_a_value_that_no_scalar_can_hold_costs_its_section(shop: FakeBackOffice) -> None:
    query = "{ dashboard { bonuses { balance } profile { displayName } } }"
    for balance in ("NaN", "Infinity", "-Infinity", "sNaN", "1e999999", "1e-999999"):
        shop.replies["bonus_accounts"] = {"c-1": account("c-1", balance)}
        with client(shop) as http, capture_logs():
            answer = ask(http, query)
        assert answer["data"]["dashboard"] == {"bonuses": None, "profile": {"displayName": "Анна"}}
        assert answer["errors"][0]["extensions"]["code"] == "INTERNAL"


def test_half_a_character_from_a_back_office_spoils_no_other_section(shop: FakeBackOffice) -> None:
    shop.replies["profiles"] = {"c-1": profile("c-1", "Анна \ud800")}
    with client(shop) as http, capture_logs():
        answer = ask(http, "{ dashboard { profile { displayName } lastOrder { number } } }")
    assert answer["data"]["dashboard"]["lastOrder"] == {"number": "O-1"}


def test_a_section_that_is_switched_off_says_so() -> None:
    with TestClient(create_app(cabinet())) as http, capture_logs():
        answer = ask(http, "{ dashboard { profile { displayName } offers { totalCount } } }")
    assert answer["data"]["dashboard"] == {"profile": None, "offers": None}
    assert [error["extensions"]["code"] for error in answer["errors"]] == ["NOT_SUPPORTED", "NOT_SUPPORTED"]


@pytest.mark.parametrize(
    ("accept_language", "message"),
    [
        ("ru", "Раздел временно недоступен."),
        ("en-US,en;q=0.9", "This section is unavailable for now."),
        ("de", "Раздел временно недоступен."),
        ("", "Раздел временно недоступен."),
    ],
)
def test_words_follow_the_language_and_codes_do_not(shop: FakeBackOffice, accept_language: str, message: str) -> None:
    shop.replies["profiles"] = Unavailable("no connection to 10.0.0.5", back_office="erp")
    with client(shop) as http, capture_logs():
        (error,) = ask(http, NAME, Accept_Language=accept_language)["errors"]
    assert error["message"] == message
    assert error["extensions"] == {"code": "UNAVAILABLE"}


def test_a_long_operation_name_is_cut_in_the_log(shop: FakeBackOffice) -> None:
    name = "q" * 5_000
    with client(shop) as http, capture_logs() as logs:
        assert post(http, {"query": f"query {name} {{ __typename }}", "operationName": name}).status_code == 200
    assert logs[0]["name"] == "q" * 100


def test_closing_the_application_closes_the_back_offices(shop: FakeBackOffice) -> None:
    with client(shop):
        assert shop.closed == 0
    assert shop.closed == 1


@pytest.mark.anyio
async def test_what_is_not_http_passes_through_unmarked() -> None:
    seen: list[Any] = []

    async def inner(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "lifespan.startup.complete"})

    async def keep(message: Any) -> None:
        seen.append(message)

    async def nothing() -> Any:
        return {}

    await SecurityHeaders(inner)({"type": "lifespan"}, nothing, keep)
    assert seen == [{"type": "lifespan.startup.complete"}]


def test_the_settings_of_these_tests_are_what_tokens_are_made_for() -> None:
    made = cabinet()
    identity = made.loaded.settings.identity
    assert identity is not None
    assert (identity.issuer, identity.audience) == (ISSUER, AUDIENCE)
