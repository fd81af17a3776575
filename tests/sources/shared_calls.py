"""A back office that answers when it is told to, and those who ask it through shared calls."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from bff.errors import BackOfficeError
from bff.sources.sharing import Lane, Slots
from tests.sources.virtual_time import now, turns

Keys = Sequence[Any]

Found = dict[Any, Any]


class Office:
    """Answers when it is told to; each key with itself."""

    def __init__(self) -> None:
        self.calls: list[list[Any]] = []
        self.open: list[tuple[list[Any], asyncio.Future[Mapping[Any, Any]]]] = []
        self.most = 0

    async def __call__(self, keys: Keys) -> Mapping[Any, Any]:
        call = (list(keys), asyncio.get_running_loop().create_future())
        self.calls.append(call[0])
        self.open.append(call)
        self.most = max(self.most, len(self.open))
        try:
            answer: Mapping[Any, Any] = await call[1]
        finally:
            self.open.remove(call)
        return answer

    async def answer(self, count: int = 1) -> None:
        """The calls that have waited longest are answered."""
        for keys, future in self.open[:count]:
            future.set_result({key: f"answer {key}" for key in keys})
        await turns()

    async def fail(self, error: BaseException) -> None:
        """The call that has waited longest comes to a bad end."""
        self.open[0][1].set_exception(error)
        await turns()


class Desk:
    """A back office with a lane or two, and those who ask."""

    def __init__(self, calls: int = 1, queue: int = 1_000, batch: int = 50, lanes: int = 1) -> None:
        self.slots = Slots(calls, queue, "erp")
        self.offices = [Office() for _ in range(lanes)]
        self.refused_with: BackOfficeError | None = None
        self.lanes: list[Lane[Any, str]] = [
            Lane(self.slots, office, batch=batch, refusal=lambda: self.refused_with) for office in self.offices
        ]

    @property
    def office(self) -> Office:
        return self.offices[0]

    def start(self, *keys: Any, seconds: float = 10.0, lane: int = 0) -> asyncio.Task[Found]:
        """One request asks."""
        return asyncio.create_task(self.lanes[lane].load(keys, deadline=now() + seconds))

    async def ask(self, *keys: Any, seconds: float = 10.0, lane: int = 0) -> asyncio.Task[Found]:
        """One request asks, and the loop has turned."""
        task = self.start(*keys, seconds=seconds, lane=lane)
        await turns()
        return task

    def idle(self) -> bool:
        """Whether all is as it was in the beginning."""
        return (
            (self.slots.free, self.slots.waiting, self.slots.under_way) == (self.slots.calls, 0, 0)
            and not any((lane.waiting, lane._groups, lane._under_way) != ({}, {}, {}) for lane in self.lanes)
            and not self.slots._tasks
        )


async def cancel(task: asyncio.Task[Any]) -> None:
    task.cancel()
    await asyncio.wait([task])


def good(*keys: Any) -> Found:
    return {key: f"answer {key}" for key in keys}
