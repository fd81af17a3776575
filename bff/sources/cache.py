"""The cache: tiers one behind the other, the nearest first."""

from collections.abc import Mapping, Sequence

from bff.domain.clock import Clock
from bff.sources.tier import Entry, Marks, Place, Tier

AllMarks = list[Marks | None]
"""The marks of every tier, in the tiers' order."""


class Cache:
    """
    This process's tier, and Redis behind it where there is one.

    What a farther tier has fresher is copied into the nearer ones. A drop goes to all of them.
    """

    def __init__(self, tiers: Sequence[Tier], clock: Clock) -> None:
        self._near, *self._far = tiers
        self._tiers = tuple(tiers)
        self._clock = clock

    async def get(self, places: Sequence[Place]) -> list[Entry | None]:
        """What stands at each place and is not dead: the freshest that any tier has."""
        found = await self._near.get(places)
        for tier in self._far:
            now = self._clock().timestamp()
            wanted = [at for at, entry in enumerate(found) if entry is None or entry.fresh_until <= now]
            if not wanted:
                break
            # Taken before the far tier is asked: a drop that comes meanwhile must keep its old answer out of here.
            marks = await self._near.marks([tag for at in wanted for tag in places[at].tags])
            fresher: dict[Place, Entry] = {}
            for at, entry in zip(wanted, await tier.get([places[at] for at in wanted]), strict=True):
                near = found[at]
                if entry is not None and (near is None or entry.as_of > near.as_of):
                    found[at] = fresher[places[at]] = entry
            if fresher:
                await self._near.put(fresher, marks)
        return found

    async def marks(self, places: Sequence[Place]) -> AllMarks:
        """Before a read: what `put` needs to know whether something was dropped meanwhile."""
        tags = list(dict.fromkeys(tag for place in places for tag in place.tags))
        return [await tier.marks(tags) for tier in self._tiers]

    async def put(self, entries: Mapping[Place, Entry], marks: AllMarks) -> None:
        """Store what was read, in every tier that had nothing dropped of it since the marks were taken."""
        for tier, of_tier in zip(self._tiers, marks, strict=True):
            await tier.put(entries, of_tier)

    async def drop(self, tags: Sequence[str]) -> None:
        """Drop all entries that carry one of the tags. The farthest goes first: nobody copies from it then."""
        for tier in reversed(self._tiers):
            await tier.drop(tags)

    async def lease(self, place: Place, seconds: float) -> bool:
        """Ask for the right to refresh a place, here and in every process that shares the farthest tier."""
        for tier in self._tiers:
            if not await tier.lease(place, seconds):
                return False
        return True

    async def close(self) -> None:
        """Let go of every tier."""
        for tier in self._tiers:
            await tier.close()
