"""A back office on a real socket that answers as a test says and keeps what it was asked."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Generic, Self, TypeVar
from urllib.parse import parse_qsl


@dataclass(frozen=True, slots=True)
class Received:
    """A request: `target` as it was sent, names of `headers` in lower case."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes


class Asked(Received):
    """A request whose query says what is wanted."""

    __slots__ = ()

    @property
    def path(self) -> str:
        """The path as it was sent."""
        return self.target.partition("?")[0]

    @property
    def query(self) -> list[tuple[str, str]]:
        """The query, decoded."""
        query = self.target.partition("?")[2]
        return parse_qsl(query, keep_blank_values=True, strict_parsing=bool(query))

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


R = TypeVar("R", bound=Received)


class FakeOffice(Generic[R]):
    """
    `async with` one of its kinds; set `behaviour`, then look at `asked`.

    Args:
        request: what requests are made into.
        behaviour: how it answers to begin with.
        media_type: of its answers, unless they say another.
    """

    def __init__(
        self, request: type[R], behaviour: Callable[[R], Answer | Awaitable[Answer]], *, media_type: str
    ) -> None:
        self.behaviour = behaviour
        self.asked: list[R] = []
        self.in_flight = 0
        self.most_in_flight = 0
        self._request = request
        self._media_type = media_type
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def address(self) -> str:
        """Where it is."""
        assert self._server is not None
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def __aenter__(self) -> Self:
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

    async def answer(self, asked: R) -> Answer:
        """What it says to a request."""
        given = self.behaviour(asked)
        return given if isinstance(given, Answer) else await given

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            while await self._answered(await self._read(reader), writer):
                pass
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass  # cancelled only by our own end, and Python 3.11 would log that
        finally:
            self._tasks.discard(task)
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()

    async def _read(self, reader: asyncio.StreamReader) -> R:
        first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").strip().split("\r\n")
        method, target, _ = first.split(" ")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        return self._request(method, target, headers, body)

    async def _answered(self, asked: R, writer: asyncio.StreamWriter) -> bool:
        """Answer; says whether the connection stays open."""
        self.asked.append(asked)
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            answer = await self.answer(asked)
        finally:
            self.in_flight -= 1
        names = {"Content-Type": self._media_type, "Content-Length": str(len(answer.body)), **answer.headers}
        start = f"HTTP/1.1 {answer.status} -\r\n" + "".join(f"{name}: {value}\r\n" for name, value in names.items())
        writer.write(start.encode() + b"\r\n" + answer.body[: len(answer.body) - answer.cut])
        await writer.drain()
        return not answer.cut


class FakeServer(FakeOffice[Asked]):
    """One that speaks JSON."""

    def __init__(self) -> None:
        super().__init__(Asked, lambda _: Answer(b"{}"), media_type="application/json")
