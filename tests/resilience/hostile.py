"""
A hostile back office: an HTTP proxy before a healthy demo office that makes of its answers what a test says.

It runs in a thread of its own, on a real socket::

    with hostile("127.0.0.1", office.port) as bad:
        bad.set(Hostility.WRONG_OWNER, operation="accounts")
        ...
        bad.set(Hostility.SESSION_400, times=1)   # once, then well again
        assert bad.spoilt["accounts"] == 1
        bad.heal()

`Hostility` has the names, `applies` says which operations each suits. For offices other than the demo's, give
`operations` (shapes by name) and `operation_of`.
"""

import asyncio
import socket
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from lxml import etree

import tests.resilience.hostile_bytes
import tests.resilience.hostile_documents  # noqa: F401 - both register what they make
from tests.resilience.documents import DEMO_SHAPES, Shape
from tests.resilience.hostilities import WAYS, After, Case, Hostility, Reply
from tests.resilience.loop_thread import LoopThread
from tests.resilience.traps import Traps

_HOP = frozenset({"connection", "keep-alive", "transfer-encoding", "content-length"})
_SEND_BUFFER = 65_536
"""What the kernel may hold for us: `sent` is so much (and the client's own buffer) above what the client has read."""


@dataclass(frozen=True, slots=True)
class Call:
    """A request that came; names of `headers` in lower case."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes = field(repr=False)


def demo_operation(call: Call) -> str:
    """The operation as the demo's offices name it; empty for what is none, such as a session's end."""
    if call.target.startswith("/shop/ws/"):
        if not call.body:
            return ""
        body = etree.fromstring(call.body).find("{*}Body")
        return etree.QName(body[0]).localname if body is not None and len(body) else ""
    path = call.target.partition("?")[0].rstrip("/")
    if path.endswith("/details"):
        return "bonus_" + path.split("/")[-2]
    return path.rpartition("/")[2]


def applies(hostility: Hostility, operation: str, shapes: Mapping[str, Shape] = DEMO_SHAPES) -> bool:
    """Whether an answer of that operation can be spoilt in that way."""
    return WAYS[hostility].suits(shapes[operation])


@dataclass(slots=True)
class _Order:
    hostility: Hostility
    times: int | None


class HostileOffice:
    """
    A running one; `hostile` makes it.

    Attributes:
        calls: by operation, how often it was called.
        spoilt: by operation, how many of the answers were hostile.
        sent: by operation, the bytes of hostile answers that went out, as far as the client took them.
        traps: where redirects and external entities lead, and who went there.
    """

    def __init__(
        self, host: str, port: int, *, operations: Mapping[str, Shape], operation_of: Callable[[Call], str]
    ) -> None:
        self.upstream = (host, port)
        self.port = 0
        self.calls: Counter[str] = Counter()
        self.spoilt: Counter[str] = Counter()
        self.sent: Counter[str] = Counter()
        self.traps = Traps()
        self._operations = operations
        self._operation_of = operation_of
        self._orders: dict[str, _Order] = {}
        self._serving: set[asyncio.Task[None]] = set()
        self._thread = LoopThread("hostile office")
        self._server = self._thread.do(self._listen())

    @property
    def address(self) -> str:
        """``http://127.0.0.1:40002``."""
        return f"http://127.0.0.1:{self.port}"

    def set(self, hostility: Hostility, *, operation: str | None = None, times: int | None = None) -> None:
        """
        Answer that operation (None: all that it suits) in this way, always or so many times; others stay as they are.

        Raises `ValueError` where it does not suit: a hostility that does nothing would make a test of it pass.
        """
        names = [operation] if operation else list(self._operations)
        if unknown := [name for name in names if name not in self._operations]:
            raise ValueError(f"there is no operation {unknown[0]!r}; there are {', '.join(sorted(self._operations))}")
        suited = [name for name in names if applies(hostility, name, self._operations)]
        if not suited:
            raise ValueError(f"{hostility.name} does not suit {operation or 'any operation'}")
        self._orders.update((name, _Order(hostility, times)) for name in suited)

    def heal(self, operation: str | None = None) -> None:
        """Answer well again, that operation or all."""
        if operation is None:
            self._orders.clear()
        else:
            self._orders.pop(operation, None)

    def reset(self) -> None:
        """Heal, and forget what was counted and who was trapped."""
        self.heal()
        for counter in (self.calls, self.spoilt, self.sent):
            counter.clear()
        self.traps.visits.clear()
        self.traps.file_reads = 0

    def stop(self) -> None:
        """Close everything."""
        self._thread.do(self._close())
        self._thread.stop()

    async def _listen(self) -> asyncio.Server:
        await self.traps.open()
        listener = socket.create_server(("127.0.0.1", 0), backlog=1_024)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER)
        self.port = listener.getsockname()[1]
        return await asyncio.start_server(self._connected, sock=listener)

    async def _close(self) -> None:
        self._server.close()
        await self.traps.close()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # asyncio lets go of a connection's task when the client has left; while it waits for a slow office, nothing
        # else would hold it, and it would vanish before its end.
        task = asyncio.current_task()
        assert task is not None
        self._serving.add(task)
        task.add_done_callback(self._serving.discard)
        writer.transport.set_write_buffer_limits(high=0)
        try:
            # The client may leave at any time: that is what it should do with some of what it is sent.
            with suppress(asyncio.IncompleteReadError, ConnectionError):
                while await self._answered(await _read_call(reader), reader, writer):
                    pass
        except asyncio.CancelledError:
            writer.transport.abort()  # the end of the test; asyncio would report the cancellation of a connection
        finally:
            writer.close()

    async def _answered(self, call: Call, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Answer; says whether the connection stays open."""
        operation = self._operation_of(call)
        self.calls[operation] += 1
        order = self._orders.get(operation)
        if order is None:
            return await self._answered_well(call, writer)
        if order.times is not None:
            order.times -= 1
            if order.times <= 0:
                self._orders.pop(operation, None)
        way = WAYS[order.hostility]
        case = Case(self._operations[operation], self.traps)
        if way.asks:
            reply = await self._ask(call)
            if reply.status != 200:  # there is nothing to spoil
                return await self._answered_well(call, writer)
            case = Case(case.shape, case.traps, reply)
        self.spoilt[operation] += 1
        for piece in way.send(case):
            if piece is After.KEEP:
                return True
            if piece is After.HANG:
                await reader.read()  # until it goes away
                return False
            if piece is After.PAUSE:
                await asyncio.sleep(0.001)
                continue
            assert isinstance(piece, bytes)
            writer.write(piece)
            await writer.drain()
            self.sent[operation] += len(piece)
        return False

    async def _answered_well(self, call: Call, writer: asyncio.StreamWriter) -> bool:
        writer.write((await self._ask(call)).encoded())
        await writer.drain()
        return True

    async def _ask(self, call: Call) -> Reply:
        """Let the healthy office answer, on a connection of its own."""
        reader, writer = await asyncio.open_connection(*self.upstream)
        try:
            headers = {**call.headers, "connection": "close", "accept-encoding": "identity"}
            lines = [f"{call.method} {call.target} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
            writer.write("\r\n".join([*lines, "", ""]).encode("latin-1") + call.body)
            whole = await reader.read()
        finally:
            writer.transport.abort()
        head, _, body = whole.partition(b"\r\n\r\n")
        if not head:
            raise ConnectionError("the office closed the connection without an answer")
        first, *lines = head.decode("latin-1").split("\r\n")
        fields = [(name, value) for name, _, value in (line.partition(": ") for line in lines)]
        kept = tuple((name, value) for name, value in fields if name.lower() not in _HOP)
        return Reply(int(first.split(" ")[1]), body, kept)


@contextmanager
def hostile(
    host: str,
    port: int,
    *,
    operations: Mapping[str, Shape] = DEMO_SHAPES,
    operation_of: Callable[[Call], str] = demo_operation,
) -> Iterator[HostileOffice]:
    """Run one before an office for as long as the context lasts."""
    office = HostileOffice(host, port, operations=operations, operation_of=operation_of)
    try:
        yield office
    finally:
        office.stop()


async def _read_call(reader: asyncio.StreamReader) -> Call:
    first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").strip().split("\r\n")
    method, target, _ = first.split(" ")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Call(method, target, headers, body)
