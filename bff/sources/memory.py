"""The cache's tier in this process: bounded by entries and by bytes, least lately used out first."""

from collections.abc import Mapping, Sequence

import msgspec
from cachetools import LRUCache

from bff.domain.clock import Clock
from bff.sources.tags import TagIndex
from bff.sources.tier import Entry, Marks, Place

OVERHEAD_BYTES = 500
"""What an entry costs beside what it holds: objects, its place, its tags in the index (measured by `bench.memory`)."""

MAX_DROPS = 10_000
"""Dropped tags that are remembered one by one; see `MemoryTier.drop`."""

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Entry).decode


class _Kept(LRUCache[str, tuple[bytes, *tuple[str, ...]]]):
    """
    Entries by key: the encoded entry, then its tags. An index by tag forgets what is removed.

    There are tens of thousands, so they are kept small: an entry is encoded, as each of its numbers would be an object
    of 24 bytes, and its tags stand beside it in one tuple. The library counts the entries; bytes are counted here, as
    it would keep another dictionary for them.
    """

    def __init__(self, max_entries: int) -> None:
        super().__init__(max_entries)
        self.bytes = 0
        self.tags = TagIndex()

    def __setitem__(self, key: str, kept: tuple[bytes, *tuple[str, ...]]) -> None:
        self.pop(key, None)
        super().__setitem__(key, kept)
        encoded, *tags = kept
        self.tags.add(key, tags)
        self.bytes += len(encoded) + OVERHEAD_BYTES

    def __delitem__(self, key: str) -> None:
        encoded, *tags = self[key]
        super().__delitem__(key)
        self.tags.discard(key, tags)
        self.bytes -= len(encoded) + OVERHEAD_BYTES

    def clear(self) -> None:
        # The library's own goes past `__delitem__`.
        super().clear()
        self.tags.clear()
        self.bytes = 0


class MemoryTier:
    """Entries of this process."""

    def __init__(self, *, max_entries: int, max_bytes: int, clock: Clock) -> None:
        self._max_entries = max_entries
        self._max_bytes = max_bytes
        self._kept = _Kept(max_entries)
        self._clock = clock
        self._drops: dict[str, int] = {}
        self._forgotten_drops = 0
        self._leases: dict[str, float] = {}

    def __len__(self) -> int:
        return len(self._kept)

    @property
    def bytes(self) -> int:
        """What the entries take, by their own account."""
        return self._kept.bytes

    async def get(self, places: Sequence[Place]) -> list[Entry | None]:
        """What stands at each place and is not dead."""
        now = self._clock().timestamp()
        return [self._get(place.key, now) for place in places]

    async def marks(self, tags: Sequence[str]) -> Marks:
        """The tags' marks, before a read."""
        return {tag: self._mark(tag) for tag in tags}

    async def put(self, entries: Mapping[Place, Entry], marks: Marks | None) -> None:
        """Store what was read, but for entries of which a tag has been dropped since `marks`."""
        if marks is None:
            return
        for place, entry in entries.items():
            self._leases.pop(place.key, None)
            if all(marks.get(tag) == self._mark(tag) for tag in place.tags):
                self._store(place, entry)

    async def drop(self, tags: Sequence[str]) -> None:
        """
        Drop all entries that carry one of the tags, and what reads now under way will bring.

        Marks only have to outlive reads: when too many tags are remembered all are forgotten, and the mark that every
        tag then starts from is higher than any was, so that reads under way store nothing.
        """
        for tag in tags:
            self._drops[tag] = self._mark(tag) + 1
            for key in self._kept.tags.keys(tag):
                del self._kept[key]
        if len(self._drops) > MAX_DROPS:
            self._forget_drops()

    async def clear(self) -> None:
        """Drop everything, and what reads now under way will bring: drops by other processes may have been missed."""
        self._kept.clear()
        self._forget_drops()

    async def lease(self, place: Place, seconds: float) -> bool:
        """Ask for the right to refresh a place."""
        now = self._clock().timestamp()
        if self._leases.get(place.key, 0.0) > now:
            return False
        if len(self._leases) > self._max_entries:
            self._leases = {key: until for key, until in self._leases.items() if until > now}
        self._leases[place.key] = now + seconds
        return True

    async def close(self) -> None:
        """Let go of everything."""
        self._kept.clear()

    def _get(self, key: str, now: float) -> Entry | None:
        kept = self._kept.get(key)
        if kept is None:
            return None
        entry = _decode(kept[0])
        if entry.dead_at <= now:
            del self._kept[key]
            return None
        return entry

    def _store(self, place: Place, entry: Entry) -> None:
        encoded = _encode(entry)
        if len(encoded) + OVERHEAD_BYTES > self._max_bytes:
            self._kept.pop(place.key, None)
            return
        self._kept[place.key] = encoded, *place.tags
        while self._kept.bytes > self._max_bytes:
            self._kept.popitem()

    def _forget_drops(self) -> None:
        self._forgotten_drops = max(self._drops.values(), default=self._forgotten_drops) + 1
        self._drops.clear()

    def _mark(self, tag: str) -> int:
        return self._drops.get(tag, self._forgotten_drops)
