"""A back office on a real socket that answers as a test says and keeps what it was asked."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, TypeAlias
from urllib.parse import parse_qsl


@dataclass(frozen=True, slots=True)
class Asked:
    """A request: `path` as it was sent, `query` decoded, names of `headers` in lower case."""

    method: str
    path: str
    query: list[tuple[str, str]]
    headers: Mapping[str, str]

    def all(self, name: str) -> list[str]:
        """The values of a parameter, in order."""
        return [value for key, value in self.query if key == name]


@dataclass(frozen=True, slots=True)
class Answer:
    """`cut` bytes are declared and not sent."""

    body: bytes = b""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    cut: int = 0


def as_json(value: Any, status: int = 200, **headers: str) -> Answer:
    """An answer with a JSON body; `_` in the names of headers stands for `-`."""
    named = {name.replace("_", "-"): text for name, text in headers.items()}
    return Answer(json.dumps(value, ensure_ascii=False).encode(), status, named)


Behaviour: TypeAlias = Callable[[Asked], Answer | Awaitable[Answer]]


def _nothing(_: Asked) -> Answer:
    return Answer(b"{}")


class FakeServer:
    """`async with FakeServer() as server`; set `server.behaviour`, then look at `server.asked`."""

    def __init__(self) -> None:
        self.behaviour: Behaviour = _nothing
        self.asked: list[Asked] = []
        self.in_flight = 0
        self.most_in_flight = 0
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def address(self) -> str:
        """Where it is."""
        assert self._server is not None
        port = self._server.sockets[0].getsockname()[1]
        return f"http://127.0.0.1:{port}"

    async def __aenter__(self) -> "FakeServer":
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server is not None
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                if not await self._answer(head.decode("latin-1"), writer):
                    break
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            self._tasks.discard(task)
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()

    async def _answer(self, head: str, writer: asyncio.StreamWriter) -> bool:
        first, *lines = head.strip().split("\r\n")
        method, target, _ = first.split(" ")
        path, _, query = target.partition("?")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
        asked = Asked(method, path, parse_qsl(query, keep_blank_values=True, strict_parsing=bool(query)), headers)
        self.asked.append(asked)
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            given = self.behaviour(asked)
            answer = given if isinstance(given, Answer) else await given
        finally:
            self.in_flight -= 1
        names = {"Content-Type": "application/json", "Content-Length": str(len(answer.body)), **answer.headers}
        start = f"HTTP/1.1 {answer.status} -\r\n" + "".join(f"{name}: {value}\r\n" for name, value in names.items())
        writer.write(start.encode() + b"\r\n" + answer.body[: len(answer.body) - answer.cut])
        await writer.drain()
        return not answer.cut
