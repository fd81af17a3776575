"""
1C's sessions: as many slots as calls may be in flight, each with the session that its last call left behind.

A session serves one call at a time, because whoever holds the slot has it alone. The slot that was used last is given
out first: under little load few sessions stay open at 1C, and those stay warm.
"""

import asyncio
import re
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

_COOKIE = re.compile(r"(?:^|[,\s])ibsession=([!#-+\--:<-\[\]-~]*)")
"""In `Set-Cookie`, several of which come joined by commas. Only what RFC 6265 (4.1.1) lets stand in a value."""


@dataclass(slots=True, eq=False)
class Slot:
    """The right to make one call, and the session at 1C that goes with it, where one is open."""

    cookie: str | None = None

    def headers(self) -> dict[str, str]:
        """What a call in this slot sends, so that it has a session and keeps it."""
        return cookie_header(self.cookie) if self.cookie else {"IBSession": "start"}


class Slots:
    """All slots of one back office, and the sessions that calls have left in the lurch."""

    def __init__(self, calls: int) -> None:
        self._spare: list[str] = []
        self._abandoned: deque[str] = deque(maxlen=calls)
        self._idle: asyncio.LifoQueue[Slot] = asyncio.LifoQueue()
        for _ in range(calls):
            self._idle.put_nowait(Slot())

    @asynccontextmanager
    async def borrow(self) -> AsyncIterator[Slot]:
        """Wait for a slot, first come first served, and hold it."""
        slot = await self._idle.get()
        slot.cookie = slot.cookie or self.spare()
        try:
            yield slot
        finally:
            self._idle.put_nowait(slot)

    def keep(self, cookie: str) -> None:
        """Put aside a session that has no slot and nothing to do: the next slot without one has it."""
        self._spare.append(cookie)

    def spare(self) -> str | None:
        """Take such a session; None where none is."""
        return self._spare.pop() if self._spare else None

    def abandon(self, cookie: str) -> None:
        """
        Put a session aside whose call was cancelled or got no answer: 1C may be busy in it for long.

        It still counts against 1C's pool until it has aged there, though, so it is not forgotten.
        """
        self._abandoned.append(cookie)

    def reclaim(self) -> str | None:
        """Take a session without a slot; of abandoned ones the first, as the likeliest to be free again."""
        return self.spare() or (self._abandoned.popleft() if self._abandoned else None)

    def take_all(self) -> list[str]:
        """Take away every slot that is not in use and every session without one, and say which sessions are open."""
        idle = [self._idle.get_nowait() for _ in range(self._idle.qsize())]
        open_ones = [*(slot.cookie for slot in idle if slot.cookie), *self._spare, *self._abandoned]
        self._spare.clear()
        self._abandoned.clear()
        return open_ones


def cookie_header(cookie: str) -> dict[str, str]:
    """Name a session, as a request does."""
    return {"Cookie": f"ibsession={cookie}"}


def cookie_of(set_cookie: str | None) -> str | None:
    """Read the session's name from an answer's `Set-Cookie`; None where none is set."""
    found = _COOKIE.search(set_cookie or "")
    return found.group(1) or None if found else None
