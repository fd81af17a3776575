"""An event loop in a thread of its own: what runs in it serves synchronous tests as well as asynchronous ones."""

import asyncio
import threading
from collections.abc import Coroutine
from typing import Any, TypeVar

from tests.patience import PATIENCE_SECONDS

T = TypeVar("T")


class LoopThread:
    """A loop that runs from the making until `stop`."""

    def __init__(self, name: str) -> None:
        # The plain loop: what lives in here sets options of sockets and resets connections, which uvloop hides.
        self.loop = asyncio.SelectorEventLoop()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def do(self, what: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine in the loop, wait for it, give its result. Not to be called from the loop itself."""
        return asyncio.run_coroutine_threadsafe(what, self.loop).result(PATIENCE_SECONDS)

    def stop(self) -> None:
        """Cancel every task, wait for their ends, stop the loop."""
        self.do(_cancel_all())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(PATIENCE_SECONDS)

    def _run(self) -> None:
        asyncio.set_event_loop(self.loop)
        try:
            self.loop.run_forever()
        finally:
            self.loop.close()


async def _cancel_all() -> None:
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await asyncio.sleep(0)  # transports close in the turn after
