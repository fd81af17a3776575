"""
What stands between a call and a back office: time, a breaker, one more try, and `Retry-After`.

One guard a port method: a method that fails does not close the door for the others. What the back office as a whole
has said or spent (`Retry-After`, the budget of retries) is shared in `Courtesy`.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TypeVar

from bff.errors import (
    AdapterBroken,
    BackOfficeError,
    BadReply,
    Busy,
    IntegrityViolation,
    Refused,
    SignInRefused,
    TimedOut,
    TooLarge,
    Unavailable,
    Upstream,
)
from bff.sources.breaker import Breaker

T = TypeVar("T")

OUTAGES = (Unavailable, TimedOut, Busy, Upstream, SignInRefused, BadReply, TooLarge, AdapterBroken)
"""Errors that say something about the back office, not about one customer."""

COUNTED = (*OUTAGES, IntegrityViolation)
"""What counts for the breaker."""

WORTH_RETRYING = (Unavailable, Upstream)
"""A read may be made again at once; what timed out, is busy or makes no sense will do so again."""

MAY_BE_ONE_KEYS_FAULT = (Upstream, BadReply, TooLarge, Refused)
"""Errors of a whole call that one bad key in it may have brought about."""

SLOW_SHARE = 0.8
"""A call that took more of its limit than this counts as a failure, though its answer is used."""

PROBE_SHARE = 0.5
"""The part of the limit that a probe has."""

MAX_PAUSE_SECONDS = 30.0
"""The longest `Retry-After` that is obeyed; a back office cannot switch itself off for a day."""


@dataclass(slots=True)
class Courtesy:
    """What one back office has asked for, and what has been spent on it."""

    retry_share: float
    pause: Busy | None = None
    pause_until: float = 0.0
    tokens: float = 1.0
    burst: float = 10.0

    def refusal(self, now: float) -> BackOfficeError | None:
        """Its own `Retry-After`, while that lasts."""
        return self.pause if self.pause is not None and now < self.pause_until else None

    def heed(self, now: float, error: Busy) -> None:
        """Remember a `Retry-After`."""
        if error.retry_after:
            self.pause = error.anew()
            self.pause_until = now + min(error.retry_after, MAX_PAUSE_SECONDS)

    def earn(self) -> None:
        """A call was made: it earns a part of a retry."""
        self.tokens = min(self.tokens + self.retry_share, self.burst)

    def spend(self) -> bool:
        """Take a retry out of the budget; False where it is empty."""
        if self.retry_share == 0 or self.tokens < 1:
            return False
        self.tokens -= 1
        return True


def _retry_pause() -> float:
    return random.uniform(0.005, 0.025)  # noqa: S311 (not a secret)


@dataclass(slots=True)
class Guard:
    """Makes calls of one port method. `seconds` is a call's whole time, its retry included."""

    seconds: float
    breaker: Breaker
    courtesy: Courtesy
    back_office: str = ""
    pause: Callable[[], float] = field(default=_retry_pause)

    def refusal(self) -> BackOfficeError | None:
        """Why no call may be made now; None where one may."""
        now = asyncio.get_running_loop().time()
        return self.courtesy.refusal(now) or self.breaker.refusal(now)

    async def call(self, ask: Callable[[], Awaitable[T]], *, searching: bool = False, once: bool = False) -> T:
        """
        Make one call. Raises what `ask` raises, `TimedOut`, or, without a call, what `refusal` says.

        `ask` may be called twice. Not so `once`, for what must not happen twice: it has its whole time even as a
        probe. Nor while `searching` for a key that fails others: then errors worth searching are expected, and do not
        count against the back office.
        """
        if (refusal := self.refusal()) is not None:
            raise refusal.anew()
        loop = asyncio.get_running_loop()
        probe = self.breaker.begin()
        started = loop.time()
        limit = self.seconds * (PROBE_SHARE if probe and not once else 1.0)
        try:
            answer = await self._attempts(ask, started + limit, may_retry=not (probe or searching or once))
        except BackOfficeError as error:
            now = loop.time()
            if isinstance(error, Busy):
                self.courtesy.heed(now, error)
            if searching and isinstance(error, MAY_BE_ONE_KEYS_FAULT):
                self.breaker.gave_up(probe=probe)
            elif isinstance(error, COUNTED):
                self.breaker.failed(now, error, probe=probe)
            else:
                self.breaker.succeeded(now, probe=probe)
            raise
        except BaseException:
            self.breaker.gave_up(probe=probe)
            raise
        now = loop.time()
        if now - started > limit * SLOW_SHARE:
            slow = TimedOut("answers came close to their limit", back_office=self.back_office)
            self.breaker.failed(now, slow, probe=probe)
        else:
            self.breaker.succeeded(now, probe=probe)
        return answer

    async def _attempts(self, ask: Callable[[], Awaitable[T]], deadline: float, *, may_retry: bool) -> T:
        try:
            async with asyncio.timeout_at(deadline):
                self.courtesy.earn()
                try:
                    return await ask()
                except WORTH_RETRYING:
                    if not may_retry or not self.courtesy.spend():
                        raise
                    await asyncio.sleep(self.pause())
                    if self.refusal() is not None:
                        # Others have learnt meanwhile that it is to be left alone.
                        raise
                return await ask()
        except TimeoutError:
            raise TimedOut("no answer within the call's limit", back_office=self.back_office) from None
