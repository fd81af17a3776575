"""
1C's sessions: as many slots as calls may be in flight, each with the session that its last call left behind.

A session serves one call at a time, because whoever holds the slot has it alone. The slot that was used last is given
out first: under little load few sessions stay open at 1C, and those stay warm.
"""

import asyncio
import re
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
        return {"Cookie": f"ibsession={self.cookie}"} if self.cookie else {"IBSession": "start"}


class Slots:
    """All slots of one back office."""

    def __init__(self, calls: int) -> None:
        self._idle: asyncio.LifoQueue[Slot] = asyncio.LifoQueue()
        for _ in range(calls):
            self._idle.put_nowait(Slot())

    @asynccontextmanager
    async def borrow(self) -> AsyncIterator[Slot]:
        """Wait for a slot, first come first served, and hold it."""
        slot = await self._idle.get()
        try:
            yield slot
        finally:
            self._idle.put_nowait(slot)

    def take_idle(self) -> list[Slot]:
        """Take away every slot that is not in use, at the end."""
        return [self._idle.get_nowait() for _ in range(self._idle.qsize())]


def cookie_of(set_cookie: str | None) -> str | None:
    """Read the session's name from an answer's `Set-Cookie`; None where none is set."""
    found = _COOKIE.search(set_cookie or "")
    return found.group(1) or None if found else None
