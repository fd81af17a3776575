"""Sections over the endpoint: each fails alone, what breaks inside gets out as a reference, words have a language."""

from typing import Any

import pytest
from starlette.testclient import TestClient
from structlog.testing import capture_logs

from bff.app import create_app
from bff.errors import Unavailable
from bff.identity import TokenVerifier
from bff.web.routes import SecurityHeaders
from tests.fakes.back_offices import FakeBackOffice, account, profile
from tests.unit.core.asking import JSON, NAME, ask, codes, post
from tests.unit.core.cabinets import AUDIENCE, GRAPHQL_JSON, ISSUER, bearer, cabinet, client


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
