"""One port method that changes something: guarded, made once, and carried to its end whoever has left meanwhile."""

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from functools import partial
from typing import Generic, TypeVar

import structlog

from bff.errors import (
    AdapterBroken,
    BackOfficeError,
    BadReply,
    ConnectionLost,
    IntegrityViolation,
    KabinetError,
    TimedOut,
    TooLarge,
    Unavailable,
    Upstream,
)
from bff.sources.adapter_call import call_adapter, note_violation
from bff.sources.guard import Guard
from bff.sources.outage import OutageLog

log = structlog.get_logger("kabinet.sources")

A = TypeVar("A")
V = TypeVar("V")

MAY_HAVE_HAPPENED = (
    ConnectionLost,
    TimedOut,
    Upstream,
    BadReply,
    TooLarge,
    IntegrityViolation,
    AdapterBroken,
)
"""Errors after which nobody knows whether a write was done. The others say that it was not."""


class Write(Generic[A, V]):
    """
    A write. It is never made again by itself, and has a deadline of its own: the guard's.

    Who writes under a `key` that is being written shares that call, and its outcome.
    """

    def __init__(
        self,
        back_office: str,
        name: str,
        do: Callable[[A], Awaitable[V]],
        *,
        key: Callable[[A], Hashable],
        guard: Guard,
        outages: OutageLog,
    ) -> None:
        self.back_office = back_office
        self.name = name
        self._do = do
        self._key = key
        self._guard = guard
        self._outages = outages
        self._under_way: dict[Hashable, asyncio.Task[V | KabinetError]] = {}
        self._closed = False

    async def __call__(self, argument: A) -> V:
        """
        Make it, and give what the port's method gives.

        Raises what that raises, and what the guard says. An error's `outcome_unknown` tells whether it may have been
        done. To be cancelled while it is under way does not stop it.
        """
        key = self._key(argument)
        task = self._under_way.get(key)
        if task is None:
            if self._closed:
                raise Unavailable("the service stops", back_office=self.back_office)
            task = self._under_way[key] = asyncio.get_running_loop().create_task(self._make(argument))
            task.add_done_callback(partial(self._landed, key))
        # This leaves the task alone when whoever waits here is cancelled.
        await asyncio.wait([task])
        if task.cancelled():
            given_up = Unavailable("the service stops", back_office=self.back_office)
            given_up.outcome_unknown = True
            raise given_up
        outcome = task.result()
        if isinstance(outcome, BackOfficeError):
            raise outcome.anew()
        if isinstance(outcome, KabinetError):
            raise outcome
        return outcome

    async def close(self) -> None:
        """Give up what is under way, and begin nothing any more."""
        self._closed = True
        tasks = list(self._under_way.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _make(self, argument: A) -> V | KabinetError:
        begun = False

        async def do() -> V:
            nonlocal begun
            begun = True
            return await call_adapter(
                lambda: self._do(argument), back_office=self.back_office, read=self.name, refusals=(KabinetError,)
            )

        try:
            value = await self._guard.call(do, once=True)
        except BackOfficeError as error:
            error.outcome_unknown = begun and isinstance(error, MAY_HAVE_HAPPENED)
            note_violation(error, back_office=self.back_office, read=self.name)
            if error.outcome_unknown and not isinstance(error, IntegrityViolation):
                log.warning("outcome unknown", back_office=self.back_office, write=self.name, code=error.code.value)
            self._outages.failed(self.back_office, self.name, error)
            return error
        except KabinetError as error:
            return error
        self._outages.answered(self.back_office, self.name)
        return value

    def _landed(self, key: Hashable, _: asyncio.Task[V | KabinetError]) -> None:
        del self._under_way[key]
