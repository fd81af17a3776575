"""A cabinet, served: uvicorn with our settings."""

import gc
import socket
from collections.abc import Callable
from typing import Any, Final

import uvicorn
from starlette.applications import Starlette
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

MAX_HEAD_BYTES: Final = 65_536


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
    gc.set_threshold(20_000, 20, 50)


class _CappedHead(HttpToolsProtocol):
    """
    uvicorn's protocol, with an end to what a request may send before its body.

    httptools itself has none: 300 MB of headers took 283 MB of memory, and a long URL, which it puts together piece
    by piece, took the whole processor.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._in_head = False
        self._head_bytes = 0

    def data_received(self, data: bytes) -> None:
        """Count what does not finish the head. What comes in one piece is not counted: the loop limits that."""
        was_in_head = self._in_head
        super().data_received(data)
        if was_in_head and self._in_head:
            self._head_bytes += len(data)
            if self._head_bytes > MAX_HEAD_BYTES and not self.transport.is_closing():
                self.send_400_response("The URL and the headers are too long.")

    def on_message_begin(self) -> None:
        """A head begins."""
        self._in_head = True
        self._head_bytes = 0
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """It has ended."""
        self._in_head = False
        super().on_headers_complete()


class Server(uvicorn.Server):
    """
    uvicorn, with a word when it is ready.

    SIGTERM and SIGINT stop accepting; requests under way get `drain_seconds` to finish.
    """

    def __init__(self, app: Starlette, *, drain_seconds: int, announce: Callable[[], None] = lambda: None) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                loop="uvloop",
                http=_CappedHead,
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
