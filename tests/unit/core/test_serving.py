"""A cabinet on a real socket: bodies that drip or have no end, several customers at once, and the way it stops."""

import asyncio
import json
import socket
import time
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from structlog.testing import capture_logs

from bff.demo.run import serving
from bff.http import HttpClients, HttpLimits
from bff.serving import PortTaken, Server, listen
from tests.fakes.back_offices import FakeBackOffice, profile
from tests.patience import PATIENCE_SECONDS
from tests.unit.core.cabinets import app, bearer, everything

pytestmark = pytest.mark.anyio

NAME = b'{"query": "{ dashboard { profile { displayName } } }"}'

LIMITS = HttpLimits(total_seconds=PATIENCE_SECONDS, connect_seconds=PATIENCE_SECONDS, connections=20)


def everyone(customers: Sequence[str]) -> dict[str, Any]:
    return {customer: profile(customer, f"name of {customer}") for customer in customers}


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """A cabinet whose back office knows everybody."""
    with capture_logs(), serving(everything(FakeBackOffice(profiles=everyone))) as address:
        yield address


def exchange(address: str, *parts: bytes) -> bytes:
    """Send bytes, and read until the other side has had enough."""
    host, _, port = address.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port)), timeout=PATIENCE_SECONDS) as connection:
        for part in parts:
            try:
                connection.sendall(part)
            except ConnectionError:
                break
        answer = b""
        try:
            while b"\r\n\r\n" not in answer or not answer.endswith(b"}"):
                if not (more := connection.recv(65_536)):
                    break
                answer += more
        except ConnectionError:
            pass
    return answer


HEAD = b"POST /graphql HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"


async def test_customers_at_once_get_each_their_own(address: str) -> None:
    client = HttpClients().open("kabinet", address, LIMITS)

    async def ask(customer: str) -> Any:
        headers = {**bearer(customer), "Content-Type": "application/json"}
        return json.loads((await client.request("POST", "/graphql", headers=headers, body=NAME)).body)

    customers = [f"c-{number}" for number in range(60)]
    try:
        answers = await asyncio.gather(*(ask(customer) for customer in customers))
    finally:
        await client.close()
    names = [answer["data"]["dashboard"]["profile"]["displayName"] for answer in answers]
    assert names == [f"name of {customer}" for customer in customers]


async def test_a_chunked_body_without_an_end_is_cut_at_the_limit(address: str) -> None:
    chunk = b"1000\r\n" + b"x" * 4096 + b"\r\n"
    answer = exchange(address, HEAD + b"Transfer-Encoding: chunked\r\n\r\n", *[chunk] * 17)
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert b"TOO_LARGE" in answer
    assert b"cache-control: private, no-store" in answer.lower()


async def test_a_client_that_goes_away_in_the_middle_hurts_nobody(address: str) -> None:
    host, _, port = address.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port)), timeout=PATIENCE_SECONDS) as connection:
        connection.sendall(HEAD + b"Content-Length: 100\r\n\r\n{")
    assert b'{"data":{"__typename":"Query"}}' in exchange(
        address, HEAD + b'Content-Length: 27\r\n\r\n{"query": "{ __typename }"}'
    )


@pytest.mark.parametrize(
    "request_head",
    [
        HEAD.replace(b"Host: x", b"Host: x/?"),
        HEAD.replace(b"Host: x", b"Host: /healthz"),
        HEAD.replace(b"/graphql", b"http://elsewhere/graphql"),
    ],
)
async def test_the_host_that_a_client_writes_changes_nothing(address: str, request_head: bytes) -> None:
    answer = exchange(address, request_head + b'Content-Length: 27\r\n\r\n{"query": "{ __typename }"}')
    assert b'{"data":{"__typename":"Query"}}' in answer


@pytest.mark.parametrize(
    ("start", "part"),
    [
        (HEAD, b"X-A: " + b"y" * 1_000 + b"\r\n"),
        (HEAD + b"X-A: ", b"y" * 1_000),
        (b"POST /graphql?", b"y" * 1_000),
        (b"POST", b"T" * 1_000),
    ],
    ids=["headers", "one header", "a URL", "a method"],
)
async def test_a_head_without_an_end_is_refused(address: str, start: bytes, part: bytes) -> None:
    answer = exchange(address, start, *[part] * 5_000)
    assert answer == b"" or answer.startswith((b"HTTP/1.1 400 ", b"HTTP/1.1 431 "))


def test_requests_one_after_another_on_a_connection_are_counted_each_for_itself(address: str) -> None:
    padding = b"X-A: " + b"y" * 50_000
    rest = b'\r\nContent-Length: 27\r\n\r\n{"query": "{ __typename }"}'
    host, _, port = address.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port)), timeout=PATIENCE_SECONDS) as connection:
        for _ in range(5):
            for part in (HEAD, padding, rest):
                connection.sendall(part)
                time.sleep(0.005)  # so that each piece is read on its own
            assert connection.recv(65_536).startswith(b"HTTP/1.1 200 ")


async def test_the_answer_does_not_say_what_serves_it(address: str) -> None:
    answer = exchange(address, HEAD + b'Content-Length: 27\r\n\r\n{"query": "{ __typename }"}')
    assert b"uvicorn" not in answer.lower()
    assert b"\r\nserver:" not in answer.lower()


async def test_a_port_that_is_taken_says_what_to_do() -> None:
    with listen("127.0.0.1", 0) as first:
        port = first.getsockname()[1]
        with pytest.raises(PortTaken, match=rf"cannot listen on 127\.0\.0\.1:{port} \([^()]+\); .*--port"):
            listen("127.0.0.1", port)


async def test_a_host_that_is_not_there_is_said_too() -> None:
    with pytest.raises(PortTaken, match=r"cannot listen on nobody\.invalid:0"):
        listen("nobody.invalid", 0)


async def test_ipv6_is_listened_on_by_its_address() -> None:
    if not socket.has_ipv6:
        pytest.skip("this machine has no IPv6")
    try:
        listening = listen("::1", 0)
    except PortTaken:
        pytest.skip("this machine has no IPv6 loopback")
    with listening:
        assert listening.family == socket.AF_INET6


async def test_a_server_says_when_it_is_ready_and_closes_the_back_offices_at_its_end() -> None:
    ready = asyncio.Event()
    shop = FakeBackOffice()
    server = Server(app(shop), drain_seconds=1, announce=ready.set)
    with listen("127.0.0.1", 0) as listening:
        task = asyncio.create_task(server.serve([listening]))
        await asyncio.wait_for(ready.wait(), PATIENCE_SECONDS)
        server.should_exit = True
        await task
    assert shop.closed == 1


async def test_who_is_in_a_hurry_gets_the_back_offices_closed_all_the_same() -> None:
    ready = asyncio.Event()
    shop = FakeBackOffice()
    server = Server(app(shop), drain_seconds=1, announce=ready.set)
    with listen("127.0.0.1", 0) as listening:
        task = asyncio.create_task(server.serve([listening]))
        await asyncio.wait_for(ready.wait(), PATIENCE_SECONDS)
        server.should_exit = server.force_exit = True  # what a second SIGINT does
        await task
    assert shop.closed == 1
