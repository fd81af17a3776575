"""
Calls shared between requests: keys of one port method, whoever asks for them, become one call.

A back office has a fixed number of slots: calls that may be in flight at once. While one is free, what waits goes at
once; while all are busy, keys collect. A call then takes its share and no more: all keys that are outstanding, divided
by all slots. One call with everything would leave the other slots idle and make everybody wait for the longest call;
calls of one key would spend the slots on the fixed cost of a call. What one request asks for together is never parted
for that: the products of a page come in one call.

Nobody pays for a timer. Keys that are already under way are joined, not asked for again. A caller who leaves harms
nobody: what is under way goes on, what still waits for nobody is taken out.
"""

import asyncio
from collections import OrderedDict, deque
from collections.abc import Awaitable, Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import count
from typing import Any, Generic, TypeVar

import structlog

from bff.errors import AdapterBroken, BackOfficeError, Busy, TimedOut, Unavailable

log = structlog.get_logger("kabinet.sources")

K = TypeVar("K", bound=Hashable)
R = TypeVar("R")


@dataclass(slots=True, eq=False)
class _Flight(Generic[R]):
    """One key that has been asked for, and those who wait for it."""

    future: asyncio.Future[R | BackOfficeError]
    waiters: int = 0
    group: int = 0
    """What it was asked for together with."""


class Slots:
    """The calls that one back office takes at once, and the lanes that want them."""

    def __init__(self, calls: int, queue: int, back_office: str) -> None:
        self.calls = calls
        self.queue = queue
        self.back_office = back_office
        self.free = calls
        self.waiting = 0
        self.under_way = 0
        self.closed = False
        self._lanes: deque[Lane[Any, Any]] = deque()
        self._scheduled = False
        self._tasks: set[asyncio.Task[None]] = set()

    def add(self, lane: "Lane[Any, Any]") -> None:
        """Let a port method use the slots."""
        self._lanes.append(lane)

    def schedule(self) -> None:
        """Fill free slots at the end of this turn of the loop: what one burst brings goes together."""
        if self.free and self.waiting and not self._scheduled:
            self._scheduled = True
            asyncio.get_running_loop().call_soon(self._fill)

    def _fill(self) -> None:
        self._scheduled = False
        while self.free and self.waiting:
            lane = next(lane for lane in self._lanes if lane.waiting)
            # The next lane's turn: one that always has keys waiting must not starve the others.
            self._lanes.remove(lane)
            self._lanes.append(lane)
            share = -(-(self.waiting + self.under_way) // self.calls)
            keys = lane.take(share)
            self.free -= 1
            task = asyncio.get_running_loop().create_task(lane.run(keys))
            self._tasks.add(task)
            task.add_done_callback(partial(self._done, lane, keys))

    def _done(self, lane: "Lane[Any, Any]", keys: Sequence[Any], task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self.free += 1
        # Here and not in the call's own task: one that is cancelled before its first step runs none of its lines.
        lane.land(keys, None if task.cancelled() else task.exception())
        self.schedule()

    async def close(self) -> None:
        """Give up what waits and what is under way, and begin nothing any more."""
        self.closed = True
        for lane in self._lanes:
            lane.give_up()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


class Lane(Generic[K, R]):
    """
    One port method's keys. `ask` makes one call; it must give every key an outcome and raise nothing but cancellation.

    `batch` is the most keys of one call. What `refusal` gives is the outcome of keys that are not under way already.
    """

    def __init__(
        self,
        slots: Slots,
        ask: Callable[[Sequence[K]], Awaitable[Mapping[K, R]]],
        *,
        batch: int,
        refusal: Callable[[], BackOfficeError | None] = lambda: None,
    ) -> None:
        self._slots = slots
        self._ask = ask
        self.batch = batch
        self._refusal = refusal
        self.waiting: dict[K, _Flight[R]] = {}
        self._groups: OrderedDict[int, dict[K, None]] = OrderedDict()
        """Keys that wait, as they were asked for together, by a running number; those who leave are taken out."""
        self._numbers = count()
        self._under_way: dict[K, _Flight[R]] = {}
        slots.add(self)

    async def load(self, keys: Sequence[K], *, deadline: float) -> dict[K, R | BackOfficeError]:
        """Each key's outcome, or why there is none by the deadline (in the loop's time)."""
        late = TimedOut("no answer before the deadline", back_office=self._slots.back_office)
        left = deadline - asyncio.get_running_loop().time()
        if left <= 0:
            return dict.fromkeys(keys, late)
        found: dict[K, R | BackOfficeError] = {}
        boarded: dict[K, _Flight[R]] = {}
        new: list[K] = []
        for key in dict.fromkeys(keys):
            flight = self._board(key, new)
            if isinstance(flight, BackOfficeError):
                found[key] = flight
            else:
                boarded[key] = flight
                flight.waiters += 1
        self._group(new)
        self._slots.schedule()
        try:
            if boarded:
                # This leaves the futures alone when it is cancelled or late: others may wait for them.
                await asyncio.wait([flight.future for flight in boarded.values()], timeout=left)
        finally:
            for key, flight in boarded.items():
                flight.waiters -= 1
                if not flight.waiters:
                    self._leave(key, flight)
        for key, flight in boarded.items():
            found[key] = flight.future.result() if flight.future.done() else late
        return found

    def take(self, share: int) -> list[K]:
        """Groups that have waited longest go under way: as many as make up the share, and fit into a call."""
        keys: list[K] = []
        while self._groups and len(keys) < share:
            number, group = next(iter(self._groups.items()))
            if keys and len(keys) + len(group) > self.batch:
                break
            del self._groups[number]
            keys += group
        for key in keys:
            self._under_way[key] = self.waiting.pop(key)
        self._slots.waiting -= len(keys)
        self._slots.under_way += len(keys)
        return keys

    async def run(self, keys: Sequence[K]) -> None:
        """Make the call, and tell everybody."""
        outcomes = await self._ask(keys)
        for key in keys:
            self._under_way[key].future.set_result(outcomes[key])

    def land(self, keys: Sequence[K], error: BaseException | None) -> None:
        """
        The call is over; `error` is what came out of it. Whoever has got nothing gets an error.

        Never a cancellation: that would come out of the loaders' batch as if they were cancelled themselves, and leave
        their waiters hanging.
        """
        where = self._slots.back_office
        failure: BackOfficeError = Unavailable("the call was given up", back_office=where)
        if error is not None:
            log.error("call broken", back_office=where, exc_info=error)
            failure = AdapterBroken(f"the call ended with {type(error).__name__}", back_office=where)
        for key in keys:
            flight = self._under_way.pop(key)
            if not flight.future.done():
                flight.future.set_result(failure)
        self._slots.under_way -= len(keys)

    def give_up(self) -> None:
        """Nothing that waits will be asked for any more."""
        stopping = self._stopping()
        for flight in self.waiting.values():
            flight.future.set_result(stopping)
        self._slots.waiting -= len(self.waiting)
        self.waiting.clear()
        self._groups.clear()

    def _board(self, key: K, new: list[K]) -> _Flight[R] | BackOfficeError:
        """Join the key where it is asked for already, or let it wait; then it is added to `new`."""
        flight = self._under_way.get(key) or self.waiting.get(key)
        if flight is not None:
            return flight
        if self._slots.closed:
            return self._stopping()
        if (refusal := self._refusal()) is not None:
            return refusal
        if self._slots.waiting >= self._slots.queue:
            return Busy("too many wait for this back office", back_office=self._slots.back_office)
        flight = self.waiting[key] = _Flight(asyncio.get_running_loop().create_future())
        self._slots.waiting += 1
        new.append(key)
        return flight

    def _group(self, together: Sequence[K]) -> None:
        """Keep together what was asked for together, as far as it fits into a call."""
        for start in range(0, len(together), self.batch):
            number = next(self._numbers)
            self._groups[number] = dict.fromkeys(together[start : start + self.batch])
            for key in self._groups[number]:
                self.waiting[key].group = number

    def _leave(self, key: K, flight: _Flight[R]) -> None:
        """Nobody waits for the key any more: where it is not under way it need not be asked for."""
        if self.waiting.get(key) is not flight:
            return
        del self.waiting[key]
        self._slots.waiting -= 1
        group = self._groups[flight.group]
        del group[key]
        if not group:
            del self._groups[flight.group]

    def _stopping(self) -> BackOfficeError:
        return Unavailable("the service stops", back_office=self._slots.back_office)
