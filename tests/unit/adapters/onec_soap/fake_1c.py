"""A 1C on a real socket: it opens sessions as the platform does, answers as a test says, and keeps what was asked."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from types import TracebackType
from typing import TypeAlias

from lxml import etree

SOAP_11 = "http://schemas.xmlsoap.org/soap/envelope/"
SOAP_12 = "http://www.w3.org/2003/05/soap-envelope"


@dataclass(frozen=True, slots=True)
class Asked:
    """A request: names of `headers` in lower case."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def operation(self) -> "etree._Element":
        """The element inside Body."""
        return etree.fromstring(self.body)[0][0]

    def texts(self, name: str) -> list[str]:
        """The texts of all elements of a name in the request; none where it has no body, as at the end of a session."""
        if not self.body:
            return []
        return [element.text or "" for element in self.operation.iter(f"{{urn:shop}}{name}")]

    @property
    def session(self) -> str | None:
        """The cookie."""
        return self.headers.get("cookie")

    @property
    def wish(self) -> str | None:
        """What `IBSession` says."""
        return self.headers.get("ibsession")


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer; `cut` bytes of it are declared and not sent."""

    body: bytes = b""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    cut: int = 0


def envelope(content: str, *, soap: str = SOAP_11) -> bytes:
    """A SOAP envelope with this in its Body."""
    return (
        '<?xml version="1.0" encoding="UTF-8"?>'
        f'<soap:Envelope xmlns:soap="{soap}"><soap:Header/><soap:Body>{content}</soap:Body></soap:Envelope>'
    ).encode()


def result(operation: str, content: str, *, soap: str = SOAP_11) -> Answer:
    """What an operation returns, as 1C writes it; prefixes m and xsi are there."""
    return Answer(
        envelope(
            f'<m:{operation}Response xmlns:m="urn:shop"><m:return '
            f'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">{content}</m:return></m:{operation}Response>',
            soap=soap,
        )
    )


def fault(text: str, status: int = 500) -> Answer:
    """A SOAP 1.1 fault."""
    body = f"<soap:Fault><faultcode>soap:Server</faultcode><faultstring>{text}</faultstring><detail/></soap:Fault>"
    return Answer(envelope(body), status)


Behaviour: TypeAlias = Callable[[Asked], Answer | Awaitable[Answer]]


def _silent(_: Asked) -> Answer:
    return Answer(status=500)


class FakeOneC:
    """`async with FakeOneC() as server`; set `behaviour`, or queue up answers in `script`; then look at `asked`."""

    def __init__(self) -> None:
        self.behaviour: Behaviour = _silent
        self.script: list[Answer] = []
        self.asked: list[Asked] = []
        self.in_flight = 0
        self.most_in_flight = 0
        self.most_in_a_session = 0
        self.sessions_opened = 0
        self._busy: Counter[str] = Counter()
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def address(self) -> str:
        """Where the service is."""
        assert self._server is not None
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}/shop/ws/shop.1cws"

    async def __aenter__(self) -> "FakeOneC":
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
            while await self._answer(await _request(reader), writer):
                pass
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass  # cancelled only by our own end, and Python 3.11 would log that
        finally:
            self._tasks.discard(task)
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()

    async def _answer(self, asked: Asked, writer: asyncio.StreamWriter) -> bool:
        self.asked.append(asked)
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        if asked.session:
            self._busy[asked.session] += 1
            self.most_in_a_session = max(self.most_in_a_session, self._busy[asked.session])
        try:
            if self.script:
                answer = self.script.pop(0)
            else:
                given = self.behaviour(asked)
                answer = given if isinstance(given, Answer) else await given
        finally:
            self.in_flight -= 1
            if asked.session:
                self._busy[asked.session] -= 1
        headers = {"Content-Type": "text/xml; charset=utf-8", "Content-Length": str(len(answer.body))}
        if asked.wish == "start" and answer.status in {200, 500}:
            self.sessions_opened += 1
            headers["Set-Cookie"] = f"ibsession=s{self.sessions_opened}; path=/shop; HttpOnly"
        start = f"HTTP/1.1 {answer.status} -\r\n"
        start += "".join(f"{name}: {value}\r\n" for name, value in {**headers, **answer.headers}.items())
        writer.write(start.encode() + b"\r\n" + answer.body[: len(answer.body) - answer.cut])
        await writer.drain()
        return not answer.cut


async def _request(reader: asyncio.StreamReader) -> Asked:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    first, *lines = head.strip().split("\r\n")
    method, target, _ = first.split(" ")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Asked(method, target, headers, body)
