"""Bad inputs, group C: what a foreign page could make a browser send gets 4xx, and has no effect. And CORS."""

from collections.abc import Iterator

import pytest

from bff.app import assemble
from bff.config import SettingsError
from bff.demo.launch import DemoOffices
from bff.demo.run import demo_headers, demo_settings, serving
from tests.http.conftest import COLD
from tests.http.edge import Edge, Reply

LISTED = "https://shop.example.ru"
FOREIGN = "https://evil.example"
NAME = {"query": "{ dashboard { profile { displayName } } }"}


@pytest.fixture(scope="module")
def address(running_offices: DemoOffices) -> Iterator[str]:
    server = {"graphiql": False, "introspection": False, "origins": [LISTED]}
    with serving(assemble(demo_settings(running_offices, over=COLD, **server))) as address:
        yield address


@pytest.fixture
def edge(address: str) -> Edge:
    return Edge(address)


@pytest.fixture
def untouched(offices: DemoOffices) -> Iterator[None]:
    """Whatever the test did, nobody was asked."""
    yield
    assert [office.calls() for office in offices] == [{}, {}, {}]


def refused(reply: Reply, status: int, code: str = "BAD_USER_INPUT") -> None:
    assert (reply.status, reply.codes) == (status, {code})
    assert not any(name.startswith("access-control-") for name in reply.headers)


FORM = b"query=%7Bdashboard%7Bprofile%7BdisplayName%7D%7D%7D"
MULTIPART = (
    b'--x\r\nContent-Disposition: form-data; name="operations"\r\n\r\n' + b'{"query": "{ __typename }"}\r\n--x--\r\n'
)


@pytest.mark.usefixtures("untouched")
@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("text/plain", b'{"query": "{ dashboard { profile { displayName } } }"}'),
        ("text/plain;application/json", b'{"query": "{ dashboard { profile { displayName } } }"}'),
        ("application/x-www-form-urlencoded", FORM),
        ("multipart/form-data; boundary=x", MULTIPART),
        ("", b'{"query": "{ dashboard { profile { displayName } } }"}'),
    ],
    ids=["text", "text that says JSON", "a form", "multipart", "nothing"],
)
def test_what_a_form_can_send_is_refused(edge: Edge, content_type: str, body: bytes) -> None:
    refused(edge.post(body, Content_Type=content_type, **demo_headers()), 415)


@pytest.mark.usefixtures("untouched")
@pytest.mark.parametrize(
    "origin", [FOREIGN, "null", LISTED + ".evil.example", "http://shop.example.ru", LISTED + ":444"]
)
@pytest.mark.parametrize("cookie", [{}, {"Cookie": "__Host-kabinet=kc1.x.y", "X_Kabinet_CSRF": "1"}])
def test_a_foreign_origin_is_refused(edge: Edge, origin: str, cookie: dict[str, str]) -> None:
    refused(edge.post(NAME, Origin=origin, **demo_headers(), **cookie), 403, "FORBIDDEN")


@pytest.mark.usefixtures("untouched")
@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_a_browser_that_says_so_itself_is_believed(edge: Edge, site: str) -> None:
    refused(edge.post(NAME, Sec_Fetch_Site=site, **demo_headers()), 403, "FORBIDDEN")
    refused(edge.post(NAME, Sec_Fetch_Site=site, Origin="http://cabinet", **demo_headers()), 403, "FORBIDDEN")


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Origin": LISTED},
        {"Origin": LISTED, "Sec_Fetch_Site": "cross-site"},
        {"Origin": "http://cabinet"},
        {"Origin": "https://CABINET"},
        {"Origin": "https://behind-a-proxy.example.ru", "Sec_Fetch_Site": "same-origin"},
        {"Sec_Fetch_Site": "none"},
    ],
)
def test_the_services_own_pages_and_those_of_the_list_may_ask(edge: Edge, headers: dict[str, str]) -> None:
    reply = edge.post({"query": "{ __typename }"}, **headers)
    assert reply.json == {"data": {"__typename": "Query"}}
    assert reply.headers["vary"] == "Origin"
    allowed = reply.headers.get("access-control-allow-origin")
    assert allowed == (LISTED if headers.get("Origin") == LISTED else None)


@pytest.mark.usefixtures("untouched")
@pytest.mark.parametrize("query", [NAME["query"], "{ __typename }"])
def test_a_sessions_cookie_without_the_header_that_no_form_sends_is_refused(edge: Edge, query: str) -> None:
    cookie = "theme=dark; __Host-kabinet=kc1.x.y"
    refused(edge.post({"query": query}, Cookie=cookie), 403, "FORBIDDEN")
    refused(edge.post({"query": query}, Cookie=cookie, Origin="http://cabinet"), 403, "FORBIDDEN")


def test_a_preflight_is_answered_exactly(edge: Edge) -> None:
    asked = {"Access_Control_Request_Method": "POST", "Access_Control_Request_Headers": "content-type"}
    reply = edge.request("OPTIONS", "/graphql", Origin=LISTED, **asked)
    assert (reply.status, reply.body) == (204, b"")
    assert {name: value for name, value in reply.headers.items() if name.startswith("access-control-")} == {
        "access-control-allow-origin": LISTED,
        "access-control-allow-credentials": "true",
        "access-control-allow-methods": "POST",
        "access-control-allow-headers": "Authorization, Content-Type, X-Kabinet-CSRF",
        "access-control-expose-headers": "Retry-After",
        "access-control-max-age": "7200",
    }
    assert "content-length" not in reply.headers
    refused(edge.request("OPTIONS", "/graphql", Origin=FOREIGN, **asked), 403, "FORBIDDEN")
    refused(edge.request("OPTIONS", "/graphql", Origin="http://cabinet"), 405)


def test_a_listed_page_hears_why_it_is_refused(edge: Edge) -> None:
    reply = edge.post(b"null", Origin=LISTED)
    assert (reply.status, reply.codes) == (400, {"BAD_USER_INPUT"})
    assert reply.headers["access-control-allow-origin"] == LISTED


UPGRADE = "GET /graphql HTTP/1.1\r\nHost: cabinet\r\nConnection: keep-alive, Upgrade\r\nUpgrade: WebSocket\r\n"


@pytest.mark.usefixtures("untouched")
@pytest.mark.parametrize("protocol", ["graphql-transport-ws", "graphql-ws"])
def test_there_are_no_websockets(edge: Edge, protocol: str) -> None:
    more = (
        f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
        f"Sec-WebSocket-Protocol: {protocol}\r\nOrigin: {FOREIGN}\r\nCookie: __Host-kabinet=kc1.x.y\r\n\r\n"
    )
    start = b'\x81\x85\x00\x00\x00\x00{"id": "1", "type": "start", "payload": {"query": "{ __typename }"}}'
    refused(edge.exchange((UPGRADE + more).encode() + start), 400)


def test_an_offer_of_http_2_is_ignored(edge: Edge) -> None:
    offer = {"Connection": "Upgrade, HTTP2-Settings", "Upgrade": "h2c", "HTTP2_Settings": "AAMAAABkAAQAAP__"}
    assert edge.request("GET", "/healthz", **offer).json == {"status": "alive"}


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("origins", ["*"]),
        ("origins", ["https://shop.example.ru/"]),
        ("origins", ["shop.example.ru"]),
        ("origins", ["https://Shop.example.ru"]),
        ("origins", ["null"]),
        ("forwarded_from", ["10.0.0.1/8"]),
        ("forwarded_from", ["proxy.example.ru"]),
    ],
)
def test_what_is_no_origin_and_no_network_is_a_fault(setting: str, value: list[str]) -> None:
    with pytest.raises(SettingsError, match=rf"server\.{setting}"):
        demo_settings(over={"server": {setting: value}})


def test_lists_may_come_from_the_environment() -> None:
    lists = {"origins": f"{LISTED}, http://[::1]:3000", "forwarded_from": "10.0.0.0/8,fd00::1"}
    server = demo_settings(over={"server": lists}).settings.server
    assert server.origins == (LISTED, "http://[::1]:3000")
    assert server.forwarded_from == ("10.0.0.0/8", "fd00::1/128")
