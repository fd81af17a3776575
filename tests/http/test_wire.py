"""Answers on the wire: in one piece where they can be, and never kept back where the client waits for them."""

from collections.abc import Iterator

import pytest

from bff.app import assemble
from bff.demo.launch import DemoOffices
from bff.demo.run import demo_settings, serving
from tests.http.edge import Edge, read_reply

BODY = b'{"query": "{ __typename }"}'
POST = b"POST /graphql HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 27\r\n"


@pytest.fixture(scope="module")
def edge(running_offices: DemoOffices) -> Iterator[Edge]:
    with serving(assemble(demo_settings(running_offices))) as address:
        yield Edge(address)


def test_head_and_body_come_in_one_piece(edge: Edge) -> None:
    with edge.connect() as connection:
        for _ in range(3):
            connection.sendall(POST + b"\r\n" + BODY)
            received = connection.recv(65_536)
            assert received.startswith(b"HTTP/1.1 200 OK\r\n")
            assert received.endswith(b'\r\n\r\n{"data":{"__typename":"Query"}}')


def test_pipelined_requests_are_answered_one_after_the_other(edge: Edge) -> None:
    with edge.connect() as connection:
        connection.sendall((POST + b"\r\n" + BODY) * 3)
        received = b""
        while received.count(b'{"data":{"__typename":"Query"}}') < 3:
            received += connection.recv(65_536)
        assert received.count(b"HTTP/1.1 200 OK\r\n") == 3


def test_who_expects_100_continue_gets_it_first(edge: Edge) -> None:
    with edge.connect() as connection:
        connection.sendall(POST + b"Expect: 100-continue\r\n\r\n")
        assert connection.recv(65_536) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(BODY)
        assert read_reply(connection).json == {"data": {"__typename": "Query"}}


def test_an_answer_without_a_body_comes_too(edge: Edge) -> None:
    with edge.connect() as connection:
        connection.sendall(b"HEAD /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        received = connection.recv(65_536)
        assert received.startswith(b"HTTP/1.1 ")
        assert received.endswith(b"\r\n\r\n")
        connection.sendall(POST + b"\r\n" + BODY)
        assert read_reply(connection).status == 200


def test_an_answer_after_which_the_connection_closes_is_whole(edge: Edge) -> None:
    reply = edge.exchange(POST + b"Connection: close\r\n\r\n" + BODY)
    assert reply.headers["connection"] == "close"
    assert reply.json == {"data": {"__typename": "Query"}}
