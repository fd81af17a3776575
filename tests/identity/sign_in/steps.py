"""A real store that lets tests do something between two of its operations."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from bff.identity.store import Count, SqliteStore

Before = Callable[[int, str], Awaitable[None]]
"""Called before an operation, with its number since the last `restart` (from 1) and its name."""


async def nothing(number: int, name: str) -> None:
    """What is done between operations unless a test says otherwise."""


class SteppedStore(SqliteStore):
    """The SQLite store, with a hook before each operation."""

    def __init__(self, path: Path, **how: Any) -> None:
        super().__init__(path, **how)
        self.before: Before = nothing
        self.number = 0

    def restart(self, before: Before = nothing) -> None:
        """Count anew."""
        self.before = before
        self.number = 0

    async def get(self, key: str) -> bytes | None:
        """See `Store.get`."""
        await self._step("get")
        return await super().get(key)

    async def swap(self, key: str, old: bytes | None, new: bytes | None, *, lifetime: float = 0.0) -> bool:
        """See `Store.swap`."""
        await self._step("swap")
        return await super().swap(key, old, new, lifetime=lifetime)

    async def count(self, key: str, *, window: float, by: int = 1) -> Count:
        """See `Store.count`."""
        await self._step("count")
        return await super().count(key, window=window, by=by)

    async def _step(self, name: str) -> None:
        self.number += 1
        await self.before(self.number, name)
