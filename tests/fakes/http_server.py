"""
An HTTP server on a real socket that answers as a script says, byte by byte where a test wants that.

A script gets the request and the connection's writer: it may answer, drip, hang, cut or lie. Where whole answers are
enough, `answers(…)` makes the script.
"""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Asked:
    """A request: `target` as it was sent, names of `headers` in lower case."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes


Script: TypeAlias = Callable[[Asked, asyncio.StreamWriter], Awaitable[None]]


def head(status: int = 200, **headers: str) -> bytes:
    """The start of an answer; `_` in the names of headers stands for `-`."""
    lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
    return f"HTTP/1.1 {status} -\r\n{lines}\r\n".encode()


def answers(body: bytes = b"", status: int = 200, **headers: str) -> Script:
    """Answer each request alike, with the right length."""
    whole = head(status, Content_Length=str(len(body)), **headers) + body

    async def script(_: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(whole)

    return script


def sends(*parts: bytes) -> Script:
    """Send these bytes, whatever they mean, and close."""

    async def script(_: Asked, writer: asyncio.StreamWriter) -> None:
        for part in parts:
            writer.write(part)
            await writer.drain()
        writer.close()

    return script


def hangs(*parts: bytes) -> Script:
    """Send these bytes, and then nothing for ever."""

    async def script(_: Asked, writer: asyncio.StreamWriter) -> None:
        for part in parts:
            writer.write(part)
        await asyncio.Event().wait()

    return script


def repeats(start: bytes, part: bytes, *, pause: float = 0.0) -> Script:
    """Send `start`, then `part` without an end; with a pause it is a drip."""

    async def script(_: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(start)
        while True:
            writer.write(part)
            await writer.drain()
            await asyncio.sleep(pause)

    return script


@dataclass(slots=True)
class ScriptedServer:
    """A server that runs: set `script`, then look at `asked`."""

    script: Script
    address: str = ""
    asked: list[Asked] = field(default_factory=list)
    connections: int = 0
    _news: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def heard(self, requests: int) -> None:
        """Wait until so many requests have come."""
        async with self._news:
            await self._news.wait_for(lambda: len(self.asked) >= requests)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer the requests of one connection."""
        self.connections += 1
        with suppress(asyncio.IncompleteReadError, ConnectionError, ssl.SSLError):
            while not writer.is_closing():
                asked = await _read(reader)
                self.asked.append(asked)
                async with self._news:
                    self._news.notify_all()
                await self.script(asked, writer)
                await writer.drain()


async def _read(reader: asyncio.StreamReader) -> Asked:
    first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").strip().split("\r\n")
    method, target, _ = first.split(" ")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
    return Asked(method, target, headers, await reader.readexactly(int(headers.get("content-length", "0"))))


@asynccontextmanager
async def scripted(script: Script, *, tls: ssl.SSLContext | None = None) -> AsyncIterator[ScriptedServer]:
    """Run a server for as long as the context lasts; connections that hang are cut at its end."""
    running: set[asyncio.Task[None]] = set()
    server = ScriptedServer(script)

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        running.add(task)
        try:
            await server.serve(reader, writer)
        except asyncio.CancelledError:
            pass  # the test is over
        finally:
            running.discard(task)
            writer.transport.abort()

    listening = await asyncio.start_server(connected, "127.0.0.1", 0, ssl=tls)
    server.address = f"{'https' if tls else 'http'}://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
    try:
        yield server
    finally:
        listening.close()
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
