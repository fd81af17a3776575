"""One port method as the loaders see it: from the cache where that will do, else from the back office."""

import asyncio
import math
import random
from collections.abc import Callable, Hashable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final, Generic, TypeVar

import msgspec
import structlog

from bff.domain.clock import Clock
from bff.errors import BadReply
from bff.sources.ages import Ages
from bff.sources.answer import Answer
from bff.sources.cache import AllMarks, Cache
from bff.sources.fetching import Outcome
from bff.sources.guard import OUTAGES
from bff.sources.sharing import Lane
from bff.sources.tier import Entry, Place

log = structlog.get_logger("kabinet.sources")

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

EVERYBODY: Final = "everybody"
"""The one key of reads that are the same for all customers."""

SPREAD = 0.1
"""Answers that came together go old apart by up to this part of their age, either way."""

EARLINESS = 1.0
"""How eagerly what is everybody's is refreshed before it goes old (XFetch's beta)."""


class Keeping(Generic[K, V]):
    """How one read's answers are kept: where, for how long, as what type, and whose they must be."""

    def __init__(
        self,
        cache: Cache,
        ages: Ages,
        value_type: Any,
        *,
        place: Callable[[K], Place],
        owner: Callable[[K], str],
        clock: Clock,
        stale_for_bad_values: bool = True,
        uniform: Callable[[], float] = random.random,
    ) -> None:
        self.cache = cache
        self.place = place
        self.stale_for_bad_values = stale_for_bad_values
        self._ages = ages
        self._owner = owner
        self._clock = clock
        self._uniform = uniform
        self._encode = msgspec.msgpack.Encoder().encode
        self._decode = msgspec.msgpack.Decoder(value_type).decode

    async def before(self, keys: Sequence[K]) -> tuple[AllMarks, float]:
        """Before the back office is asked: marks, and the time."""
        return await self.cache.marks([self.place(key) for key in keys]), self._clock().timestamp()

    async def after(self, answers: Mapping[K, Answer[V]], before: tuple[AllMarks, float]) -> None:
        """After it has answered: keep the answers."""
        marks, began = before
        entries: dict[Place, Entry] = {}
        for key, answer in answers.items():
            try:
                entries[self.place(key)] = self._entry(key, answer, began)
            except (msgspec.MsgspecError, TypeError, ValueError, OverflowError) as error:
                # Half a character, or a value of no type of ours, from a careless adapter: it is shown and not kept.
                log.error(  # noqa: TRY400 (a traceback may hold the value)
                    "answer cannot be kept", kind=type(answer.value).__name__, error=type(error).__name__
                )
        await self.cache.put(entries, marks)

    def answer(self, key: K, entry: Entry, *, stale: bool) -> Answer[V] | None:
        """What an entry says; None where it is not this key's, or cannot be read."""
        if entry.owner != self._owner(key):
            return None
        try:
            value: V = self._decode(entry.body)
            as_of = datetime.fromtimestamp(entry.as_of, UTC)
        except (msgspec.MsgspecError, ValueError, OverflowError, OSError):
            return None
        if value is not None and getattr(value, "customer", None) != (entry.owner or None):
            return None
        return Answer(value, as_of, stale)

    def wants_refresh_early(self, entry: Entry, now: float) -> bool:
        """
        Whether to ask again although the answer is fresh: by chance, likelier the nearer its end (XFetch).

        Only for what is everybody's: when that goes old, all ask at once.
        """
        if entry.owner:
            return False
        return now - entry.cost * EARLINESS * math.log(1.0 - self._uniform()) >= entry.fresh_until

    def _entry(self, key: K, answer: Answer[V], began: float) -> Entry:
        as_of = answer.as_of.timestamp()
        spread = 1 + SPREAD * (2 * self._uniform() - 1)
        fresh_until = as_of + self._ages.fresh_seconds * spread
        return Entry(
            body=self._encode(answer.value),
            owner=self._owner(key),
            as_of=as_of,
            fresh_until=fresh_until,
            stale_until=max(as_of + self._ages.stale_seconds, fresh_until),
            dead_at=max(as_of + self._ages.on_error_seconds, fresh_until),
            cost=max(as_of - began, 0.0),
        )


class Read(Generic[K, V]):
    """
    A read. Calling it never raises but for cancellation: every key gets an answer or its own error.

    Fresh: the answer, at once. Stale: the answer, marked so, at once; and the back office is asked behind, once. Older:
    the back office is asked, and where it fails the old answer serves, marked stale, as long as its age allows.
    """

    def __init__(
        self,
        back_office: str,
        name: str,
        lane: Lane[K, Outcome[V]],
        *,
        keeping: Keeping[K, V] | None,
        clock: Clock,
        refresh_seconds: float,
    ) -> None:
        self.back_office = back_office
        self.name = name
        self._lane = lane
        self._keeping = keeping
        self._clock = clock
        self._refresh_seconds = refresh_seconds
        self._refreshing: dict[K, asyncio.Task[None]] = {}
        self._closed = False

    async def __call__(self, keys: Sequence[K], *, deadline: float) -> dict[K, Outcome[V]]:
        """Answers to `keys`, each once. `deadline` is in the event loop's time."""
        if self._keeping is None:
            return await self._lane.load(keys, deadline=deadline)
        found: dict[K, Outcome[V]] = {}
        old: dict[K, Answer[V]] = {}
        missing: list[K] = []
        entries = await self._keeping.cache.get([self._keeping.place(key) for key in keys])
        now = self._clock().timestamp()
        for key, entry in zip(keys, entries, strict=True):
            answer = (
                None
                if entry is None
                else await self._checked(self._keeping, key, entry, stale=now >= entry.fresh_until)
            )
            if entry is None or answer is None:
                missing.append(key)
            elif now < entry.stale_until:
                found[key] = answer
                if answer.stale or self._keeping.wants_refresh_early(entry, now):
                    self._refresh_behind(self._keeping, key)
            else:
                old[key] = answer
                missing.append(key)
        if missing:
            for key, outcome in (await self._lane.load(missing, deadline=deadline)).items():
                found[key] = old[key] if key in old and self._old_will_do(outcome) else outcome
        return found

    async def close(self) -> None:
        """Give up what is being refreshed, and begin nothing any more."""
        self._closed = True
        tasks = list(self._refreshing.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _old_will_do(self, outcome: Outcome[V]) -> bool:
        """Whether an old answer is better than this one: not for refusals, nor for what mixes customers up."""
        if not isinstance(outcome, OUTAGES):
            return False
        assert self._keeping is not None  # noqa: S101 (without it nothing is old)
        is_bad_value = outcome.of_one_key and isinstance(outcome, BadReply)
        return self._keeping.stale_for_bad_values or not is_bad_value

    async def _checked(self, keeping: Keeping[K, V], key: K, entry: Entry, *, stale: bool) -> Answer[V] | None:
        answer = keeping.answer(key, entry, stale=stale)
        if answer is None:
            # Somebody else's, or not of this version: neither may be there. It goes, and somebody should look.
            log.error("cache entry refused", back_office=self.back_office, read=self.name)
            # By the narrowest tag: all of a catalogue need not go for one entry.
            await keeping.cache.drop(keeping.place(key).tags[-1:])
        return answer

    def _refresh_behind(self, keeping: Keeping[K, V], key: K) -> None:
        if self._closed or key in self._refreshing:
            return
        task = asyncio.get_running_loop().create_task(self._refresh(keeping, key))
        self._refreshing[key] = task
        task.add_done_callback(lambda _: self._refreshing.pop(key, None))

    async def _refresh(self, keeping: Keeping[K, V], key: K) -> None:
        # The lease is not given back where the refresh fails: the next one who comes waits until it ends.
        if await keeping.cache.lease(keeping.place(key), self._refresh_seconds):
            await self._lane.load([key], deadline=asyncio.get_running_loop().time() + self._refresh_seconds)
