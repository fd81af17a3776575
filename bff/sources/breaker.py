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
    _probing: bool = False

    def refusal(self, now: float) -> BackOfficeError | None:
        """Why a call may not be made now; None where it may."""
        if self._opened_by is None or (now >= self._open_until and not self._probing):
            return None
        return self._opened_by

    def begin(self) -> bool:
        """A call begins, after `refusal` let it; True where it is the probe."""
        if self._opened_by is None:
            return False
        self._probing = True
        return True

    def succeeded(self, now: float, *, probe: bool) -> None:
        """A call was answered."""
        if probe:
            self._close()
        elif self._opened_by is None:
            self._note(now, failed=False)

    def failed(self, now: float, error: BackOfficeError, *, probe: bool) -> None:
        """A call failed in a way that says something about the back office."""
        if probe or isinstance(error, IntegrityViolation):
            self._open(now, error)
        elif self._opened_by is None:
            self._note(now, failed=True)
            calls = len(self._outcomes)
            if calls >= self.least_calls and self._failures >= self.failure_share * calls:
                self._open(now, error)

    def gave_up(self, *, probe: bool) -> None:
        """A call ended without an outcome: it was cancelled, or not worth counting."""
        if probe:
            self._probing = False

    def _note(self, now: float, *, failed: bool) -> None:
        self._outcomes.append((now, failed))
        self._failures += failed
        while self._outcomes and self._outcomes[0][0] <= now - self.window_seconds:
            self._failures -= self._outcomes.popleft()[1]

    def _open(self, now: float, error: BackOfficeError) -> None:
        self._pause = min(max(self._pause * 2, self.open_seconds), self.longest_open_seconds)
        self._opened_by = error
        self._open_until = now + self._pause
        self._probing = False

    def _close(self) -> None:
        self._opened_by = None
        self._probing = False
        self._pause = 0.0
        self._outcomes.clear()
        self._failures = 0
