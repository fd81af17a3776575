"""Asking a back office: guarded, checked, and kept."""

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Mapping, Sequence
from typing import Any, Generic, Protocol, TypeAlias, TypeVar

import structlog

from bff.domain.clock import Clock
from bff.errors import (
    BackOfficeError,
    IntegrityViolation,
    Unknown,
)
from bff.ports import Batch
from bff.sources.adapter_call import call_adapter, note_violation
from bff.sources.answer import Answer
from bff.sources.guard import MAY_BE_ONE_KEYS_FAULT, Guard
from bff.sources.outage import OutageLog

log = structlog.get_logger("kabinet.sources")

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

Outcome: TypeAlias = Answer[V] | BackOfficeError

V_contra = TypeVar("V_contra", contravariant=True)


class Keeper(Protocol[K, V_contra]):
    """Keeps answers, once for everybody who waits for them."""

    async def before(self, keys: Sequence[K]) -> Any:
        """Before the back office is asked."""
        ...

    async def after(self, answers: "Mapping[K, Answer[V_contra]]", before: Any) -> None:
        """After it has answered. `before` is what `before` gave."""
        ...


class Fetcher(Generic[K, V]):
    """
    One port method of one back office. `__call__` raises nothing but cancellation: every key gets an outcome.

    `owned` says that answers are by customer: each must name, as its `customer`, the key under which it came, and an
    answer about anybody who was not asked for is refused whole.
    """

    def __init__(
        self,
        back_office: str,
        name: str,
        ask: Callable[[Sequence[K]], Awaitable[Batch[Any, V]]],
        *,
        owned: bool,
        key: Callable[[K], Hashable],
        guard: Guard,
        keeper: Keeper[K, V] | None,
        clock: Clock,
        outages: OutageLog,
    ) -> None:
        self.back_office = back_office
        self.name = name
        self._ask = ask
        self._owned = owned
        self._key = key
        self._guard = guard
        self._keeper = keeper
        self._clock = clock
        self._outages = outages

    async def __call__(self, keys: Sequence[K]) -> dict[K, Outcome[V]]:
        """Ask for the keys, each once."""
        before = await self._keeper.before(keys) if self._keeper else None
        outcomes = await self._fetch(keys)
        if self._keeper:
            answers = {key: each for key, each in outcomes.items() if isinstance(each, Answer)}
            if answers:
                await self._keeper.after(answers, before)
        return outcomes

    async def _fetch(self, keys: Sequence[K]) -> dict[K, Outcome[V]]:
        """Ask; where the call as a whole fails, and one key may be to blame, look for it by halves."""
        until = asyncio.get_running_loop().time() + self._guard.seconds
        found = await self._attempt(keys)
        return await self._by_halves(keys, found, until) if isinstance(found, BackOfficeError) else found

    async def _by_halves(self, keys: Sequence[K], error: BackOfficeError, until: float) -> dict[K, Outcome[V]]:
        """
        Outcomes of keys that have failed together.

        A halving is two more calls. It costs as much of the budget as a retry, and none begins after `until`: nobody
        waits for so long.
        """
        if len(keys) == 1 or not isinstance(error, MAY_BE_ONE_KEYS_FAULT):
            return dict.fromkeys(keys, error)
        if asyncio.get_running_loop().time() >= until or not self._guard.courtesy.spend():
            return dict.fromkeys(keys, error)
        middle = len(keys) // 2
        outcomes = [(half, await self._attempt(half, searching=True)) for half in (keys[:middle], keys[middle:])]
        together: dict[K, Outcome[V]] = {}
        if all(isinstance(outcome, BackOfficeError) for _, outcome in outcomes):
            # It is not one key: the back office fails.
            for half, outcome in outcomes:
                together |= dict.fromkeys(half, outcome if isinstance(outcome, IntegrityViolation) else error)
            return together
        for half, outcome in outcomes:
            together |= await self._by_halves(half, outcome, until) if isinstance(outcome, BackOfficeError) else outcome
        return together

    async def _attempt(self, keys: Sequence[K], *, searching: bool = False) -> dict[K, Outcome[V]] | BackOfficeError:
        """One guarded call: outcomes by key, or why it failed as a whole."""

        async def ask() -> dict[K, Outcome[V]]:
            found = await self._ask(keys)
            if self._owned:
                self._check_owners(keys, found)
            as_of = self._clock()
            return {key: self._outcome(found, key, as_of) for key in keys}

        try:
            outcomes = await self._guard.call(
                lambda: call_adapter(ask, back_office=self.back_office, read=self.name), searching=searching
            )
        except BackOfficeError as error:
            note_violation(error, back_office=self.back_office, read=self.name)
            self._outages.failed(self.back_office, self.name, error)
            return error
        self._outages.answered(self.back_office, self.name)
        return outcomes

    def _outcome(self, found: Mapping[Any, V | BackOfficeError], key: K, as_of: Any) -> Outcome[V]:
        try:
            value = found[self._key(key)]
        except KeyError:
            return Unknown(f"{self.name}: the key is not known there", back_office=self.back_office)
        if isinstance(value, BackOfficeError):
            value.back_office = value.back_office or self.back_office
            value.of_one_key = True
            return value
        return Answer(value, as_of)

    def _check_owners(self, keys: Sequence[K], found: Mapping[Any, V | BackOfficeError]) -> None:
        asked = {self._key(key) for key in keys}
        for owner, value in found.items():
            named = owner if value is None or isinstance(value, BackOfficeError) else getattr(value, "customer", None)
            if owner not in asked or named != owner:
                raise IntegrityViolation(
                    f"{self.name}: the answer holds a customer who was not asked for", back_office=self.back_office
                )
