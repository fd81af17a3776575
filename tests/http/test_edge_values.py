"""What a back office or an adapter gave wrongly costs its section, and none of it gets out."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from graphql import GraphQLField, GraphQLFloat, GraphQLInt, GraphQLNonNull, GraphQLObjectType, GraphQLSchema
from starlette.testclient import TestClient
from structlog.testing import capture_logs

from bff.identity import Principal
from bff.loaders import Loaders
from bff.sources import Sources
from bff.web.graphql import GraphQLEndpoint
from bff.web.limits import LimitSettings
from bff.web.networks import Networks
from bff.web.operations import Operations
from bff.web.origins import Origins
from bff.web.routes import CabinetApp
from tests.fakes.back_offices import FakeBackOffice, account, favorites, offers, order, product, profile
from tests.unit.core.cabinets import bearer, client

SECRET = "sec-ret +79990000000"

QUERY = """{ dashboard {
    profile { displayName birthDate stale asOf }
    lastOrder { number placedAt status total { amount } lines { name quantity } stages { name reachedAt } }
    bonuses { balance tier { name } }
    favorites { totalCount nodes { name price { amount } available } }
    offers { nodes { title kind endsOn } }
} }"""


class Strange:
    """No domain object at all."""

    def __repr__(self) -> str:
        return SECRET


@pytest.fixture
def shop() -> FakeBackOffice:
    return FakeBackOffice(
        profiles={"c-1": profile("c-1")},
        latest_orders={"c-1": order("c-1")},
        bonus_accounts={"c-1": account("c-1", pending=None, lots=())},
        favorites={"c-1": favorites("c-1", "p-1")},
        products=lambda ids: {each: product(each) for each in ids},
        promotions=offers("a"),
        personal_offers={"c-1": offers("b", customer="c-1")},
    )


PROFILE: Any = profile("c-1")
ORDER: Any = order("c-1")
ACCOUNT: Any = account("c-1", pending=None, lots=())
FAVORITES: Any = favorites("c-1", "p-1")

BROKEN: list[tuple[str, str, Any]] = [
    ("profiles", "profile", replace(PROFILE, display_name={"phone": SECRET})),
    ("profiles", "profile", replace(PROFILE, display_name=SECRET.encode())),
    ("profiles", "profile", replace(PROFILE, display_name=None)),
    ("latest_orders", "lastOrder", replace(ORDER, placed_at=SECRET)),
    ("latest_orders", "lastOrder", replace(ORDER, status=SECRET)),
    ("latest_orders", "lastOrder", replace(ORDER, total=SECRET)),
    ("latest_orders", "lastOrder", replace(ORDER, lines=(SECRET,))),
    ("latest_orders", "lastOrder", replace(ORDER, stages=5)),
    ("bonus_accounts", "bonuses", replace(ACCOUNT, balance=SECRET)),
    ("bonus_accounts", "bonuses", replace(ACCOUNT, balance=float("nan"))),
    ("bonus_accounts", "bonuses", replace(ACCOUNT, balance=Decimal("sNaN"))),
    ("bonus_accounts", "bonuses", replace(ACCOUNT, tier=Strange())),
    ("favorites", "favorites", replace(FAVORITES, products=5)),
]


@pytest.mark.parametrize(("port", "section", "value"), BROKEN, ids=range(len(BROKEN)))
def test_a_value_of_a_wrong_kind_costs_its_section(shop: FakeBackOffice, port: str, section: str, value: Any) -> None:
    shop.replies[port] = {"c-1": value}
    with capture_logs() as logs, client(shop) as http:
        reply = http.post("/graphql", json={"query": QUERY}, headers=bearer())
    dashboard = reply.json()["data"]["dashboard"]
    assert reply.status_code == 200
    assert [name for name, found in dashboard.items() if found is None] == [section]
    assert {error["path"][1] for error in reply.json()["errors"]} == {section}
    assert {error["extensions"]["code"] for error in reply.json()["errors"]} == {"INTERNAL"}
    assert "sec-ret" not in reply.text
    references = {error["extensions"]["reference"] for error in reply.json()["errors"]}
    assert references == {line["reference"] for line in logs if line["event"] == "internal error"}


def test_a_value_that_may_be_absent_costs_itself(shop: FakeBackOffice) -> None:
    shop.replies["profiles"] = {"c-1": replace(PROFILE, birth_date=SECRET)}
    with capture_logs(), client(shop) as http:
        reply = http.post("/graphql", json={"query": QUERY}, headers=bearer())
    assert reply.json()["data"]["dashboard"]["profile"]["displayName"] == "Анна"
    assert [error["path"] for error in reply.json()["errors"]] == [["dashboard", "profile", "birthDate"]]
    assert "sec-ret" not in reply.text


@pytest.fixture
def numbers() -> Iterator[TestClient]:
    """A schema with floats and whole numbers, two sections of them."""

    def section(name: str, kind: Any, value: Any) -> GraphQLField:
        fields = {"value": GraphQLField(GraphQLNonNull(kind), resolve=lambda *_: value)}
        return GraphQLField(GraphQLObjectType(name, fields), resolve=lambda *_: {})

    sections = {
        "good": section("Good", GraphQLFloat, 1.5),
        "nan": section("Nan", GraphQLFloat, float("nan")),
        "infinite": section("Infinite", GraphQLFloat, float("-inf")),
        "huge": section("Huge", GraphQLInt, 2**70),
        "text": section("Text", GraphQLFloat, SECRET),
        "strange": section("Strange", GraphQLInt, Strange()),
    }
    schema = GraphQLSchema(GraphQLObjectType("Query", sections))
    limits = LimitSettings()

    async def who(_: Mapping[bytes, bytes]) -> Principal | None:
        return None

    endpoint = GraphQLEndpoint(
        operations=Operations(schema, limits, introspection=False),
        who=who,
        loaders=lambda: Loaders(Sources(), 1.0),
        today=lambda: date.min,
        limits=limits,
        networks=Networks(),
        origins=Origins([], methods=("POST",)),
    )
    with capture_logs(), TestClient(CabinetApp(endpoint, None, routes=[])) as http:
        yield http


def test_a_number_that_is_none_costs_its_section_and_not_the_answer(numbers: TestClient) -> None:
    names = ("good", "nan", "infinite", "huge", "text", "strange")
    query = "{" + " ".join(f"{name} {{ value }}" for name in names) + "}"
    reply = numbers.post("/graphql", json={"query": query})
    assert reply.json()["data"] == {"good": {"value": 1.5}, **dict.fromkeys(names[1:])}
    assert {error["path"][0] for error in reply.json()["errors"]} == set(names[1:])
    assert "sec-ret" not in reply.text
