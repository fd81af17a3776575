"""One office as a process: its socket, the line that says it is up, and its end."""

import asyncio
import os
import socket
import sys
import threading
from time import perf_counter
from types import FrameType
from typing import Any, cast

import orjson
import uvicorn
from starlette.types import ASGIApp, Scope
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

_EXTENSION = "bff.demo.connection"


class _Protocol(HttpToolsProtocol):
    """uvicorn's protocol, which hands on the connection, for an office must be able to cut it off, and the time."""

    def on_message_begin(self) -> None:
        super().on_message_begin()
        here = {"transport": self.transport, "began": perf_counter()}
        cast("dict[str, Any]", self.scope)["extensions"] = {_EXTENSION: here}


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, office: str) -> None:
        super().__init__(config)
        self._office = office

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        for listener in sockets or ():
            _say({"office": self._office, "port": listener.getsockname()[1]})

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        _end()


def connection(scope: Scope) -> asyncio.Transport:
    """Return the connection on which a request came."""
    return cast("asyncio.Transport", scope["extensions"][_EXTENSION]["transport"])


def began(scope: Scope) -> float:
    """Return when a request began to come, by `perf_counter`."""
    return cast("float", scope["extensions"][_EXTENSION]["began"])


def begin_anew(scope: Scope) -> None:
    """Let a request have begun only now: it has been kept waiting on purpose."""
    scope["extensions"][_EXTENSION]["began"] = perf_counter()


def serve(office: str, app: ASGIApp, port: int) -> None:
    """Serve `app` on 127.0.0.1 until SIGTERM or the end of stdin; port 0 takes a free one.

    Prints ``{"office": "erp", "port": 8001}`` once it accepts connections, or ``{"office": "erp", "error": "…"}`` and
    exits with status 1 if it cannot.
    """
    listener = socket.socket()
    if os.name == "posix":  # elsewhere it would let two servers share a port
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(("127.0.0.1", port))
    except (OSError, OverflowError) as error:
        _say({"office": office, "error": f"cannot listen on 127.0.0.1:{port}: {error}"})
        sys.exit(1)

    # A parent that is killed cannot say goodbye, but its end of the pipe closes.
    threading.Thread(target=_wait_for_end_of_stdin, daemon=True).start()
    config = uvicorn.Config(
        app, http=_Protocol, ws="none", lifespan="off", access_log=False, log_config=None, server_header=False
    )
    _Server(config, office).run(sockets=[listener])


def _say(message: dict[str, str | int]) -> None:
    sys.stdout.write(orjson.dumps(message).decode() + "\n")
    sys.stdout.flush()


def _wait_for_end_of_stdin() -> None:
    # os.read, for sys.stdin would hold a lock that the interpreter wants when it ends.
    while os.read(0, 4096):
        pass
    _end()


def _end() -> None:
    # At once: an office keeps nothing, and a call that hangs on purpose would hold up an orderly shutdown.
    os._exit(0)
