"""A breaker: after too many failures a back office is left alone for a while, then asked once."""

from collections import deque
from dataclasses import dataclass, field

from bff.errors import BackOfficeError, IntegrityViolation


@dataclass(slots=True, kw_only=True)
class Breaker:
    """
    Counts calls of the last `window_seconds`; opens at `failure_share` of failures among at least `least_calls`.

    Calls that were under way when it opened no longer count. Times are the event loop's, and given by the caller.

    While it is open every call is refused with the error that opened it. After `open_seconds` (doubled with each probe
    that fails, up to `longest_open_seconds`) one call is let through as a probe; its outcome closes the breaker, or
    opens it anew.
    """

    window_seconds: float = 10.0
    least_calls: int = 5
    failure_share: float = 0.5
    open_seconds: float = 2.0
    longest_open_seconds: float = 30.0
    _outcomes: deque[tuple[float, bool]] = field(default_factory=deque)
    _failures: int = 0
    _opened_by: BackOfficeError | None = None
    _open_until: float = 0.0
    _pause: float = 0.0
    _probes: int = 0
    _probing: int = 0
    """The probe under way, by its number; 0 where there is none."""

    def refusal(self, now: float) -> BackOfficeError | None:
        """Why a call may not be made now; None where it may."""
        if self._opened_by is None or (now >= self._open_until and not self._probing):
            return None
        return self._opened_by

    def begin(self) -> int:
        """A call begins, after `refusal` let it. What this gives goes back with the outcome: not 0 for a probe."""
        if self._opened_by is None:
            return 0
        self._probes += 1
        self._probing = self._probes
        return self._probing

    def succeeded(self, now: float, *, probe: int) -> None:
        """A call was answered."""
        if probe:
            # A probe while which the breaker was opened anew says nothing any more.
            if probe == self._probing:
                self._close()
        elif self._opened_by is None:
            self._note(now, failed=False)

    def failed(self, now: float, error: BackOfficeError, *, probe: int) -> None:
        """A call failed in a way that says something about the back office."""
        if probe and probe == self._probing:
            self._open(now, error, min(self._pause * 2, max(self.longest_open_seconds, self.open_seconds)))
        elif isinstance(error, IntegrityViolation):
            # Several calls may bring it at once: that is one outage, and the pause does not grow by it.
            self._open(now, error, max(self._pause, self.open_seconds))
        elif self._opened_by is None:
            self._note(now, failed=True)
            calls = len(self._outcomes)
            if calls >= self.least_calls and self._failures >= self.failure_share * calls:
                self._open(now, error, self.open_seconds)

    def gave_up(self, *, probe: int) -> None:
        """A call ended without an outcome: it was cancelled, or not worth counting."""
        if probe and probe == self._probing:
            self._probing = 0

    def _note(self, now: float, *, failed: bool) -> None:
        self._outcomes.append((now, failed))
        self._failures += failed
        while self._outcomes[0][0] <= now - self.window_seconds:
            self._failures -= self._outcomes.popleft()[1]

    def _open(self, now: float, error: BackOfficeError, pause: float) -> None:
        # Without its traceback, whose frames hold the answer: it is kept as long as this is open.
        self._opened_by = error.anew()
        self._pause = pause
        self._open_until = now + pause
        self._probing = 0

    def _close(self) -> None:
        self._opened_by = None
        self._probing = 0
        self._pause = 0.0
        self._outcomes.clear()
        self._failures = 0
