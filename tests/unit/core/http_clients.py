"""Clients of `bff.http` for tests, and a call to a server that does as a script says."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from bff.http import HttpClient, HttpReply
from tests.fakes.http_server import Script, head, scripted

NOW = datetime(2026, 11, 21, 10, 0, tzinfo=UTC)

CHUNKED = head(Transfer_Encoding="chunked")

CHUNK = b"400\r\n" + b"x" * 1024 + b"\r\n"

Open = Callable[..., HttpClient]


async def ask(client: Open, script: Script, **limits: Any) -> HttpReply:
    async with scripted(script) as server:
        return await client(server.address, **limits).request("GET", "/x")
