"""
Calls shared between requests: keys of one port method, whoever asks for them, become one call.

A back office has a fixed number of slots: calls that may be in flight at once. While there are slots enough for what is
asked, it goes at once; while all are busy, keys collect. A call then takes its share and no more: all that is
outstanding, divided by all slots. One call with everything would leave the other slots idle and make everybody wait for
the longest call; calls of one key would spend the slots on the fixed cost of a call. What one request asks for together
counts once and is never parted: the products of a page come in one call.

Where more is asked for than there are slots, one that comes free does not leave with half of its share: those who have
just been answered ask again, and others come. It waits for the whole share, and keeps its distance from the call of the
same method that left before it: calls that come back together get in each other's way, and their callers all ask again
at once. It waits no longer than a fifth of a call, which is less than what a call of half the size costs everybody, and
not at all where nothing else can come, or more waits than all free slots could take.

Keys that are already under way are joined, not asked for again. A caller who leaves harms nobody: what is under way
goes on, what still waits for nobody is taken out.
"""

import asyncio
import math
from collections import OrderedDict, deque
from collections.abc import Awaitable, Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from typing import Any, Final, Generic, TypeAlias, TypeVar

import structlog

from bff.errors import AdapterBroken, BackOfficeError, Busy, TimedOut, Unavailable
from bff.sources.deadlines import Deadlines

log = structlog.get_logger("kabinet.sources")

K = TypeVar("K", bound=Hashable)
R = TypeVar("R")


PATIENCE: Final = 0.2
"""How long a free slot waits for its share, as a part of what the last call took."""

MOST_PATIENCE_SECONDS: Final = 0.025

CLOCK_SECONDS: Final = 0.001
"""uvloop's clock goes by milliseconds: a timer for less comes at once, too early, and again and again."""

DISTANCE: Final = 0.8
"""How far a method's calls leave apart, as a part of what evenly spaced ones would be."""


@dataclass(slots=True, eq=False)
class _Party:
    """A caller, and how many of their keys have not come yet."""

    done: asyncio.Future[None]
    missing: int = 0

    def landed(self) -> None:
        """One of them has."""
        self.missing -= 1
        if not self.missing:
            self.end()

    def end(self) -> None:
        """They go on with what there is."""
        if not self.done.done():
            self.done.set_result(None)


@dataclass(slots=True, eq=False)
class _Flight(Generic[R]):
    """One key that has been asked for, and those who wait for it."""

    outcome: R | BackOfficeError | None = None
    parties: dict[_Party, None] = field(default_factory=dict)
    group: int = 0
    """What it was asked for together with."""

    def land(self, outcome: R | BackOfficeError) -> None:
        """It has come."""
        self.outcome = outcome
        for party in self.parties:
            party.landed()


Flights: TypeAlias = dict[K, _Flight[R]]
"""The keys of one call."""


@dataclass(slots=True)
class _Peak:
    """The most that a figure was in the last `seconds`, or a little longer."""

    most: int = 0
    before: int = 0
    began: float = -math.inf

    def of(self, figure: int, now: float, seconds: float) -> int:
        """With what it is now."""
        if now > self.began + seconds:
            self.before = self.most if now <= self.began + 2 * seconds else 0
            self.most, self.began = 0, now
        self.most = max(self.most, figure)
        return max(self.most, self.before)


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
        self.deadlines = Deadlines()
        self._lanes: deque[Lane[Any, Any]] = deque()
        self._scheduled = False
        self._timer: asyncio.TimerHandle | None = None
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
        loop = asyncio.get_running_loop()
        now = loop.time()
        while self.free and self.waiting:
            outstanding = sum(lane.most(now) for lane in self._lanes)
            share = -(-outstanding // self.calls)
            lane = self._lane_to_go(outstanding, share, now, loop)
            if lane is None:
                return
            # The next lane's turn: one that always has keys waiting must not starve the others.
            self._lanes.remove(lane)
            self._lanes.append(lane)
            self.free -= 1
            flights = lane.take(share, now)
            task = loop.create_task(lane.run(flights))
            self._tasks.add(task)
            task.add_done_callback(partial(self._done, lane, flights, now))

    def _lane_to_go(
        self, outstanding: int, share: int, now: float, loop: asyncio.AbstractEventLoop
    ) -> "Lane[Any, Any] | None":
        """Whose keys a free slot takes now; None where it had better wait, and then it looks again in time."""
        waiting = [lane for lane in self._lanes if lane.waiting]
        if share == 1:
            return waiting[0]
        moments = [lane.patience_ends(now, share) for lane in waiting]
        for lane, patience_ends in zip(waiting, moments, strict=True):
            if now >= patience_ends:
                return lane
        for lane in waiting:
            most = lane.most(now)
            if lane.groups == most or lane.fills(self.free + 1, share):
                return lane
            if lane.fills(1, share):
                may_leave = lane.left_at + DISTANCE * lane.took * outstanding / (most * self.calls)
                if now >= may_leave:
                    return lane
                moments.append(may_leave)
        if self._timer is not None:
            self._timer.cancel()
        self._timer = loop.call_at(max(min(moments), now + CLOCK_SECONDS), self.schedule)
        return None

    def _done(
        self, lane: "Lane[Any, Any]", flights: "Flights[Any, Any]", began: float, task: asyncio.Task[None]
    ) -> None:
        self._tasks.discard(task)
        self.free += 1
        lane.took = asyncio.get_running_loop().time() - began
        # Here and not in the call's own task: one that is cancelled before its first step runs none of its lines.
        lane.land(flights, None if task.cancelled() else task.exception())
        self.schedule()

    async def close(self) -> None:
        """Give up what waits and what is under way, and begin nothing any more."""
        self.closed = True
        if self._timer is not None:
            self._timer.cancel()
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
        self._outstanding = 0
        """Groups that wait or are under way."""
        self._peak = _Peak()
        self.took = 0.0
        """What its last call took, seconds."""
        self.left_at = -math.inf
        """When its last call left."""
        self._patient_until = math.inf
        """When what waits goes as it is; infinite before a slot was free for it."""
        self._enough = 1
        """How many groups wait before another look is worth while."""
        self._groups: OrderedDict[int, dict[K, None]] = OrderedDict()
        """Keys that wait, as they were asked for together, by a running number; those who leave are taken out."""
        self._numbers = count()
        self._under_way: dict[K, _Flight[R]] = {}
        slots.add(self)

    async def load(self, keys: Sequence[K], *, deadline: float) -> dict[K, R | BackOfficeError]:
        """Each key's outcome, or why there is none by the deadline (in the loop's time)."""
        loop = asyncio.get_running_loop()
        if loop.time() >= deadline:
            return dict.fromkeys(keys, self._late())
        found: dict[K, R | BackOfficeError] = {}
        boarded: dict[K, _Flight[R]] = {}
        new: list[K] = []
        party = _Party(loop.create_future())
        refusal = self._refusal()
        for key in dict.fromkeys(keys):
            flight = self._board(key, new, refusal)
            if isinstance(flight, BackOfficeError):
                found[key] = flight
            else:
                boarded[key] = flight
                flight.parties[party] = None
                party.missing += 1
        self._group(new)
        if new and self.fills(1, self._enough):
            self._slots.schedule()
        if boarded:
            tick = self._slots.deadlines.begin(party, deadline, loop)
            try:
                await party.done
            finally:
                self._slots.deadlines.over(party, tick)
                for key, flight in boarded.items():
                    if flight.outcome is None:
                        del flight.parties[party]
                        if not flight.parties:
                            self._leave(key, flight)
        for key, flight in boarded.items():
            found[key] = self._late() if flight.outcome is None else flight.outcome
        return found

    @property
    def groups(self) -> int:
        """Groups that wait."""
        return len(self._groups)

    def most(self, now: float) -> int:
        """Groups that wait or are under way, with those who were just answered: they are about to ask again."""
        return self._peak.of(self._outstanding, now, self.took)

    def patience_ends(self, now: float, share: int) -> float:
        """A slot is free for what waits: when it goes as it is, if there is no share of it before."""
        if self._patient_until == math.inf:
            self._patient_until = now + min(self.took * PATIENCE, MOST_PATIENCE_SECONDS)
        self._enough = min(share, self.most(now))
        return self._patient_until

    def fills(self, calls: int, share: int) -> bool:
        """Whether what waits is enough for so many calls of so many groups, or of as many keys as a call takes."""
        return self.groups >= calls * share or len(self.waiting) >= calls * self.batch

    def take(self, share: int, now: float) -> Flights[K, R]:
        """Groups that have waited longest go under way: as many as make up the share, and fit into a call."""
        flights: Flights[K, R] = {}
        for _ in range(min(share, self.groups)):
            number, group = next(iter(self._groups.items()))
            if flights and len(flights) + len(group) > self.batch:
                break
            del self._groups[number]
            for key in group:
                flights[key] = self._under_way[key] = self.waiting.pop(key)
        self.left_at = now
        if not self._slots.free or not self._groups:
            self._start_anew()
        self._slots.waiting -= len(flights)
        self._slots.under_way += len(flights)
        return flights

    async def run(self, flights: Flights[K, R]) -> None:
        """Make the call, and tell everybody."""
        outcomes = await self._ask(list(flights))
        for key, flight in flights.items():
            # Before anybody hears of it: who asks again then, asks anew.
            outcome = outcomes[key]
            del self._under_way[key]
            flight.land(outcome)

    def land(self, flights: Flights[K, R], error: BaseException | None) -> None:
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
        for key, flight in flights.items():
            if self._under_way.get(key) is flight:
                del self._under_way[key]
                flight.land(failure)
        self._slots.under_way -= len(flights)
        self._outstanding -= len({flight.group for flight in flights.values()})

    def give_up(self) -> None:
        """Nothing that waits will be asked for any more."""
        stopping = self._stopping()
        for flight in self.waiting.values():
            flight.land(stopping)
        self._slots.waiting -= len(self.waiting)
        self.waiting.clear()
        self._outstanding -= len(self._groups)
        self._groups.clear()

    def _board(self, key: K, new: list[K], refusal: BackOfficeError | None) -> _Flight[R] | BackOfficeError:
        """Join the key where it is asked for already, or let it wait; then it is added to `new`."""
        flight = self._under_way.get(key) or self.waiting.get(key)
        if flight is not None:
            return flight
        if self._slots.closed:
            return self._stopping()
        if refusal is not None:
            return refusal
        if self._slots.waiting >= self._slots.queue:
            return Busy("too many wait for this back office", back_office=self._slots.back_office)
        if not self.waiting:
            self._start_anew()
        flight = self.waiting[key] = _Flight()
        self._slots.waiting += 1
        new.append(key)
        return flight

    def _group(self, together: Sequence[K]) -> None:
        """Keep together what was asked for together, as far as it fits into a call."""
        for start in range(0, len(together), self.batch):
            number = next(self._numbers)
            self._outstanding += 1
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
            self._outstanding -= 1

    def _start_anew(self) -> None:
        self._patient_until = math.inf
        self._enough = 1

    def _late(self) -> BackOfficeError:
        return TimedOut("no answer before the deadline", back_office=self._slots.back_office)

    def _stopping(self) -> BackOfficeError:
        return Unavailable("the service stops", back_office=self._slots.back_office)
