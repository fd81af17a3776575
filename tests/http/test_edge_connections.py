"""Bad inputs on one connection: trailers, requests behind requests, and who waits for whom."""

from collections.abc import Iterator
from itertools import repeat
from socket import IPPROTO_TCP, TCP_NODELAY, socket

import pytest

from bff.app import assemble
from bff.demo.launch import DemoOffices
from bff.demo.run import demo_headers, demo_settings, serving
from tests.http.edge import Edge, Reply, read_reply
from tests.patience import patient, until

HEAD = b"POST /graphql HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
SMALL = HEAD + b'Content-Length: 27\r\n\r\n{"query": "{ __typename }"}'


def asking(section: bytes) -> bytes:
    """A request for a section of the dashboard."""
    query = b'{"query": "{ dashboard { %b } }"}' % section
    token = demo_headers()["Authorization"].encode()
    return HEAD + b"Authorization: %b\r\nContent-Length: %d\r\n\r\n%b" % (token, len(query), query)


DASHBOARD = asking(b"favorites { totalCount }")
NAME = asking(b"profile { displayName }")
CHUNKED = HEAD + b'Transfer-Encoding: chunked\r\n\r\n1b\r\n{"query": "{ __typename }"}\r\n0\r\n'
LATE_MS = 1_500
"""Longer than a head and a body may take here."""

MANY_TRAILERS = b"".join(b"x-%d: %b\r\n" % (number, b"y" * 50) for number in range(1_000))


@pytest.fixture(scope="module")
def address(running_offices: DemoOffices) -> Iterator[str]:
    over = patient(cache={"enabled": False}, limits={"body_seconds": 0.5, "head_seconds": 1.0})
    with serving(assemble(demo_settings(running_offices, over=over))) as address:
        yield address


@pytest.fixture
def edge(address: str, offices: DemoOffices) -> Edge:
    return Edge(address)


def refused(reply: Reply, status: int) -> None:
    assert reply.status == status
    assert reply.codes == {"BAD_USER_INPUT"}


def written(connection: socket, piece: bytes, most: int) -> int:
    """Write pieces until the other side hangs up, `most` bytes at the most."""
    sent = 0
    for each in repeat(piece):
        try:
            connection.sendall(each)
        except ConnectionError:
            break
        sent += len(each)
        if sent >= most:
            break
    return sent


@pytest.mark.parametrize("piece", [MANY_TRAILERS, b"y" * 60_000], ids=["many", "one without end"])
@pytest.mark.parametrize("before", [CHUNKED, CHUNKED.replace(b"/json", b"/xml")], ids=["good", "refused"])
def test_trailers_without_end(edge: Edge, before: bytes, piece: bytes) -> None:
    most = 50_000_000
    with edge.connect() as connection:
        connection.sendall(before + b"x: ")
        assert written(connection, piece, most) < most
    assert edge.exchange(SMALL).status == 200


def test_trailers_are_nobody_s(edge: Edge) -> None:
    with edge.connect() as connection:
        for _ in range(2):
            connection.sendall(CHUNKED + b"Authorization: Bearer x\r\nX-A: b\r\n\r\n")
            assert read_reply(connection).json == {"data": {"__typename": "Query"}}


@pytest.mark.parametrize("more", [b"POST /gr", HEAD + b"Content-Length: 50\r\n\r\n{"], ids=["head", "body"])
def test_what_stops_behind_another_request_is_late_when_that_has_its_answer(
    edge: Edge, offices: DemoOffices, more: bytes
) -> None:
    offices.cms.faults(latency_ms=LATE_MS)
    with edge.connect() as connection:
        connection.sendall(DASHBOARD + more)
        assert read_reply(connection).json["data"]["dashboard"]["favorites"]
        refused(read_reply(connection), 408)
        assert connection.recv(1) == b""


def test_a_head_that_began_in_another_request_s_piece_has_its_time_too(edge: Edge) -> None:
    with edge.connect() as connection:
        connection.sendall(SMALL[:20])
        connection.sendall(SMALL[20:] + HEAD)
        assert read_reply(connection).status == 200
        connection.sendall(b"X-A: ")
        refused(read_reply(connection), 408)


@pytest.mark.parametrize(
    "bad",
    [b"\x16\x03\x01", HEAD + b"X-A: b\r\n" * 200 + b"\r\n", HEAD + b"Transfer-Encoding: chunked\r\n\r\nnot hex\r\n"],
    ids=["no HTTP", "headers", "chunks"],
)
def test_what_is_bad_behind_another_request_is_not_its_answer(edge: Edge, offices: DemoOffices, bad: bytes) -> None:
    offices.cms.faults(latency_ms=LATE_MS)
    with edge.connect() as connection:
        connection.sendall(DASHBOARD)
        connection.sendall(bad)
        assert connection.recv(65_536) == b""


def test_many_requests_in_one_piece_are_no_long_head(edge: Edge) -> None:
    padded = HEAD + b'Content-Length: 1027\r\n\r\n{"query": "{ __typename }"}' + b" " * 1_000
    with edge.connect() as connection:
        connection.sendall(SMALL[:20])
        connection.sendall(SMALL[20:] + padded * 90 + HEAD)
        for _ in range(91):
            assert read_reply_of(connection) == b'{"data":{"__typename":"Query"}}'


def test_requests_are_not_taken_ahead_without_end(edge: Edge, capfd: pytest.CaptureFixture[str]) -> None:
    most = 50_000_000
    with edge.connect() as connection:
        assert written(connection, b"GET /x HTTP/1.1\r\nHost: x\r\n\r\n" * 2_000, most) < most
    assert edge.exchange(SMALL).status == 200
    assert "Traceback" not in "".join(capfd.readouterr())


def test_who_leaves_while_requests_of_theirs_wait_leaves_nothing_in_the_log(
    edge: Edge, offices: DemoOffices, capfd: pytest.CaptureFixture[str]
) -> None:
    offices.erp.faults(latency_ms=200)
    with edge.connect() as connection:
        connection.sendall(NAME + SMALL * 3)
        until(offices.erp.calls)
    with edge.connect() as connection:
        connection.sendall(NAME)
        assert read_reply(connection).status == 200
    assert "Traceback" not in "".join(capfd.readouterr())


def test_chunks_whose_sizes_come_apart_from_them_are_no_trailers(edge: Edge) -> None:
    with edge.connect() as connection:
        connection.setsockopt(IPPROTO_TCP, TCP_NODELAY, 1)
        connection.sendall(HEAD + b"Transfer-Encoding: chunked\r\n\r\nc350\r\n")
        for _ in range(3):
            connection.sendall(b" " * 50_000 + b"\r\nc350\r\n")
        reply = read_reply(connection)
    assert reply.codes == {"TOO_LARGE"}


def read_reply_of(connection: socket) -> bytes:
    """One answer's body, and nothing of the next one's."""
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        head += connection.recv(1)
    length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
    body = b""
    while len(body) < length:
        body += connection.recv(length - len(body))
    return body


@pytest.mark.parametrize("offer", [b"h2c", b"websocket"])
def test_an_offer_beside_another_connection_header_is_seen_too(edge: Edge, offer: bytes) -> None:
    lines = b"Connection: Upgrade\r\nConnection: keep-alive\r\nUpgrade: %b\r\n" % offer
    refused(edge.exchange(HEAD + lines + b'Content-Length: 27\r\n\r\n{"query": "{ __typename }"}'), 400)


def test_a_head_after_an_early_answer_and_its_body_has_its_time(edge: Edge) -> None:
    body = b"x" * 70_000
    with edge.connect() as connection:
        connection.sendall(HEAD + b"Content-Length: %d\r\n\r\n" % len(body))
        assert read_reply(connection).status == 413
        connection.sendall(body)
        connection.sendall(b"POST /gr")
        refused(read_reply(connection), 408)


@pytest.mark.parametrize("chunk", [b"5\r\n{", b""], ids=["in a chunk", "before the first"])
def test_a_chunked_body_that_stops(edge: Edge, chunk: bytes) -> None:
    with edge.connect() as connection:
        connection.sendall(HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + chunk)
        refused(read_reply(connection), 408)


def test_who_is_told_to_go_on_and_does_not(edge: Edge) -> None:
    with edge.connect() as connection:
        connection.sendall(HEAD + b"Content-Length: 27\r\nExpect: 100-continue\r\n\r\n")
        assert connection.recv(65_536) == b"HTTP/1.1 100 Continue\r\n\r\n"
        refused(read_reply(connection), 408)


def test_a_late_body_is_refused_as_the_endpoint_does(edge: Edge) -> None:
    with edge.connect() as connection:
        connection.sendall(HEAD + b"Accept: application/graphql-response+json\r\nContent-Length: 27\r\n\r\n{")
        reply = read_reply(connection)
    refused(reply, 408)
    assert reply.headers["content-type"] == "application/graphql-response+json; charset=utf-8"
    assert "content-security-policy" in reply.headers


def test_a_body_with_an_offer_of_http_2_is_refused_in_clear_words(edge: Edge) -> None:
    offer = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n"
    reply = edge.exchange(HEAD + offer + b'Content-Length: 27\r\n\r\n{"query": "{ __typename }"}')
    refused(reply, 400)
    assert "Upgrade" in reply.json["errors"][0]["message"]
