"""An application, served as the service is, from a thread of the tests."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from starlette.applications import Starlette

from bff.serving import Server, listen
from tests.patience import until


@contextmanager
def served(app: Starlette) -> Iterator[str]:
    """Serve it for as long as the context lasts; gives its address."""
    ready = threading.Event()
    with listen("127.0.0.1", 0) as listening:
        server = Server(app, drain_seconds=1, announce=ready.set)
        thread = threading.Thread(target=server.run, args=([listening],), daemon=True)
        thread.start()
        until(lambda: ready.is_set() or not thread.is_alive(), "the server does not start")
        try:
            assert thread.is_alive(), "the server did not start; the log says why"
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()
