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
from collections import deque
from collections.abc import Awaitable, Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from bff.errors import BackOfficeError, Busy, TimedOut, Unavailable

K = TypeVar("K", bound=Hashable)
R = TypeVar("R")


@dataclass(slots=True, eq=False)
class _Flight(Generic[R]):
    """One key that has been asked for, and those who wait for it."""

    future: asyncio.Future[R | BackOfficeError]
    waiters: int = 0


class Slots:
    """The calls that one back office takes at once, and the lanes that want them."""

    def __init__(self, calls: int, queue: int, back_office: str) -> None:
        self.calls = calls
        self.queue = queue
        self.back_office = back_office
        self.free = calls
        self.waiting = 0
        self.under_way = 0
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
            task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self.free += 1
        self.schedule()

    async def close(self) -> None:
        """Give up what is under way."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


class Lane(Generic[K, R]):
    """
    One port method's keys. `ask` makes one call; it must give every key an outcome and raise nothing but cancellation.

    `batch` is the most keys of one call. With `shared` off, keys of different requests are never put together (and
    nothing is joined): each `load` is a call of its own.
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
        self._groups: deque[list[tuple[K, _Flight[R]]]] = deque()
        """Keys that wait, as they were asked for together; some may have left."""
        self._under_way: dict[K, _Flight[R]] = {}
        slots.add(self)

    async def load(self, keys: Sequence[K], *, deadline: float) -> dict[K, R | BackOfficeError]:
        """Each key's outcome, or why there is none by the deadline (in the loop's time)."""
        together: list[tuple[K, _Flight[R]]] = []
        flights = {key: self._board(key, together) for key in dict.fromkeys(keys)}
        self._groups.extend(together[start : start + self.batch] for start in range(0, len(together), self.batch))
        found: dict[K, R | BackOfficeError] = {
            key: flight for key, flight in flights.items() if isinstance(flight, BackOfficeError)
        }
        boarded = {key: flight for key, flight in flights.items() if isinstance(flight, _Flight)}
        for flight in boarded.values():
            flight.waiters += 1
        self._slots.schedule()
        try:
            if len(boarded) == 1:
                (future,) = (flight.future for flight in boarded.values())
                await asyncio.wait_for(asyncio.shield(future), deadline - asyncio.get_running_loop().time())
            elif boarded:
                left = deadline - asyncio.get_running_loop().time()
                await asyncio.wait([flight.future for flight in boarded.values()], timeout=max(left, 0))
        except TimeoutError:
            pass
        finally:
            for key, flight in boarded.items():
                flight.waiters -= 1
                if not flight.waiters:
                    self._leave(key, flight)
        late = TimedOut("no answer before the deadline", back_office=self._slots.back_office)
        for key, flight in boarded.items():
            found[key] = flight.future.result() if flight.future.done() else late
        return found

    def take(self, share: int) -> list[K]:
        """Groups that have waited longest go under way: as many as make up the share, and fit into a call."""
        keys: list[K] = []
        while self._groups and len(keys) < share:
            # A key that was left and asked for again stands in two groups, with a flight of its own in each.
            group = [(key, flight) for key, flight in self._groups[0] if self.waiting.get(key) is flight]
            if keys and len(keys) + len(group) > self.batch:
                break
            self._groups.popleft()
            for key, flight in group:
                self._under_way[key] = flight
                del self.waiting[key]
                keys.append(key)
        self._slots.waiting -= len(keys)
        self._slots.under_way += len(keys)
        return keys

    async def run(self, keys: list[K]) -> None:
        """Make the call, and tell everybody."""
        try:
            outcomes = await self._ask(keys)
            for key in keys:
                self._under_way[key].future.set_result(outcomes[key])
        finally:
            for key in keys:
                flight = self._under_way.pop(key)
                if not flight.future.done():
                    # Given up (the service stops) or broken. An error and no cancellation: that would come out of the
                    # loaders' batch as if they were cancelled themselves, and leave their waiters hanging.
                    flight.future.set_result(Unavailable("the call was given up", back_office=self._slots.back_office))
            self._slots.under_way -= len(keys)

    def _board(self, key: K, together: list[tuple[K, _Flight[R]]]) -> _Flight[R] | BackOfficeError:
        """Join the key where it is asked for already, or let it wait; new ones are added to `together`."""
        flight = self._under_way.get(key) or self.waiting.get(key)
        if flight is not None:
            return flight
        if (refusal := self._refusal()) is not None:
            return refusal
        if self._slots.waiting >= self._slots.queue:
            return Busy("too many wait for this back office", back_office=self._slots.back_office)
        flight = self.waiting[key] = _Flight(asyncio.get_running_loop().create_future())
        self._slots.waiting += 1
        together.append((key, flight))
        return flight

    def _leave(self, key: K, flight: _Flight[R]) -> None:
        if self.waiting.get(key) is flight:
            del self.waiting[key]
            self._slots.waiting -= 1
            if not self.waiting:
                self._groups.clear()
