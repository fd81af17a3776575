"""How often somebody may ask: a bucket for each, which fills up again evenly."""

from collections.abc import Callable
from time import monotonic

import structlog

log = structlog.get_logger("kabinet.web")

MAX_KEPT = 100_000
"""Buckets that are not full. Beyond them the one that was used longest ago is forgotten: it is the fullest, too."""


class RateLimit:
    """
    Lets `burst` requests of one key through at once, and `per_minute` in the long run. 0 lets everything through.

    All that is kept of a key is when its bucket will be full again (GCRA).
    """

    def __init__(self, of: str, per_minute: int, burst: int, *, seconds: Callable[[], float] = monotonic) -> None:
        self._of = of
        self._interval = 60.0 / per_minute if per_minute else 0.0
        self._depth = self._interval * burst
        self._seconds = seconds
        self._full_at: dict[str, float] = {}
        self._refused = 0
        self._said_at = float("-inf")

    def wait(self, key: str) -> float:
        """Count a request: 0.0 where it may go on; else it is not counted, and may be sent in so many seconds."""
        if not self._interval:
            return 0.0
        now = self._seconds()
        full_at = max(self._full_at.pop(key, now), now) + self._interval
        late = full_at - now - self._depth
        # Rounding must not cost the last request of a burst.
        if late > 1e-6:
            self._full_at[key] = full_at - self._interval
            self._say_so(now)
            return late
        self._full_at[key] = full_at
        if len(self._full_at) > MAX_KEPT:
            del self._full_at[next(iter(self._full_at))]
        return 0.0

    def _say_so(self, now: float) -> None:
        """Tell the log, at most once a second: a flood of requests must not become a flood of lines."""
        self._refused += 1
        if now >= self._said_at + 1.0:
            log.info("rate limited", of=self._of, refused=self._refused)
            self._refused, self._said_at = 0, now
