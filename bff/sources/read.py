"""One port method of one back office, as the loaders see it."""

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Mapping, Sequence
from typing import Any, Final, Generic, TypeAlias, TypeVar

import structlog

from bff.domain.clock import Clock
from bff.errors import AdapterBroken, BackOfficeError, IntegrityViolation, TimedOut, Unknown
from bff.ports import Batch
from bff.sources.answer import Answer
from bff.sources.outage import OutageLog

log = structlog.get_logger("kabinet.sources")

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

Outcome: TypeAlias = Answer[V] | BackOfficeError

EVERYBODY: Final = "everybody"
"""The one key of reads that are the same for all customers."""


class Read(Generic[K, V]):
    """
    A read of a back office. Calling it never raises but for cancellation: every key gets an answer or its own error.

    `owned` says that answers are by customer: then each must name, as its `customer`, the key under which it came,
    and an answer about anybody who was not asked for is refused whole.
    """

    def __init__(
        self,
        back_office: str,
        name: str,
        ask: Callable[[Sequence[K]], Awaitable[Batch[Any, V]]],
        *,
        owned: bool,
        clock: Clock,
        outages: OutageLog,
        key: Callable[[K], Hashable] = lambda key: key,
    ) -> None:
        self.back_office = back_office
        self.name = name
        self._ask = ask
        self._owned = owned
        self._clock = clock
        self._outages = outages
        self._key = key

    async def __call__(self, keys: Sequence[K], *, deadline: float) -> dict[K, Outcome[V]]:
        """Ask for `keys`, each once. `deadline` is in the event loop's time."""
        try:
            async with asyncio.timeout_at(deadline):
                found = await self._ask(keys)
            if self._owned:
                self._check_owners(keys, found)
            as_of = self._clock()
            outcomes = {key: self._outcome(found, key, as_of) for key in keys}
        except TimeoutError:
            return self._all_failed(keys, TimedOut("no answer before the deadline", back_office=self.back_office))
        except BackOfficeError as error:
            return self._all_failed(keys, error)
        except (Exception, asyncio.CancelledError) as error:
            # A cancellation that is not ours came out of a task of the adapter's own: passed on, it would leave all
            # who wait for this batch hanging.
            task = asyncio.current_task()
            if isinstance(error, asyncio.CancelledError) and (task is None or task.cancelling()):
                raise
            # An adapter's mistake costs its section, not the dashboard.
            log.exception("adapter broken", back_office=self.back_office, read=self.name)
            message = f"the adapter raised {type(error).__name__}"
            return self._all_failed(keys, AdapterBroken(message, back_office=self.back_office))
        self._outages.answered(self.back_office, self.name)
        return outcomes

    def _outcome(self, found: Mapping[Any, V | BackOfficeError], key: K, as_of: Any) -> Outcome[V]:
        try:
            value = found[self._key(key)]
        except KeyError:
            return Unknown(f"{self.name}: the key is not known there", back_office=self.back_office)
        if isinstance(value, BackOfficeError):
            value.back_office = value.back_office or self.back_office
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

    def _all_failed(self, keys: Sequence[K], error: BackOfficeError) -> dict[K, Outcome[V]]:
        error.back_office = error.back_office or self.back_office
        if isinstance(error, IntegrityViolation):
            log.error("integrity violation", back_office=self.back_office, read=self.name, error=str(error))
        self._outages.failed(self.back_office, self.name, error)
        return dict.fromkeys(keys, error)
