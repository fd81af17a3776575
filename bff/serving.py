"""A cabinet, served: uvicorn with our settings."""

import gc
import socket
from asyncio import TimerHandle, Transport
from collections.abc import Callable
from typing import Any, Final, cast

import orjson
import uvicorn
from starlette.applications import Starlette
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from bff.errors import Code
from bff.web.graphql import SECURITY_HEADERS
from bff.web.limits import LimitSettings
from bff.web.request import BODY_IS_LATE

MAX_HEAD_BYTES: Final = 65_536
MAX_HEADERS: Final = 100

MAX_PIPELINED: Final = 100
"""Requests that may stand behind the one that is being answered. One piece of 256 KB may hold 14,000."""

UNREAD_SECONDS: Final = 60.0
"""How long an answer may wait for being read, in part."""

_OF_BODIES: Final = frozenset({b"content-length", b"transfer-encoding"})

REST_SECONDS: Final = 5.0
"""How long the rest of a request may come that has its answer already: who closes at once may cut off the answer."""


class PortTaken(Exception):
    """Nothing can listen there. The text says what to do."""


def listen(host: str, port: int) -> socket.socket:
    """Open the listening socket; port 0 takes a free one. Raises `PortTaken`."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=2_048)
    except OSError as error:
        reason = (error.strerror or str(error)).partition(" (while attempting")[0]  # the rest is the address again
        raise PortTaken(f"cannot listen on {host}:{port} ({reason}); choose another with --port") from None


def settle_memory() -> None:
    """
    Take what has been built out of the garbage collector's sight; for a process that does nothing but serve.

    Schema, settings and modules live as long as the process: the collector need not walk through them for every few
    hundred objects of a request, which took a tenth of the time under load.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(5_000, 40, 50)


class _HeadWithBody:
    """
    A transport for one answer, whose head goes out together with the first piece of its body.

    uvicorn writes the one and then the other, and uvloop sends each at once: two packets, and two calls of the system.
    """

    __slots__ = ("_head", "_transport")

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._head: bytes | None = None

    def write(self, data: bytes) -> None:
        """The first call is the head, the second has something of the body, if only that there is none."""
        if self._head is None:
            self._head = data
        elif not self._transport.is_closing():
            self._transport.writelines((self._head, data))
            self._head = b""

    def close(self) -> None:
        """Close the connection, where there is no body after all."""
        if self._head and not self._transport.is_closing():
            self._transport.write(self._head)
        self._transport.close()

    def is_closing(self) -> bool:
        """As the transport says."""
        return self._transport.is_closing()


class _Protocol(HttpToolsProtocol):
    """
    uvicorn's protocol, with an end to what a request may send beside its body, and to how long it takes to come.

    httptools itself has none: 300 MB of headers took 283 MB of memory, and a long URL, which it puts together piece
    by piece, took the whole processor. What is refused here is refused in the words of the endpoint; that a body is
    late, it says itself.
    """

    config: "_Config"

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._marks = 0
        """Heads and chunks that have begun."""
        self._in_head = False
        self._in_trailers = False
        self._bytes_beside = 0
        """Of the head or the trailers that have begun and not ended, as far as they came in pieces."""
        self._deadline: TimerHandle | None = None
        self._until_read: TimerHandle | None = None
        self._under_way: RequestResponseCycle | None = None
        self._refusal = (400, "the request is not HTTP")

    def connection_made(self, transport: Any) -> None:
        """Somebody connects, and shall say what they want."""
        super().connection_made(transport)
        self._set_deadline(self.config.limits.head_seconds, self._head_is_late)

    def connection_lost(self, exc: Exception | None) -> None:
        """They are gone, and whoever works for them may know it: uvicorn tells only the last request's."""
        self._end_deadline()
        self.resume_writing()
        waiting = [cycle for cycle, _ in self.pipeline]
        self.pipeline.clear()
        for cycle in (self._under_way, *waiting):
            if cycle is not None and not cycle.response_complete:
                cycle.disconnected = True
                cycle.message_event.set()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        """They do not read; who does not read at all is not waited for."""
        super().pause_writing()
        if self._until_read is None:
            self._until_read = self.loop.call_later(UNREAD_SECONDS, self.transport.abort)

    def resume_writing(self) -> None:
        """They have read."""
        if self._until_read is not None:
            self._until_read.cancel()
            self._until_read = None
        super().resume_writing()

    def data_received(self, data: bytes) -> None:
        """Count what ends neither head nor trailers. What comes in one piece is not counted: the loop limits that."""
        before = (self._marks, self._in_head, self._in_trailers)
        super().data_received(data)
        if self.transport.is_closing():
            return
        if (self._in_head or self._in_trailers) and before == (self._marks, self._in_head, self._in_trailers):
            self._bytes_beside += len(data)
            if self._bytes_beside > MAX_HEAD_BYTES:
                self._refuse(431, "the URL and the headers are too long")
                return
        if self._deadline is None and self.timeout_keep_alive_task is None:
            self._time_what_comes()

    def on_message_begin(self) -> None:
        """A head begins; perhaps in the piece that ended the request before."""
        self._unset_keepalive_if_required()
        self._marks += 1
        self._in_head = True
        self._bytes_beside = 0
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """It has ended."""
        self._in_head = False
        self._end_deadline()
        if len(self.headers) > MAX_HEADERS:
            self._stop(431, "there are too many headers")
        if len(self.pipeline) >= MAX_PIPELINED:
            self._stop(400, "too many requests were sent ahead")
        if self.parser.should_upgrade():
            self._refuse_upgrade()
        super().on_headers_complete()
        # Trailers are headers to the parser: what is under way has its own, and needs no more.
        self.headers = []
        # Not where something comes before the head, or nothing after it.
        if self.scope["method"] != "HEAD" and not self.expect_100_continue:
            self.cycle.transport = cast("Transport", _HeadWithBody(self.transport))

    def _refuse_upgrade(self) -> None:
        # By the parser: uvicorn heeds the last of several `Connection` only.
        if any(name == b"upgrade" and b"websocket" in value.lower() for name, value in self.headers):
            self._stop(400, "there are no WebSockets here")
        if any(name in _OF_BODIES and value != b"0" for name, value in self.headers):
            # Many clients offer HTTP/2 in passing, and go on without it; but the parser takes no body after that.
            self._stop(400, "a request with a body must not offer another protocol (Upgrade)")

    def on_chunk_header(self) -> None:
        """A chunk begins; or, where no body follows, trailers do."""
        self._marks += 1
        self._in_trailers = True
        self._bytes_beside = 0
        self.headers.clear()

    def on_body(self, body: bytes) -> None:
        """Some of a body."""
        self._in_trailers = False
        super().on_body(body)

    def on_message_complete(self) -> None:
        """The request is in."""
        self._in_trailers = False
        super().on_message_complete()
        # Where the answer was out before, uvicorn has forgotten both.
        self.cycle.more_body = False
        if self._deadline is not None:
            self._end_deadline()
            if self.cycle.response_complete:
                self.timeout_keep_alive_task = self.loop.call_later(
                    self.timeout_keep_alive, self.timeout_keep_alive_handler
                )

    def on_response_complete(self) -> None:
        """The answer is out. Where the request is not in yet, its rest is thrown away, but not for ever."""
        super().on_response_complete()
        if self.transport.is_closing():
            return
        if self.cycle.response_complete and self.cycle.more_body:
            self._set_deadline(REST_SECONDS, self.transport.close)
        elif self._in_head or not self.cycle.response_complete:
            self._time_what_comes()

    def send_400_response(self, msg: str) -> None:
        """Refuse what has no answer of the application, and close."""
        self._end_deadline()
        if self._may_answer():
            self.transport.write(self._written_refusal())
        self.transport.close()

    def _written_refusal(self) -> bytes:
        status, message = self._refusal
        entry = {"message": message, "extensions": {"code": Code.BAD_USER_INPUT.value}}
        body = orjson.dumps({"errors": [entry]})
        head = [
            STATUS_LINE[status],
            *(b"%b: %b\r\n" % header for header in SECURITY_HEADERS),
            b"content-type: application/json; charset=utf-8\r\n",
            b"content-length: %d\r\nconnection: close\r\n\r\n" % len(body),
        ]
        return b"".join(head) + body

    def _is_idle(self) -> bool:
        cycle: RequestResponseCycle | None = self.cycle  # None before the first head
        return cycle is None or cycle.response_complete

    def _may_answer(self) -> bool:
        """Whether what is written now is the answer to what is coming in, and not to a request before it or to none."""
        cycle: RequestResponseCycle | None = self.cycle
        if cycle is None or cycle.response_complete:
            return cycle is None or not cycle.more_body
        return cycle.more_body and not cycle.response_started and not self.pipeline

    def _time_what_comes(self) -> None:
        """Set an end to waiting for what the other side has to send next; not while it waits itself."""
        if self._is_idle():
            # A head that has begun, or not even that: line ends before a head end uvicorn's own wait for one.
            self._set_deadline(self.config.limits.head_seconds, self._head_is_late)
        elif self.cycle.more_body and not self.pipeline:
            # One behind other requests is not taken up before these are answered: its time begins then.
            self._set_deadline(self.config.limits.body_seconds, self._body_is_late)

    def _head_is_late(self) -> None:
        if self.transport.is_closing():
            return
        if self._in_head:
            self._refuse(408, "the headers did not come in time")
        else:
            # Nothing was asked: a browser may well connect to no purpose.
            self.transport.close()

    def _body_is_late(self) -> None:
        # The application says so, as it says everything about a body, or it has the time of a rest to do what it likes.
        self.cycle.scope.setdefault("extensions", {})[BODY_IS_LATE] = {}
        self.cycle.message_event.set()
        self._set_deadline(REST_SECONDS, self.transport.close)

    def _refuse(self, status: int, message: str) -> None:
        self._refusal = (status, message)
        self.send_400_response(message)

    def _stop(self, status: int, message: str) -> None:
        """Refuse from within the parser, which must not go on: uvicorn hears of it as of any other bad request."""
        self._refusal = (status, message)
        raise ValueError(message)

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        self._under_way = cycle
        super()._start_asgi_task(cycle, app)

    def _set_deadline(self, seconds: float, end: Callable[[], None]) -> None:
        self._end_deadline()
        self._deadline = self.loop.call_later(seconds, end)

    def _end_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _unsupported_upgrade_warning(self) -> None:
        """Say nothing: they go on without it."""


class _Config(uvicorn.Config):
    """uvicorn's settings and ours."""

    def __init__(self, app: Starlette, *, limits: LimitSettings, **settings: Any) -> None:
        super().__init__(app, **settings)
        self.limits = limits


class Server(uvicorn.Server):
    """
    uvicorn, with a word when it is ready.

    SIGTERM and SIGINT stop accepting; requests under way get `drain_seconds` to finish.
    """

    def __init__(
        self,
        app: Starlette,
        *,
        drain_seconds: int,
        limits: LimitSettings | None = None,
        announce: Callable[[], None] = lambda: None,
    ) -> None:
        super().__init__(
            _Config(
                app,
                limits=limits or LimitSettings(),
                loop="uvloop",
                http=_Protocol,
                ws="none",
                # Whom to believe about `X-Forwarded-For` is the endpoint's to say, by the settings.
                proxy_headers=False,
                lifespan="on",
                access_log=False,
                server_header=False,
                log_config=None,
                timeout_graceful_shutdown=drain_seconds,
                timeout_keep_alive=10,
            )
        )
        self._announce = announce

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, then say so."""
        await super().startup(sockets)
        if self.started:
            self._announce()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop; the application closes in order even where a second SIGINT takes requests under way their time."""
        await super().shutdown(sockets)
        if self.force_exit:
            await self.lifespan.shutdown()
