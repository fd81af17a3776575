"""When an answer goes old, and who asks for it anew: refreshes behind, spread expiries, early ones."""

import asyncio

import msgspec
import pytest

from bff.domain import Profile
from bff.errors import (
    Unavailable,
)
from bff.sources import EVERYBODY, Ages, Answer, Cache, MemoryTier
from bff.sources.read import Keeping
from bff.sources.tier import Entry, Place
from tests.fakes.back_offices import NOW, offers
from tests.sources.cached_desk import (
    AGES,
    ANNA,
    DEAD,
    FRESH,
    STALE,
    VERA,
    WELL_STALE,
    Desk,
    aged,
)
from tests.sources.conftest import Watch
from tests.sources.virtual_time import in_virtual_time, turns


@in_virtual_time
async def test_a_stale_answer_serves_and_is_refreshed_behind_once() -> None:
    desk = await aged(WELL_STALE)
    found = await asyncio.gather(*(desk.profile() for _ in range(20)))
    assert found == [Answer(ANNA, NOW, stale=True)] * 20
    await turns()
    assert desk.asked() == 2
    assert await desk.profile() == Answer(VERA, desk.watch(), stale=False)
    assert desk.asked() == 2
    assert not desk.read("profiles")._refreshing


@in_virtual_time
async def test_a_refresh_that_hangs_or_fails_is_not_begun_again_at_once() -> None:
    desk = await aged(WELL_STALE, Unavailable("away"))
    for _ in range(10):
        assert (await desk.profile()).stale
        await turns()
    assert desk.asked() == 2
    desk.watch.move(2.5)  # the lease, twice the call's limit, is over
    await desk.profile()
    await turns()
    assert desk.asked() == 3


@in_virtual_time
async def test_nothing_is_refreshed_after_the_end() -> None:
    desk = await aged(WELL_STALE, lambda _: asyncio.Event().wait())
    await desk.profile()
    await turns()
    assert desk.asked() == 2
    await desk.sources.close()
    await turns()
    assert not desk.read("profiles")._refreshing
    assert (await desk.get("c-1"))["c-1"]
    desk = await aged(WELL_STALE)
    await desk.read("profiles").close()
    assert (await desk.profile()).stale
    await turns()
    assert desk.asked() == 1


@in_virtual_time
async def test_a_refresh_that_another_process_makes_is_not_made_here() -> None:
    desk = await aged(WELL_STALE)
    await desk.cache.lease(desk.place(), 100)
    assert (await desk.profile()).stale
    await turns()
    assert desk.asked() == 1


class Dice:
    """Says what it is told to, in turn; then the last one for ever."""

    def __init__(self, *values: float) -> None:
        self.values = list(values)

    def __call__(self) -> float:
        return self.values.pop(0) if len(self.values) > 1 else self.values[0]


def keeping(dice: Dice, ages: Ages = AGES, owner: str = "c-1") -> tuple[Keeping[str, Profile], Cache, Watch]:
    watch = Watch()
    cache = Cache([MemoryTier(max_entries=100, max_bytes=1_000_000, clock=watch)], watch)
    made: Keeping[str, Profile] = Keeping(
        cache,
        ages,
        Profile,
        place=lambda key: Place(key, (f"customer:{key}",)),
        owner=lambda _: owner,
        clock=watch,
        uniform=dice,
    )
    return made, cache, watch


async def kept(made: Keeping[str, Profile], cache: Cache, watch: Watch, *, took: float = 0.0) -> Entry:
    before = await made.before(["c-1"])
    watch.move(took)
    await made.after({"c-1": Answer(ANNA, watch())}, before)
    (entry,) = await cache.get([Place("c-1", ())])
    assert entry is not None
    return entry


@pytest.mark.parametrize(("dice", "fresh"), [(0.0, 90.0), (0.5, 100.0), (1.0, 110.0)])
@in_virtual_time
async def test_expiries_are_spread_by_a_tenth(dice: float, fresh: float) -> None:
    made, cache, watch = keeping(Dice(dice))
    entry = await kept(made, cache, watch, took=0.25)
    assert entry.fresh_until - entry.as_of == pytest.approx(fresh)
    assert (entry.stale_until - entry.as_of, entry.dead_at - entry.as_of) == (STALE, DEAD)
    assert entry.cost == pytest.approx(0.25)
    assert entry.owner == "c-1"


@in_virtual_time
async def test_where_all_ages_are_equal_the_spread_moves_them_together() -> None:
    made, cache, watch = keeping(Dice(1.0), Ages(fresh_seconds=100, stale_seconds=100, on_error_seconds=100))
    entry = await kept(made, cache, watch)
    assert entry.fresh_until == entry.stale_until == entry.dead_at == pytest.approx(entry.as_of + 110)


@in_virtual_time
async def test_what_is_everybodys_is_refreshed_early_by_chance_and_likelier_near_its_end() -> None:
    made, cache, watch = keeping(Dice(0.5), owner="")
    entry = await kept(made, cache, watch, took=2.0)
    # -ln(1 - 0.5) × 2 s = 1.39 s before its end; -ln(1 - 0.99) × 2 s = 9.2 s.
    assert not made.wants_refresh_early(entry, entry.fresh_until - 1.4)
    assert made.wants_refresh_early(entry, entry.fresh_until - 1.38)
    made._uniform = Dice(0.99)
    assert made.wants_refresh_early(entry, entry.fresh_until - 9.2)
    made._uniform = Dice(0.0)
    assert not made.wants_refresh_early(entry, entry.fresh_until - 0.01)


@in_virtual_time
async def test_a_customers_own_is_not_refreshed_early() -> None:
    made, cache, watch = keeping(Dice(0.999999))
    entry = await kept(made, cache, watch, took=50.0)
    assert not made.wants_refresh_early(entry, entry.fresh_until - 0.01)


@in_virtual_time
async def test_an_early_refresh_shows_the_fresh_answer_as_fresh() -> None:
    desk = Desk(promotions=offers("o-1"))
    read = desk.read("promotions")
    assert read._keeping is not None
    read._keeping._uniform = Dice(0.5)
    await desk.get(EVERYBODY, name="promotions")
    place = desk.place(EVERYBODY, "promotions")
    await desk.tamper(place, msgspec.structs.replace(await desk.entry(place), cost=10.0))
    desk.watch.move(FRESH - 5)
    desk.office.replies["promotions"] = offers("o-2")
    found = await asyncio.gather(*(desk.get(EVERYBODY, name="promotions") for _ in range(5)))
    assert {(each[EVERYBODY].value.offers[0].id, each[EVERYBODY].stale) for each in found} == {("o-1", False)}
    await turns()
    assert desk.asked("promotions") == 2
    latest = await desk.get(EVERYBODY, name="promotions")
    assert latest[EVERYBODY] == Answer(offers("o-2"), desk.watch())
