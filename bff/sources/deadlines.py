"""Ends of waiting, in crowds: a timer of the event loop for each of many callers costs more than what else they do."""

from asyncio import AbstractEventLoop
from math import ceil
from typing import Final, Protocol

TICK_SECONDS: Final = 0.01
"""How far timers are apart, and how much later than its deadline a wait may end."""


class Wait(Protocol):
    """What may go on too long."""

    def end(self) -> None:
        """Its deadline has come."""
        ...


class Deadlines:
    """Ends each wait that is not over by its deadline."""

    def __init__(self) -> None:
        self._waits: dict[int, dict[Wait, None]] = {}
        self._loop: AbstractEventLoop | None = None

    def begin(self, wait: Wait, deadline: float, loop: AbstractEventLoop) -> int:
        """A wait begins; its deadline is in the loop's time. What this gives, `over` wants."""
        if loop is not self._loop:
            # Timers of a loop that was closed never come.
            self._loop, self._waits = loop, {}
        tick = ceil(deadline / TICK_SECONDS)
        waits = self._waits.get(tick)
        if waits is None:
            waits = self._waits[tick] = {}
            loop.call_at(tick * TICK_SECONDS, self._end, tick)
        waits[wait] = None
        return tick

    def over(self, wait: Wait, tick: int) -> None:
        """A wait is over by itself."""
        if (waits := self._waits.get(tick)) is not None:
            waits.pop(wait, None)

    def _end(self, tick: int) -> None:
        for wait in self._waits.pop(tick, ()):
            wait.end()
