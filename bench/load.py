"""
A load generator: as little work a request as can be, so that it measures the service and not itself.

Raw sockets and HTTP/1.1 by hand; answers are read whole, and looked at only for `"errors"`.
"""

import asyncio
import itertools
import random
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from urllib.parse import urlsplit


@dataclass(slots=True)
class Load:
    """What came of it. Times are in milliseconds."""

    seconds: float = 0.0
    answered: int = 0
    failed: int = 0
    milliseconds: list[float] = field(default_factory=list)

    @property
    def per_second(self) -> float:
        """Answers a second."""
        return self.answered / self.seconds

    def percentile(self, share: float) -> float:
        """A percentile of the times."""
        ordered = sorted(self.milliseconds)
        return ordered[min(int(share * len(ordered)), len(ordered) - 1)]


class Connection:
    """One keep-alive connection."""

    def __init__(self, address: str) -> None:
        parts = urlsplit(address)
        self._host, self._port = parts.hostname or "127.0.0.1", parts.port or 80
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None

    async def send(self, request: bytes) -> bytes:
        """Send bytes, read one answer; its body, which is empty where there is none."""
        if self._reader is not None and self._writer is not None:
            try:
                return await self._exchange(self._reader, self._writer, request)
            except (asyncio.IncompleteReadError, ConnectionError):
                self.close()  # kept too long: the service has hung up
        self._reader, self._writer = await asyncio.open_connection(self._host, self._port, limit=2**20)
        return await self._exchange(self._reader, self._writer, request)

    @staticmethod
    async def _exchange(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: bytes) -> bytes:
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        if head.startswith(b"HTTP/1.1 204 "):
            return b""
        lowered = head.lower()
        at = lowered.index(b"content-length:") + 15
        length = int(lowered[at : lowered.index(b"\r\n", at)])
        return await reader.readexactly(length)

    def close(self) -> None:
        """Hang up."""
        if self._writer is not None:
            self._writer.close()
        self._reader = self._writer = None


class Connections:
    """As many as are needed at once."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._idle: list[Connection] = []

    async def send(self, request: bytes) -> bytes:
        """As a connection does."""
        connection = self._idle.pop() if self._idle else Connection(self._address)
        answer = await connection.send(request)
        self._idle.append(connection)
        return answer

    def close(self) -> None:
        """Hang up."""
        for connection in self._idle:
            connection.close()


def http_request(path: str, body: bytes, token: str) -> bytes:
    """A POST, ready to be sent."""
    head = (
        f"POST {path} HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\n"
        f"Authorization: Bearer {token}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


async def closed_loop(address: str, requests: Iterator[bytes], *, clients: int, seconds: float) -> Load:
    """Clients that each ask again as soon as they are answered."""
    load = Load()
    started = time.perf_counter()
    until = started + seconds

    async def client() -> None:
        connection = Connection(address)
        try:
            while (begun := time.perf_counter()) < until:
                answer = await connection.send(next(requests))
                load.milliseconds.append((time.perf_counter() - begun) * 1000)
                load.answered += 1
                load.failed += b'"errors"' in answer
        finally:
            connection.close()

    await asyncio.gather(*(client() for _ in range(clients)))
    load.seconds = time.perf_counter() - started
    return load


async def open_loop(
    address: str, requests: Iterator[bytes], *, per_second: float, seconds: float, seed: int = 1
) -> Load:
    """Requests at a fixed rate, whether answered or not: what waits in a queue is counted, too."""
    connections = Connections(address)
    try:
        return await at_rate(
            lambda: connections.send(next(requests)), per_second=per_second, seconds=seconds, seed=seed
        )
    finally:
        connections.close()


async def at_rate(ask: Callable[[], Awaitable[bytes]], *, per_second: float, seconds: float, seed: int = 1) -> Load:
    """
    Whatever is asked for, at a fixed rate.

    Each leaves at some moment of its turn: evenly spaced, they would come in step with back offices whose answers take
    a multiple of the distance. Loads that run side by side want a `seed` each, or they come in step, too.
    """
    load = Load()
    chance = random.Random(seed)
    started = time.perf_counter()

    async def one() -> None:
        # From here: that a timer of this process was late is nothing that a service could help.
        begun = time.perf_counter()
        answer = await ask()
        load.milliseconds.append((time.perf_counter() - begun) * 1000)
        load.answered += 1
        load.failed += b'"errors"' in answer

    tasks = []
    for number in range(int(per_second * seconds)):
        due = started + (number + chance.random()) / per_second
        await asyncio.sleep(max(due - time.perf_counter(), 0))
        tasks.append(asyncio.create_task(one()))
    await asyncio.gather(*tasks)
    load.seconds = time.perf_counter() - started
    return load


def cycle(make: Callable[[int], bytes], numbers: range) -> Iterator[bytes]:
    """Requests for customers in turn, each made once: here, for while they are timed nothing else should be done."""
    return itertools.cycle([make(number) for number in numbers])
