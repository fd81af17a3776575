"""Bad inputs, group A: HTTP that is no good request gets a coded 4xx, nothing is asked, and the service goes on."""

import gzip
import json
import socket
from collections.abc import Iterator

import pytest

from bff.app import assemble
from bff.demo.launch import DemoOffices
from bff.demo.run import demo_headers, demo_settings, serving
from tests.http.conftest import COLD
from tests.http.edge import PATIENCE, Edge, Reply, read_reply

NAME = {"query": "{ dashboard { profile { displayName } } }"}
HEAD = b"POST /graphql HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
PRODUCTION = {"graphiql": False, "introspection": False}


@pytest.fixture(scope="module")
def address(running_offices: DemoOffices) -> Iterator[str]:
    with serving(assemble(demo_settings(running_offices, over=COLD, **PRODUCTION))) as address:
        yield address


@pytest.fixture
def edge(address: str, offices: DemoOffices) -> Iterator[Edge]:
    """The cabinet with a shop's settings; whatever the test did, nobody was asked, and it still serves."""
    edge = Edge(address)
    yield edge
    assert [office.calls() for office in offices] == [{}, {}, {}]
    assert edge.post({"query": "{ __typename }"}).json == {"data": {"__typename": "Query"}}


@pytest.fixture(scope="module")
def hasty_address(running_offices: DemoOffices) -> Iterator[str]:
    limits = {"limits": {"body_seconds": 0.2, "head_seconds": 0.4}}
    with serving(assemble(demo_settings(running_offices, over=limits, **PRODUCTION))) as address:
        yield address


@pytest.fixture
def hasty(hasty_address: str) -> Edge:
    """The same with little patience."""
    return Edge(hasty_address)


def refused(reply: Reply, status: int, code: str = "BAD_USER_INPUT") -> None:
    assert reply.status == status
    assert reply.codes == {code}
    assert "data" not in reply.json
    assert reply.headers["cache-control"] == "private, no-store"
    assert reply.headers["x-content-type-options"] == "nosniff"
    assert "server" not in reply.headers
    assert b"Traceback" not in reply.body
    assert b"File " not in reply.body


BODIES = {
    "invalid UTF-8": b'{"query": "\xff"}',
    "null": b"null",
    "a number": b"5",
    "a string": b'"{ __typename }"',
    "20,000 deep": b'{"query": "{ __typename }", "variables": ' + b"[" * 20_000 + b"]" * 20_000 + b"}",
    "duplicate keys": b'{"query": "{ __typename }", "query": "{ dashboard { profile { phone } } }"}',
    "NaN as a variable": b'{"query": "query q($a: ID!) { node(id: $a) { id } }", "variables": {"a": NaN}}',
    "a lone surrogate": b'{"query": "query q($a: ID!) { node(id: $a) { id } }", "variables": {"a": "\\ud800"}}',
}


@pytest.mark.parametrize("name", BODIES)
def test_a_body_that_is_no_request(edge: Edge, name: str) -> None:
    refused(edge.post(BODIES[name], **demo_headers()), 400)


def test_json_that_is_100_000_deep(edge: Edge) -> None:
    refused(edge.post(b"[" * 100_000 + b"]" * 100_000), 413, "TOO_LARGE")


def test_nul_in_a_value_asks_nobody(edge: Edge) -> None:
    query = "query q($id: ID!) { node(id: $id) { id } }"
    reply = edge.post({"query": query, "variables": {"id": "\0"}}, **demo_headers())
    assert reply.codes == {"NOT_FOUND"}


def test_a_body_of_5_mb_is_refused_before_it_has_come(edge: Edge) -> None:
    with edge.connect() as connection:
        connection.sendall(HEAD + b"Content-Length: 5000000\r\n\r\n")
        refused(read_reply(connection), 413, "TOO_LARGE")


def test_a_body_of_5_mb_that_comes_all_the_same_costs_the_connection_nothing(edge: Edge) -> None:
    body = b'{"query": "{ __typename }", "x": "' + b"x" * 5_000_000 + b'"}'
    with edge.connect() as connection:
        connection.sendall(HEAD + b"Content-Length: %d\r\n\r\n" % len(body) + body)
        refused(read_reply(connection), 413, "TOO_LARGE")
        connection.sendall(HEAD + b'Content-Length: 27\r\n\r\n{"query": "{ __typename }"}')
        assert read_reply(connection).json == {"data": {"__typename": "Query"}}


def test_a_chunked_body_without_end(edge: Edge) -> None:
    chunk = b"1000\r\n" + b"x" * 4_096 + b"\r\n"
    refused(edge.exchange(HEAD + b"Transfer-Encoding: chunked\r\n\r\n", *[chunk] * 17), 413, "TOO_LARGE")


def test_the_rest_of_a_refused_body_is_not_waited_for_for_ever(edge: Edge) -> None:
    with edge.connect() as connection:
        connection.sendall(HEAD + b"Content-Length: 5000000\r\n\r\n{")
        refused(read_reply(connection), 413, "TOO_LARGE")
        assert connection.recv(1) == b""


def drip(connection: socket.socket, data: bytes) -> Reply:
    """Write byte by byte, and stop when an answer comes."""
    connection.settimeout(0.01)
    for byte in data:
        try:
            connection.sendall(bytes([byte]))
            connection.recv(1, socket.MSG_PEEK)
            break
        except TimeoutError:
            continue
    connection.settimeout(PATIENCE)
    return read_reply(connection)


def test_a_body_of_one_byte_at_a_time(hasty: Edge) -> None:
    with hasty.connect() as connection:
        connection.sendall(HEAD + b"Content-Length: 10000\r\n\r\n")
        refused(drip(connection, b" " * 10_000), 408)


def test_a_body_that_stops_behind_another_request(hasty: Edge) -> None:
    whole = HEAD + b'Content-Length: 27\r\n\r\n{"query": "{ __typename }"}'
    with hasty.connect() as connection:
        connection.sendall(whole + HEAD + b"Content-Length: 27\r\n\r\n{")
        assert read_reply(connection).json == {"data": {"__typename": "Query"}}
        refused(read_reply(connection), 408)


def test_a_body_that_stops_on_a_connection_that_was_used(hasty: Edge) -> None:
    with hasty.connect() as connection:
        connection.sendall(HEAD + b'Content-Length: 27\r\n\r\n{"query": "{ __typename }"}')
        assert read_reply(connection).status == 200
        connection.sendall(HEAD + b"Content-Length: 27\r\n\r\n{")
        refused(read_reply(connection), 408)


def test_a_head_of_one_byte_at_a_time(hasty: Edge) -> None:
    with hasty.connect() as connection:
        refused(drip(connection, HEAD + b"X-A: " + b"y" * 10_000), 408)


def test_a_second_head_on_a_connection_has_its_own_time(hasty: Edge) -> None:
    with hasty.connect() as connection:
        for _ in range(2):
            connection.sendall(HEAD + b'Content-Length: 27\r\n\r\n{"query": "{ __typename }"}')
            assert read_reply(connection).status == 200
        connection.sendall(b"POST /graphql HTTP/1.1\r\nHos")
        refused(read_reply(connection), 408)


@pytest.mark.parametrize("sent", [b"", b"\r\n\r\n"], ids=["nothing", "line ends"])
def test_a_connection_that_asks_nothing_is_closed(hasty: Edge, sent: bytes) -> None:
    assert hasty.exchange(sent).status == 0


def test_a_gzip_bomb_is_not_unpacked(edge: Edge) -> None:
    bomb = gzip.compress(b'{"query": "{ __typename }", "x": "' + b" " * 20_000_000 + b'"}')
    refused(edge.post(bomb, Content_Encoding="gzip", **demo_headers()), 415)
    refused(edge.post(gzip.compress(json.dumps(NAME).encode()), Content_Encoding="gzip"), 415)


@pytest.mark.parametrize("host", ["x/?", "/healthz", "x/graphql?", "evil.example\\@x", ""])
def test_the_host_changes_nothing(edge: Edge, host: str) -> None:
    assert edge.post({"query": "{ __typename }"}, Host=host).json == {"data": {"__typename": "Query"}}
    assert edge.post(NAME, Host=host).codes == {"UNAUTHENTICATED"}
    assert "evil" not in str(edge.request("GET", "/graphql/", Host=host).headers)


def test_two_content_lengths(edge: Edge) -> None:
    body = json.dumps(NAME).encode()
    for second in (len(body), 5):
        reply = edge.exchange(HEAD + b"Content-Length: %d\r\nContent-Length: %d\r\n\r\n" % (len(body), second) + body)
        refused(reply, 400)


def test_a_content_length_and_chunks(edge: Edge) -> None:
    parts = b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
    refused(edge.exchange(HEAD + parts), 400)


@pytest.mark.parametrize("number", [1_000, 10_000])
def test_too_many_headers(edge: Edge, number: int) -> None:
    lines = b"".join(b"X-%d: y\r\n" % each for each in range(number))
    refused(edge.exchange(HEAD + lines + b"Content-Length: 0\r\n\r\n"), 431)


def test_what_is_not_http(edge: Edge) -> None:
    refused(edge.exchange(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" * 10), 400)


@pytest.mark.parametrize(
    "accept", ["text/html", "image/*", "application/json;q=0", "application/json;charset=utf-16", "x"]
)
def test_an_answer_that_would_not_be_taken_is_not_made(edge: Edge, accept: str) -> None:
    refused(edge.post(NAME, Accept=accept, **demo_headers()), 406)


@pytest.mark.parametrize("target", ["/graphql?query={dashboard{profile{phone}}}", "/graphql", "/graphql?"])
def test_queries_by_get_are_not_executed(edge: Edge, target: str) -> None:
    reply = edge.request("GET", target, **demo_headers())
    refused(reply, 405)
    assert reply.headers["allow"] == "POST"
