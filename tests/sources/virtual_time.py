"""An event loop whose time stands still while there is work, and jumps to the next timer when there is none."""

import asyncio
import gc
import selectors
from collections.abc import Callable, Coroutine
from functools import wraps
from typing import Any, ParamSpec

P = ParamSpec("P")


class Deadlock(Exception):
    """Everybody waits, and no timer will ever wake anybody."""


class _JumpingSelector(selectors.DefaultSelector):
    """Never waits: the time that it would have waited has passed."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0

    def select(self, timeout: float | None = None) -> Any:
        """Look, and let the time pass."""
        ready = super().select(0)
        if not ready:
            if timeout is None:
                raise Deadlock
            self.now += max(timeout, 0.0)
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    """A loop that begins at zero seconds."""

    def __init__(self) -> None:
        self.selector = _JumpingSelector()
        super().__init__(self.selector)
        self.complaints: list[dict[str, Any]] = []
        self.set_exception_handler(lambda _, context: self.complaints.append(context))

    def time(self) -> float:
        """Seconds since it began."""
        return self.selector.now


def in_virtual_time(test: Callable[P, Coroutine[Any, Any, None]]) -> Callable[P, None]:
    """
    Make an ordinary test of an asynchronous one.

    It fails too if a task is left behind, if a callback raised, or if an error was never looked at.
    """

    @wraps(test)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        async def whole() -> None:
            await test(*args, **kwargs)
            await turns(3)
            left = asyncio.all_tasks() - {asyncio.current_task()}
            assert not left

        loop = VirtualLoop()
        with asyncio.Runner(loop_factory=lambda: loop) as runner:
            runner.run(whole())
            gc.collect()
        assert loop.complaints == []

    return run


async def turns(count: int = 10) -> None:
    """Let the loop turn so often; no time passes."""
    for _ in range(count):
        await asyncio.sleep(0)


def work(seconds: float) -> None:
    """Let time pass in which the loop stands still: what runs takes so long."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualLoop)
    loop.selector.now += seconds


def now() -> float:
    """The loop's time."""
    return asyncio.get_running_loop().time()
