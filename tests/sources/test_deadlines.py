"""Waits that share timers: each ends at its own time, and none is forgotten."""

import asyncio
from dataclasses import dataclass, field

from bff.sources.deadlines import TICK_SECONDS, Deadlines
from tests.patience import PATIENCE_SECONDS


@dataclass(eq=False)
class Waiting:
    """A wait that notes when it was ended."""

    ended: asyncio.Future[float] = field(default_factory=lambda: asyncio.get_running_loop().create_future())

    def end(self) -> None:
        self.ended.set_result(asyncio.get_running_loop().time())


async def ended(deadlines: Deadlines, seconds: float) -> None:
    """Two waits of one tick and one of another: no end comes early, and what is over by itself is not ended."""
    loop = asyncio.get_running_loop()
    moments = [loop.time() + seconds * n for n in (1.0, 1.0, 2.0, 1.0)]
    waits = [Waiting() for _ in moments]
    ticks = [deadlines.begin(wait, moment, loop) for wait, moment in zip(waits, moments, strict=True)]
    deadlines.over(waits[3], ticks[3])
    async with asyncio.timeout(PATIENCE_SECONDS):
        for wait, moment in zip(waits[:3], moments, strict=False):
            # uvloop's clock goes by milliseconds.
            assert await wait.ended >= moment - 0.001
    assert not waits[3].ended.done()
    for wait, tick in zip(waits, ticks, strict=True):
        deadlines.over(wait, tick)


def test_waits_end_at_their_deadlines() -> None:
    asyncio.run(ended(Deadlines(), 2 * TICK_SECONDS))


def test_a_deadline_that_is_over_already_ends_the_wait_at_once() -> None:
    asyncio.run(ended(Deadlines(), -1.0))


def test_a_loop_that_was_closed_leaves_nothing_behind() -> None:
    deadlines = Deadlines()

    async def leave() -> None:
        loop = asyncio.get_running_loop()
        for n in range(1_000):
            deadlines.begin(Waiting(), loop.time() + n * TICK_SECONDS, loop)

    asyncio.run(leave())
    asyncio.run(ended(deadlines, 2 * TICK_SECONDS))
