"""Connections that `bff.http` keeps: nothing unasked is taken for an answer, and nothing is sent twice."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from bff.errors import Unavailable
from bff.http import HttpClient, HttpClients, HttpLimits
from tests.fakes.http_server import Asked, ScriptedServer, answers, head, scripted, sends

pytestmark = pytest.mark.anyio

LIMITS = HttpLimits(total_seconds=20, connect_seconds=20, connections=1)


@asynccontextmanager
async def client_of(server: ScriptedServer) -> AsyncIterator[HttpClient]:
    made = HttpClients().open("erp", server.address, LIMITS)
    try:
        yield made
    finally:
        await made.close()


def answer(text: bytes) -> bytes:
    return head(Content_Length=str(len(text))) + text


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_what_comes_with_an_answer_is_not_the_next_answer(method: str) -> None:
    async def twice(asked: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(answer(asked.target.encode()) + answer(b"unasked"))

    async with scripted(twice) as server, client_of(server) as made:
        for path in ("/1", "/2", "/3"):
            assert (await made.request(method, path, body=b"x")).body == path.encode()
        assert [asked.target for asked in server.asked] == ["/1", "/2", "/3"]


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("rest", [answer(b"unasked"), b"HTTP/1.1 200 -\r\nCont", b"?"])
async def test_what_comes_behind_an_answer_is_not_the_next_answer(method: str, rest: bytes) -> None:
    goes_on, sent = asyncio.Event(), asyncio.Event()

    async def late(asked: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(answer(asked.target.encode()))
        if asked.target == "/1":
            await goes_on.wait()
            writer.write(rest)
            await writer.drain()
            sent.set()

    async with scripted(late) as server, client_of(server) as made:
        assert (await made.request(method, "/1", body=b"x")).body == b"/1"
        goes_on.set()
        await sent.wait()
        await asyncio.sleep(0.05)  # for the bytes to arrive; if they have not, the test is easier to pass, not harder
        assert (await made.request(method, "/2", body=b"x")).body == b"/2"
        assert [asked.target for asked in server.asked] == ["/1", "/2"]


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_request_without_an_answer_is_not_sent_again(method: str) -> None:
    async with scripted(answers(b"ok")) as server, client_of(server) as made:
        await made.request(method, "/1")
        server.script = sends()
        with pytest.raises(Unavailable, match="ServerDisconnectedError"):
            await made.request(method, "/2")
        assert [asked.target for asked in server.asked] == ["/1", "/2"]


async def test_a_header_that_comes_twice_is_one() -> None:
    lines = b"Set-Cookie: a=1\r\nSET-COOKIE: b=2\r\n"
    script = sends(b"HTTP/1.1 200 -\r\n" + lines + b"Content-Length: 0\r\n\r\n")
    async with scripted(script) as server, client_of(server) as made:
        assert (await made.request("GET")).headers["set-cookie"] == "a=1, b=2"
