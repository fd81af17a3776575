"""Sessions of a 1C web service: a pool with an end to it.

As platform 8.3 does it with ``reuseSessions="use"``: the header ``IBSession: start`` opens a session, which the cookie
``ibsession`` names from then on, ``IBSession: finish`` ends it, and idle ones end by themselves.
"""

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field


class SessionUnknown(Exception):
    """There is no such session, or no longer: the client has to start a new one."""


class PoolExhausted(Exception):
    """All sessions of the pool are open."""


@dataclass(slots=True, eq=False)
class Session:
    """One open session; serves one call after the other."""

    key: str
    last_used: float
    callers: int = 0
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)


class Sessions:
    """The pool.

    Args:
        pool: how many sessions may be open at once.
        idle_seconds: a session that no call used for longer has ended.
        clock: seconds, from any start; never goes back.
    """

    def __init__(self, *, pool: int, idle_seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._pool = pool
        self._idle_seconds = idle_seconds
        self._clock = clock
        self._open: dict[str, Session] = {}

    def __len__(self) -> int:
        """Return how many sessions are open now."""
        self._end_idle()
        return len(self._open)

    def open(self) -> Session:
        """Open a session, or raise PoolExhausted."""
        if len(self) >= self._pool:
            raise PoolExhausted
        session = Session(secrets.token_hex(16), self._clock())
        self._open[session.key] = session
        return session

    def find(self, key: str) -> Session:
        """Return the open session of that name, or raise SessionUnknown."""
        self._end_idle()
        session = self._open.get(key)
        if session is None:
            raise SessionUnknown
        return session

    def end(self, session: Session) -> None:
        """End a session; ending it again does nothing."""
        self._open.pop(session.key, None)

    @asynccontextmanager
    async def turn(self, session: Session) -> AsyncIterator[None]:
        """Hold the session for one call; raise SessionUnknown if it ended while the call was waiting for its turn."""
        session.callers += 1
        try:
            async with session.turn:
                if session.key not in self._open:
                    raise SessionUnknown
                yield
        finally:
            session.callers -= 1
            session.last_used = self._clock()

    def _end_idle(self) -> None:
        oldest = self._clock() - self._idle_seconds
        for session in list(self._open.values()):
            if not session.callers and session.last_used < oldest:
                self.end(session)
