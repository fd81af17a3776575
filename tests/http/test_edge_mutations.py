"""What mutations need of the edge: never by GET, cookies in the answer, and who asks by a cookie or a token."""

import json
from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any

import pytest
from graphql import GraphQLField, GraphQLNonNull, GraphQLObjectType, GraphQLResolveInfo, GraphQLSchema, GraphQLString
from httpx2 import Response
from starlette.testclient import TestClient
from structlog.testing import capture_logs

from bff.domain import CustomerId
from bff.errors import Unauthenticated, Unavailable
from bff.identity import Principal
from bff.loaders import Loaders
from bff.sources import Sources
from bff.web.graphql import GraphQLEndpoint
from bff.web.limits import LimitSettings
from bff.web.networks import Networks
from bff.web.operations import Operations
from bff.web.origins import Origins
from bff.web.routes import CabinetApp

SIGN_IN = "mutation { signIn }"


class Door:
    """A schema with one mutation that counts, and sets two cookies."""

    def __init__(self) -> None:
        self.effects = 0
        self.networks: list[str] = []
        string = GraphQLNonNull(GraphQLString)
        query = GraphQLObjectType("Query", {"me": GraphQLField(GraphQLString, resolve=self.me)})
        mutation = GraphQLObjectType("Mutation", {"signIn": GraphQLField(string, resolve=self.sign_in)})
        self.schema = GraphQLSchema(query, mutation)

    def me(self, _: None, info: GraphQLResolveInfo[Any]) -> str:
        return str(info.context.customer)

    def sign_in(self, _: None, info: GraphQLResolveInfo[Any]) -> str:
        self.effects += 1
        self.networks.append(info.context.network)
        info.context.set_cookie += ["__Host-kabinet=a; Path=/; Secure; HttpOnly; SameSite=Lax", "b=c"]
        return "done"


async def who(headers: Mapping[bytes, bytes]) -> Principal | None:
    match headers.get(b"authorization", headers.get(b"cookie")):
        case b"Bearer c-1" | b"__Host-kabinet=c-1":
            return Principal(CustomerId("c-1"))
        case b"Bearer away":
            raise Unavailable("sec-ret")
        case None:
            return None
    raise Unauthenticated("not known")


@pytest.fixture
def door() -> Door:
    return Door()


@pytest.fixture
def http(door: Door) -> Iterator[TestClient]:
    limits = LimitSettings()
    endpoint = GraphQLEndpoint(
        operations=Operations(door.schema, limits, introspection=False),
        who=who,
        loaders=lambda: Loaders(Sources(), 1.0),
        today=lambda: date.min,
        limits=limits,
        networks=Networks(),
        origins=Origins([], methods=("GET", "POST")),
        get_queries=True,
    )
    with capture_logs(), TestClient(CabinetApp(endpoint, None, routes=[]), client=("203.0.113.7", 5)) as client:
        yield client


def post(http: TestClient, query: str, **headers: str) -> Response:
    named = {"Content-Type": "application/json", **{name.replace("_", "-"): each for name, each in headers.items()}}
    return http.post("/graphql", content=json.dumps({"query": query}), headers=named)


def codes(reply: Response) -> list[Any]:
    return [error["extensions"]["code"] for error in reply.json()["errors"]]


@pytest.mark.parametrize("accept", ["application/json", "application/graphql-response+json", "*/*"])
def test_a_mutation_by_get_has_no_effect(http: TestClient, door: Door, accept: str) -> None:
    for parameters in (
        {"query": SIGN_IN},
        {"query": "query a { me } mutation b { signIn }", "operationName": "b"},
    ):
        reply = http.get("/graphql", params=parameters, headers={"Accept": accept})
        assert (reply.status_code, codes(reply)) == (405, ["BAD_USER_INPUT"])
        assert reply.headers["allow"] == "POST"
    assert door.effects == 0
    answer = http.get("/graphql", params={"query": "query a { me } mutation b { signIn }", "operationName": "a"})
    assert codes(answer) == ["UNAUTHENTICATED"]


def test_a_mutation_by_head_or_put_has_no_effect(http: TestClient, door: Door) -> None:
    for method in ("HEAD", "PUT", "DELETE", "PATCH"):
        assert http.request(method, "/graphql", params={"query": SIGN_IN}).status_code == 405
    assert door.effects == 0


def test_cookies_of_a_mutation_are_set(http: TestClient, door: Door) -> None:
    reply = post(http, SIGN_IN)
    assert reply.json() == {"data": {"signIn": "done"}}
    assert reply.headers.get_list("set-cookie") == [
        "__Host-kabinet=a; Path=/; Secure; HttpOnly; SameSite=Lax",
        "b=c",
    ]
    assert door.networks == ["203.0.113.7"]
    assert "set-cookie" not in post(http, "{ __typename }").headers


def test_a_sessions_cookie_needs_the_header_that_no_form_can_send(http: TestClient, door: Door) -> None:
    cookie = {"Cookie": "__Host-kabinet=c-1"}
    for more in ({}, {"Origin": "http://testserver"}, {"Sec_Fetch_Site": "same-origin"}):
        reply = post(http, SIGN_IN, **cookie, **more)
        assert (reply.status_code, codes(reply)) == (403, ["FORBIDDEN"])
    foreign = post(http, SIGN_IN, **cookie, X_Kabinet_CSRF="1", Origin="https://evil.example")
    assert (foreign.status_code, codes(foreign)) == (403, ["FORBIDDEN"])
    assert door.effects == 0
    assert post(http, "{ me }", **cookie, X_Kabinet_CSRF="1").json() == {"data": {"me": "c-1"}}
    assert post(http, SIGN_IN, **cookie, X_Kabinet_CSRF="1", Origin="http://testserver").status_code == 200
    assert post(http, SIGN_IN, **cookie, Authorization="Bearer c-1").status_code == 200
    assert door.effects == 2


def test_where_it_cannot_be_told_who_asks_that_is_said(http: TestClient, door: Door) -> None:
    reply = post(http, SIGN_IN, Authorization="Bearer away")
    assert (reply.status_code, codes(reply)) == (503, ["UNAVAILABLE"])
    assert "sec-ret" not in reply.text
    assert post(http, SIGN_IN, Authorization="Bearer wrong").status_code == 401
    assert door.effects == 0
