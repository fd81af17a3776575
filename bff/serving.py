"""A cabinet, served: uvicorn with our settings."""

import socket
from collections.abc import Callable

import uvicorn
from starlette.applications import Starlette


class PortTaken(Exception):
    """Nothing can listen there. The text says what to do."""


def listen(host: str, port: int) -> socket.socket:
    """Open the listening socket; port 0 takes a free one. Raises `PortTaken`."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=2_048)
    except OSError as error:
        raise PortTaken(f"cannot listen on {host}:{port} ({error.strerror}); choose another with --port") from None


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
                http="httptools",
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
