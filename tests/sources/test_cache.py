"""Tiers one behind the other. Both are this process's here: `test_tiers` holds Redis to the same."""

from collections.abc import Sequence

import pytest

from bff.sources import Cache, MemoryTier
from bff.sources.tier import Entry, Marks, Place
from tests.sources.conftest import Watch

pytestmark = pytest.mark.anyio

A, B = Place("a", ("customer:a", "orders:a")), Place("b", ("customer:b", "orders:b"))


class Far(MemoryTier):
    """A tier that says what it is asked for, and on which something may happen meanwhile."""

    def __init__(self, watch: Watch) -> None:
        super().__init__(max_entries=100, max_bytes=1_000_000, clock=watch)
        self.asked: list[list[str]] = []
        self.dropped: list[str] = []
        self.away = False
        self.meanwhile: Cache | None = None
        self.closed = False

    async def get(self, places: Sequence[Place]) -> list[Entry | None]:
        self.asked.append([place.key for place in places])
        found: list[Entry | None] = [None for _ in places] if self.away else await super().get(places)
        if self.meanwhile is not None:
            await self.meanwhile.drop(["orders:a"])
        return found

    async def marks(self, tags: Sequence[str]) -> Marks:
        return None if self.away else await super().marks(tags)  # type: ignore[return-value]  # as a tier that is away

    async def drop(self, tags: Sequence[str]) -> None:
        self.dropped += tags
        await super().drop(tags)

    async def close(self) -> None:
        self.closed = True
        await super().close()


class Desk:
    """A cache of two tiers."""

    def __init__(self, watch: Watch) -> None:
        self.watch = watch
        self.near = MemoryTier(max_entries=100, max_bytes=1_000_000, clock=watch)
        self.far = Far(watch)
        self.cache = Cache([self.near, self.far], watch)

    def entry(self, body: bytes = b"{}", age: float = 0.0) -> Entry:
        as_of = self.watch.seconds() - age
        return Entry(body, "a", as_of, as_of + 30, as_of + 60, as_of + 900)

    async def only(self, tier: MemoryTier, place: Place, entry: Entry) -> None:
        await tier.put({place: entry}, await tier.marks(place.tags))

    async def bodies(self, *places: Place) -> list[bytes | None]:
        return [None if entry is None else entry.body for entry in await self.cache.get(places)]


@pytest.fixture
def desk(watch: Watch) -> Desk:
    return Desk(watch)


async def test_one_tier_is_a_cache_too(watch: Watch) -> None:
    cache = Cache([MemoryTier(max_entries=9, max_bytes=9_000, clock=watch)], watch)
    entry = Entry(b"{}", "a", 0, 9e9, 9e9, 9e9)
    assert await cache.get([A]) == [None]
    await cache.put({A: entry}, await cache.marks([A]))
    assert await cache.get([A, B]) == [entry, None]
    assert await cache.lease(A, 5)
    assert not await cache.lease(A, 5)
    await cache.drop(["orders:a"])
    assert await cache.get([A]) == [None]
    await cache.close()


async def test_what_is_put_stands_in_both(desk: Desk) -> None:
    await desk.cache.put({A: desk.entry(b"1")}, await desk.cache.marks([A, B]))
    for tier in (desk.near, desk.far):
        assert [entry and entry.body for entry in await tier.get([A])] == [b"1"]


async def test_what_is_near_and_fresh_asks_nobody_else(desk: Desk) -> None:
    await desk.only(desk.near, A, desk.entry(b"near"))
    assert await desk.bodies(A) == [b"near"]
    assert desk.far.asked == []
    assert await desk.bodies(A, B) == [b"near", None]
    assert desk.far.asked == [["b"]]


async def test_what_is_far_is_copied_near(desk: Desk) -> None:
    await desk.only(desk.far, A, desk.entry(b"far"))
    assert await desk.bodies(B, A) == [None, b"far"]
    assert await desk.bodies(A) == [b"far"]
    assert desk.far.asked == [["b", "a"]]


async def test_of_two_the_fresher_is_taken(desk: Desk) -> None:
    await desk.only(desk.near, A, desk.entry(b"old", age=40))
    await desk.only(desk.far, A, desk.entry(b"new", age=5))
    await desk.only(desk.near, B, desk.entry(b"new", age=40))
    await desk.only(desk.far, B, desk.entry(b"old", age=50))
    assert await desk.bodies(A, B) == [b"new", b"new"]
    assert [entry and entry.body for entry in await desk.near.get([A, B])] == [b"new", b"new"]


async def test_a_far_tier_that_is_away_is_an_empty_one(desk: Desk) -> None:
    desk.far.away = True
    assert await desk.bodies(A) == [None]
    await desk.cache.put({A: desk.entry(b"1", age=40)}, await desk.cache.marks([A]))
    assert await desk.bodies(A) == [b"1"]
    desk.far.away = False
    assert await desk.far.get([A]) == [None]


async def test_a_drop_while_the_far_tier_answers_keeps_its_old_answer_out_of_the_near_one(desk: Desk) -> None:
    await desk.only(desk.far, A, desk.entry(b"old"))
    desk.far.meanwhile = desk.cache
    await desk.cache.get([A])
    assert await desk.near.get([A]) == [None]


async def test_what_was_read_before_a_drop_is_not_stored_after_it(desk: Desk) -> None:
    marks = await desk.cache.marks([A, B])
    await desk.cache.drop(["customer:a"])
    await desk.cache.put({A: desk.entry(b"old"), B: desk.entry(b"good")}, marks)
    assert await desk.bodies(A, B) == [None, b"good"]


async def test_a_drop_goes_to_all_tiers(desk: Desk) -> None:
    await desk.cache.put({A: desk.entry(), B: desk.entry()}, await desk.cache.marks([A, B]))
    await desk.cache.drop(["orders:a"])
    assert desk.far.dropped == ["orders:a"]
    assert await desk.bodies(A, B) == [None, b"{}"]


async def test_a_lease_is_had_of_all_tiers_or_not_at_all(desk: Desk) -> None:
    assert await desk.cache.lease(A, 5)
    assert not await desk.cache.lease(A, 5)
    assert await desk.far.lease(B, 5), "another process has it"
    assert not await desk.cache.lease(B, 5)
    desk.watch.move(5.1)
    assert await desk.cache.lease(A, 5)


async def test_all_tiers_are_closed(desk: Desk) -> None:
    await desk.cache.close()
    assert desk.far.closed
