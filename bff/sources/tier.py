"""
What a tier of the cache can do: one protocol, for this process's memory and for Redis.

A tier keeps encoded values under texts, each with tags (`customer:42`, `orders:42`). Dropping a tag drops all that
carry it, and keeps out what was read before: a read takes the tags' marks before it begins, and what it brings is
stored only if none of them has been dropped since.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

import msgspec


class Entry(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """
    An encoded answer. Times are seconds since 1970.

    Nothing in it can refer back to it, so the garbage collector need not know of a hundred thousand of them.
    """

    body: bytes
    owner: str
    """The customer whose it is; empty for what is everybody's."""
    as_of: float
    fresh_until: float
    stale_until: float
    dead_at: float
    cost: float = 0.0
    """Seconds that the read took, for early refreshing."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where an answer is kept, and by which tags it is dropped."""

    key: str
    tags: tuple[str, ...]


Marks: TypeAlias = Mapping[str, int]
"""By tag, a number that another one follows whenever the tag is dropped. Only the tier that gave it can tell more."""


class Tier(Protocol):
    """A tier. Its methods never raise but for cancellation: a tier that is away is an empty one."""

    async def get(self, places: Sequence[Place]) -> list[Entry | None]:
        """What stands at each place and is not dead."""
        ...

    async def marks(self, tags: Sequence[str]) -> Marks | None:
        """The tags' marks, before a read; None where they cannot be had: then nothing may be stored."""
        ...

    async def put(self, entries: Mapping[Place, Entry], marks: Marks | None) -> None:
        """Store what was read, but for entries of which a tag has been dropped since `marks`."""
        ...

    async def drop(self, tags: Sequence[str]) -> None:
        """Drop all entries that carry one of the tags."""
        ...

    async def lease(self, place: Place, seconds: float) -> bool:
        """Ask for the right to refresh a place: one holder at a time, for so long at the most."""
        ...

    async def close(self) -> None:
        """Let go."""
        ...
