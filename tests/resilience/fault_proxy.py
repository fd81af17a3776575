"""
A TCP proxy before one upstream, which can be told at any moment what is wrong with the network.

It runs in a thread of its own, and serves synchronous tests as well as asynchronous ones::

    with fault_proxy("127.0.0.1", office.port) as proxy:
        proxy.set(Drip(5))
        ...
        proxy.heal()
        assert proxy.open_connections == 0

A fault holds from the moment at which `set` returns, for open connections as for new ones, and in the middle of an
answer. The proxy knows nothing of HTTP: an answer is what the upstream sends after the client has last sent something.
A client that closes its half of a connection is taken to be gone.
"""

import asyncio
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from random import Random

from tests.resilience.certificates import nobodys_context
from tests.resilience.faults import (
    Bandwidth,
    BlackHole,
    Cut,
    Drip,
    Fault,
    ForeignCertificate,
    Hang,
    Latency,
    PlainBytes,
    Refuse,
    Reset,
)
from tests.resilience.loop_thread import LoopThread

_BACKLOG = 1_024
_PIECE = 65_536
_FULL_SECONDS = 0.05
"""On loopback the kernel connects in microseconds, however busy it is: what takes so long is not going to come."""


class FaultProxy:
    """
    A running proxy; `fault_proxy` makes one.

    Args:
        host, port: the upstream.
        tls: what to present to clients; the upstream is spoken to in the clear. None passes bytes as they are.
        random: source of the jitter.
    """

    def __init__(self, host: str, port: int, *, tls: ssl.SSLContext | None, random: Random) -> None:
        self.upstream = (host, port)
        self.tls = tls
        self.random = random
        self.fault: Fault | None = None
        self.connections = 0
        """Connections that clients have made."""
        self.bytes_up = 0
        """Bytes handed to the upstream."""
        self.bytes_down = 0
        """Bytes handed to clients' connections."""
        self.port = 0
        self._open: set[_Connection] = set()
        self._serving: set[asyncio.Task[None]] = set()
        self._listener: socket.socket | None = None
        self._accepting: asyncio.Task[None] | None = None
        self._fillers: dict[tuple[str, int], socket.socket] = {}
        self._thread = LoopThread("fault proxy")
        self.changed = asyncio.Event()
        self._thread.do(self._switch(None))

    @property
    def address(self) -> str:
        """``127.0.0.1:40001``."""
        return f"127.0.0.1:{self.port}"

    @property
    def open_connections(self) -> int:
        """Connections of clients that are open now."""
        return len(self._open)

    def set(self, fault: Fault | None) -> None:
        """Have this fault from now on, and no other; None is `heal`."""
        self._thread.do(self._switch(fault))

    def heal(self) -> None:
        """Pass everything on again; what was held back goes on."""
        self.set(None)

    def stop(self) -> None:
        """Reset every connection and listen no more."""
        self.set(Refuse())
        self._thread.stop()

    async def _switch(self, fault: Fault | None) -> None:
        before, self.fault = self.fault, fault
        breaks = (Refuse, ForeignCertificate, PlainBytes)
        broken = isinstance(before, breaks) or isinstance(fault, breaks) or fault == Reset()
        for connection in tuple(self._open):
            if broken or connection.swallowed:
                connection.reset()
        self.changed.set()
        self.changed = asyncio.Event()
        if isinstance(fault, Refuse):
            await self._close_listener()
        elif isinstance(fault, BlackHole):
            await self._fill_listener()
        else:
            await self._listen()

    async def _listen(self) -> None:
        if self._listener is None:
            self._listener = socket.socket()
            self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self._listener.setblocking(False)
            self._listener.bind(("127.0.0.1", self.port))
            self.port = self._listener.getsockname()[1]
        self._listener.listen(_BACKLOG)
        if self._accepting is None:
            self._accepting = asyncio.create_task(self._accept(self._listener))

    async def _fill_listener(self) -> None:
        """
        Make clients' SYNs go unanswered: nobody accepts, and the queue of those who wait is full.

        That is how Linux treats a full queue (tcp_abort_on_overflow = 0, its default); no privileges are needed.
        """
        await self._listen()
        await self._stop_accepting()
        assert self._listener is not None
        self._listener.listen(0)
        while True:
            filler = socket.socket()
            filler.setblocking(False)
            try:
                await asyncio.wait_for(
                    asyncio.get_running_loop().sock_connect(filler, ("127.0.0.1", self.port)), _FULL_SECONDS
                )
            except TimeoutError:
                if not _is_connected(filler):  # it may be, and this loop has had no time to see it
                    filler.close()
                    return
            self._fillers[filler.getsockname()] = filler

    async def _close_listener(self) -> None:
        await self._stop_accepting()
        if self._listener is not None:
            self._listener.close()
            self._listener = None
        for filler in self._fillers.values():
            filler.close()
        self._fillers.clear()

    async def _stop_accepting(self) -> None:
        if self._accepting is not None:
            self._accepting.cancel()
            await asyncio.wait([self._accepting])
            self._accepting = None

    async def _accept(self, listener: socket.socket) -> None:
        while True:
            client, peer = await asyncio.get_running_loop().sock_accept(listener)
            if filler := self._fillers.pop(peer, None):
                filler.close()
                client.close()
                continue
            self.connections += 1
            task = asyncio.create_task(self._serve(client))
            self._serving.add(task)
            task.add_done_callback(self._serving.discard)

    async def _serve(self, client: socket.socket) -> None:
        match self.fault:
            case Reset(None):
                _linger_not(client)
                client.close()
                return
            case PlainBytes(content):
                with client, suppress(OSError):
                    await asyncio.get_running_loop().sock_recv(client, _PIECE)
                    await asyncio.get_running_loop().sock_sendall(client, content)
                return
            case ForeignCertificate(context):
                tls: ssl.SSLContext | None = context or nobodys_context()
            case _:
                tls = self.tls
        with suppress(OSError):  # ssl.SSLError is one: the client did not like what it saw
            reader, writer = await _streams(client, tls)
            connection = _Connection(self, reader, writer)
            self._open.add(connection)
            try:
                await connection.run()
            finally:
                self._open.discard(connection)


class _Connection:
    """A client's connection and the one to the upstream that belongs to it."""

    def __init__(self, proxy: FaultProxy, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._proxy = proxy
        self._client = reader, writer
        self._answered = 0
        self._delayed = False
        self._task = asyncio.current_task()
        self.swallowed = False
        """Whether a request was read that the upstream never gets: then no answer will ever fit."""

    def reset(self) -> None:
        """End it with an RST."""
        transport = self._client[1].transport
        # Closing sends an RST where nothing may linger.
        with suppress(OSError):  # closed already
            # A TLS connection whose handshake has failed has none any more.
            if (connection := transport.get_extra_info("socket")) is not None:
                _linger_not(connection)
        transport.abort()
        if self._task is not None:
            self._task.cancel()

    async def run(self) -> None:
        """Pass bytes both ways until one side ends."""
        reader, writer = self._client
        upstream: asyncio.StreamWriter | None = None
        try:
            answers, upstream = await asyncio.open_connection(*self._proxy.upstream)
            pumps = [
                asyncio.create_task(self._pass_requests(reader, upstream)),
                asyncio.create_task(self._pass_answers(answers, writer)),
            ]
            try:
                await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for pump in pumps:
                    pump.cancel()
                await asyncio.gather(*pumps, return_exceptions=True)
        except OSError:
            self.reset()  # the upstream is away
        finally:
            if upstream is not None:
                upstream.transport.abort()
            writer.close()

    async def _pass_requests(self, reader: asyncio.StreamReader, upstream: asyncio.StreamWriter) -> None:
        while data := await reader.read(_PIECE):
            while isinstance(self._proxy.fault, BlackHole):
                await self._pause(None)
            if self._proxy.fault == Hang():
                self.swallowed = True
                continue
            self._answered, self._delayed = 0, False
            upstream.write(data)
            await upstream.drain()
            self._proxy.bytes_up += len(data)

    async def _pass_answers(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            while data := await reader.read(_PIECE):
                while data:
                    data = data[await self._pass_some(data, writer) :]

    async def _pass_some(self, data: bytes, writer: asyncio.StreamWriter) -> int:
        """Send as much as the fault of the moment lets through; gives the number of bytes."""
        size, pause = len(data), 0.0
        match self._proxy.fault:
            case BlackHole() | Hang():
                await self._pause(None)
                return 0
            case Latency(milliseconds, jitter) if not self._delayed:
                self._delayed = True
                await self._pause(max(0.0, milliseconds + self._proxy.random.uniform(-jitter, jitter)) / 1000)
                return 0
            case Drip(milliseconds):
                size, pause = 1, milliseconds / 1000
            case Bandwidth(rate):
                size = max(1, int(rate / 50))
                pause = size / rate
            case Cut(limit) | Reset(int(limit)):
                size = min(size, limit - self._answered)
        if size > 0:
            await self._send(data[:size], writer)
            if pause:
                await self._pause(pause)
        match self._proxy.fault:
            case Cut(limit) if self._answered >= limit:
                raise ConnectionAbortedError  # ends the pump, and so the connection, in good order
            case Reset(int(limit)) if self._answered >= limit:
                self.reset()
                raise ConnectionAbortedError
        return max(size, 0)

    async def _send(self, data: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(data)
        await writer.drain()
        self._answered += len(data)
        self._proxy.bytes_down += len(data)

    async def _pause(self, seconds: float | None) -> None:
        """Wait so long, but no longer than until the fault changes."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._proxy.changed.wait(), seconds)


class Flapping:
    """
    An upstream that is up and down by turns: `follow` sets the proxy to what it is time for.

    Nothing happens behind the test's back: it moves `clock` (seconds) on and calls `follow`, or calls it in its loop.
    """

    def __init__(
        self,
        proxy: FaultProxy,
        *,
        up_seconds: float,
        down_seconds: float,
        down: Fault | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._proxy = proxy
        self._up_seconds = up_seconds
        self._round = up_seconds + down_seconds
        self._down = down or Refuse()
        self._clock = clock
        self._start = clock()

    def follow(self) -> bool:
        """Whether it is up now, which begins with the making; the proxy is told where that has changed."""
        up = (self._clock() - self._start) % self._round < self._up_seconds
        wanted = None if up else self._down
        if self._proxy.fault != wanted:
            self._proxy.set(wanted)
        return up


@contextmanager
def fault_proxy(
    host: str, port: int, *, tls: ssl.SSLContext | None = None, random: Random | None = None
) -> Iterator[FaultProxy]:
    """Run a proxy before an upstream for as long as the context lasts; see `FaultProxy`. The jitter is repeatable."""
    proxy = FaultProxy(host, port, tls=tls, random=random or Random(0))  # noqa: S311 - no secret
    try:
        yield proxy
    finally:
        proxy.stop()


def _is_connected(connection: socket.socket) -> bool:
    try:
        connection.getpeername()
    except OSError:
        return False
    return True


def _linger_not(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")


async def _streams(
    connection: socket.socket, tls: ssl.SSLContext | None
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    protocol = asyncio.StreamReaderProtocol(reader)
    transport, _ = await loop.connect_accepted_socket(lambda: protocol, connection, ssl=tls)
    writer = asyncio.StreamWriter(transport, protocol, reader, loop)
    # `drain` waits until all is with the kernel: what was to come before a cut has come then.
    transport.set_write_buffer_limits(high=0)
    return reader, writer
