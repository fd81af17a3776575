"""What every tier does, in this process's memory and in Redis alike; then the memory tier's bounds."""

from collections import OrderedDict
from collections.abc import Coroutine
from typing import Any, TypeVar

import msgspec
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from bff.sources import memory
from bff.sources.memory import OVERHEAD_BYTES, MemoryTier
from bff.sources.tier import Entry, Place
from tests.sources.conftest import Bench, Watch, place

pytestmark = pytest.mark.anyio

T = TypeVar("T")


async def test_what_was_put_is_found_as_it_was(bench: Bench) -> None:
    here = place("profile:42", "customer:42")
    entry = bench.entry('{"name": "Анна"}'.encode())
    await bench.tier.put({here: entry}, await bench.tier.marks(here.tags))
    assert await bench.tier.get([here]) == [entry]


async def test_several_places_at_once_come_in_the_order_they_were_asked_for(bench: Bench) -> None:
    places = [place(f"orders:{number}", f"customer:{number % 3}") for number in range(20)]
    marks = await bench.tier.marks([tag for each in places for tag in each.tags])
    await bench.tier.put({each: bench.entry(each.key.encode()) for each in places}, marks)
    asked = [*reversed(places), place("nothing"), places[3], places[3]]
    expected = [each.key.encode() for each in reversed(places)] + [None] + [places[3].key.encode()] * 2
    assert await bench.bodies(*asked) == expected


async def test_where_nothing_was_put_is_nothing(bench: Bench) -> None:
    assert await bench.tier.get([]) == []
    assert await bench.tier.get([place("nothing")]) == [None]
    await bench.tier.put({}, await bench.tier.marks([]))


async def test_what_is_put_again_replaces_what_stood_there(bench: Bench) -> None:
    here = place("a")
    for body in (b"old", b"newer and longer", b"new"):
        await bench.keep(here, body=body)
    assert await bench.bodies(here) == [b"new"]


async def test_the_dead_are_gone(bench: Bench) -> None:
    short, long = place("short"), place("long")
    marks = await bench.tier.marks([*short.tags, *long.tags])
    await bench.tier.put({short: bench.entry(lives=10.0), long: bench.entry(lives=20.0)}, marks)
    bench.later(10.0)
    assert await bench.bodies(short, long) == [None, b"{}"]
    bench.later(10.0)
    assert await bench.bodies(short, long) == [None, None]


async def test_what_comes_dead_is_not_found(bench: Bench) -> None:
    here = place("a")
    await bench.tier.put({here: bench.entry(lives=0.0)}, await bench.tier.marks(here.tags))
    assert await bench.bodies(here) == [None]


async def test_a_drop_drops_what_carries_the_tag_and_nothing_else(bench: Bench) -> None:
    profile, orders = place("profile:42", "customer:42"), place("orders:42", "customer:42", "orders:42")
    other = place("profile:43", "customer:43")
    await bench.keep(profile, orders, other)
    await bench.tier.drop(["orders:42"])
    assert await bench.bodies(profile, orders, other) == [b"{}", None, b"{}"]
    await bench.tier.drop(["customer:42", "nobody's"])
    assert await bench.bodies(profile, orders, other) == [None, None, b"{}"]


async def test_a_drop_while_nothing_is_there_harms_nothing(bench: Bench) -> None:
    here = place("a")
    await bench.tier.drop([])
    await bench.tier.drop(here.tags)
    await bench.keep(here)
    assert await bench.bodies(here) == [b"{}"]


@pytest.mark.parametrize("known", [False, True], ids=["new tag", "known tag"])
async def test_a_read_that_began_before_a_drop_cannot_store(bench: Bench, known: bool) -> None:
    old, other = place("old", "customer:42", "orders:42"), place("other", "customer:42")
    if known:
        await bench.keep(old, other)
    marks = await bench.tier.marks(["customer:42", "orders:42"])
    await bench.tier.drop(["orders:42"])
    await bench.tier.put({old: bench.entry(b"old"), other: bench.entry(b"other")}, marks)
    assert await bench.bodies(old, other) == [None, b"other"]


async def test_a_read_that_began_after_a_drop_can_store(bench: Bench) -> None:
    here = place("a", "customer:42")
    await bench.keep(here)
    await bench.tier.drop(here.tags)
    await bench.keep(here, body=b"new")
    assert await bench.bodies(here) == [b"new"]


async def test_nothing_is_stored_without_marks_or_with_too_few(bench: Bench) -> None:
    here = place("a", "customer:42", "orders:42")
    await bench.tier.put({here: bench.entry()}, None)
    await bench.tier.put({here: bench.entry()}, {})
    await bench.tier.put({here: bench.entry()}, await bench.tier.marks(["customer:42"]))
    assert await bench.bodies(here) == [None]


async def test_ten_thousand_drops_forget_no_read_under_way(bench: Bench) -> None:
    stays, goes = place("stays", "quiet"), place("goes", "tag 7")
    await bench.keep(stays, goes)
    marks = await bench.tier.marks(["quiet", "tag 7", "tag 9999"])
    await bench.tier.drop([f"tag {number}" for number in range(memory.MAX_DROPS + 1)])
    assert await bench.bodies(stays, goes) == [b"{}", None]
    late = place("late", "tag 9999")
    await bench.tier.put({late: bench.entry(), goes: bench.entry()}, marks)
    assert await bench.bodies(late, goes) == [None, None]
    await bench.keep(late, goes)
    assert await bench.bodies(late, goes) == [b"{}", b"{}"]


async def test_a_lease_has_one_holder_until_it_expires(bench: Bench) -> None:
    here, there = place("a"), place("b")
    assert await bench.tier.lease(here, 30.0)
    assert not await bench.tier.lease(here, 30.0)
    assert await bench.tier.lease(there, 30.0)
    bench.later(30.0)
    assert await bench.tier.lease(here, 30.0)


async def test_a_lease_ends_when_its_place_is_refreshed(bench: Bench) -> None:
    here, there = place("a"), place("b")
    assert await bench.tier.lease(here, 30.0)
    assert await bench.tier.lease(there, 30.0)
    await bench.keep(here)
    assert await bench.tier.lease(here, 30.0)
    assert not await bench.tier.lease(there, 30.0)


async def test_a_lease_ends_also_where_what_was_read_may_not_be_stored(bench: Bench) -> None:
    here = place("a")
    assert await bench.tier.lease(here, 30.0)
    marks = await bench.tier.marks(here.tags)
    await bench.tier.drop(here.tags)
    await bench.tier.put({here: bench.entry()}, marks)
    assert await bench.tier.lease(here, 30.0)


async def test_bodies_may_be_large_and_hold_any_bytes(bench: Bench) -> None:
    bodies = [bytes(range(256)) * 4_000, b"", b"\r\n$5\r\nhello\r\n" * 10_000, b"x" * 3_000_000]
    places = [place(f"large:{number}", "large") for number in range(len(bodies))]
    marks = await bench.tier.marks(["large"])
    await bench.tier.put({each: bench.entry(body) for each, body in zip(places, bodies, strict=True)}, marks)
    assert await bench.bodies(*places) == bodies


ODD = ["клиент:Анна Ёж", "a b\tc\r\nd", "{x}:{y}", "*?[a-z]", "\0", "😀", "%3A:/", "", "\ud800"]


@pytest.mark.parametrize("odd", ODD, ids=ascii)
async def test_keys_and_tags_may_be_any_text(bench: Bench, odd: str) -> None:
    here, there = Place(f"a:{odd}", (f"t{odd}",)), Place("b", ("t",) if odd else ("u",))
    await bench.keep(here, there)
    assert await bench.bodies(here, there) == [b"{}", b"{}"]
    assert await bench.tier.lease(here, 30.0)
    assert not await bench.tier.lease(here, 30.0)
    await bench.tier.drop([f"t{odd}"])
    assert await bench.bodies(here, there) == [None, b"{}"]


async def test_a_tag_may_be_named_twice(bench: Bench) -> None:
    here = Place("a", ("t", "t"))
    await bench.keep(here)
    assert await bench.bodies(here) == [b"{}"]
    await bench.tier.drop(["t", "t"])
    assert await bench.bodies(here) == [None]


async def test_it_may_be_closed_twice(bench: Bench) -> None:
    here = place("a", "t")
    await bench.keep(here)
    await bench.tier.close()
    await bench.tier.close()
    assert await bench.tier.get([here]) == [None]
    await bench.tier.drop(["t"])


def small(watch: Watch, entries: int = 3, bytes_: int = 50_000_000) -> Bench:
    return Bench(MemoryTier(max_entries=entries, max_bytes=bytes_, clock=watch), watch)


def kept_bytes(entry: Entry) -> int:
    """What the memory tier counts for it."""
    return len(msgspec.msgpack.encode(entry)) + OVERHEAD_BYTES


def by_tag(tier: MemoryTier) -> dict[str, set[str]]:
    """Its whole index."""
    index = tier._kept.tags
    return {tag: set(index.keys(tag)) for tag in index._keys}


async def test_memory_keeps_the_lately_used_within_its_number_of_entries(watch: Watch) -> None:
    bench = small(watch)
    a, b, c, d = (place(name) for name in "abcd")
    await bench.keep(a, b, c)
    await bench.bodies(a)
    await bench.keep(d)
    assert await bench.bodies(a, b, c, d) == [b"{}", None, b"{}", b"{}"]


async def test_memory_keeps_within_its_bytes_and_takes_nothing_larger(watch: Watch) -> None:
    size = kept_bytes(small(watch).entry(b"x" * 100))
    bench = small(watch, entries=100, bytes_=3 * size)
    assert isinstance(bench.tier, MemoryTier)
    places = [place(f"{number}", "t") for number in range(4)]
    for each in places:
        await bench.keep(each, body=b"x" * 100)
    assert await bench.bodies(*places) == [None] + [b"x" * 100] * 3
    assert (len(bench.tier), bench.tier.bytes) == (3, 3 * size)
    await bench.keep(places[1], body=b"x" * 10_000)
    assert await bench.bodies(*places) == [None, None] + [b"x" * 100] * 2


async def test_memory_forgets_the_tags_of_what_it_evicts(watch: Watch) -> None:
    bench = small(watch)
    assert isinstance(bench.tier, MemoryTier)
    for number in range(50):
        await bench.keep(place(f"{number}", f"customer:{number}", "all"))
    assert by_tag(bench.tier) == {
        "all": {"47", "48", "49"},
        "customer:47": {"47"},
        "customer:48": {"48"},
        "customer:49": {"49"},
    }
    await bench.tier.drop(["all"])
    assert (len(bench.tier), bench.tier.bytes, by_tag(bench.tier)) == (0, 0, {})


async def test_memory_forgets_leases_that_have_expired(watch: Watch) -> None:
    bench = small(watch, entries=10)
    assert isinstance(bench.tier, MemoryTier)
    for number in range(200):
        assert await bench.tier.lease(place(f"{number}"), 1.0)
        bench.later(0.1)
    assert len(bench.tier._leases) <= 12


async def test_memory_cleared_keeps_nothing_and_lets_no_read_under_way_store(watch: Watch) -> None:
    bench = small(watch)
    assert isinstance(bench.tier, MemoryTier)
    a, b = place("a"), place("b")
    await bench.keep(a)
    await bench.tier.drop(["dropped before"])
    marks = await bench.tier.marks([*a.tags, *b.tags, "dropped before"])
    await bench.tier.clear()
    c = place("c", "dropped before")
    await bench.tier.put({each: bench.entry() for each in (a, b, c)}, marks)
    assert await bench.bodies(a, b, c) == [None, None, None]
    assert (bench.tier.bytes, by_tag(bench.tier)) == (0, {})
    await bench.keep(a, b, c)
    assert await bench.bodies(a, b, c) == [b"{}", b"{}", b"{}"]


def done(coroutine: Coroutine[Any, Any, T]) -> T:
    """The outcome of a coroutine that never waits, as those of the memory tier."""
    try:
        coroutine.send(None)
    except StopIteration as stop:
        outcome: T = stop.value
        return outcome
    raise AssertionError("it waits")


KEYS, TAGS = st.sampled_from("abcdefgh"), st.lists(st.sampled_from("rstuvw"), max_size=3)
MAX_ENTRIES, MAX_BYTES, MAX_DROPS = 4, 4 * OVERHEAD_BYTES + 400, 3


class MemoryMachine(RuleBasedStateMachine):
    """The memory tier beside a model: a dictionary in the order of use."""

    def __init__(self) -> None:
        super().__init__()
        self.watch = Watch()
        self.tier = MemoryTier(max_entries=MAX_ENTRIES, max_bytes=MAX_BYTES, clock=self.watch)
        self.model: OrderedDict[str, tuple[Place, Entry]] = OrderedDict()
        self.taken: list[tuple[Any, set[str]]] = []
        """Marks, and which tags were dropped since."""
        self.remembered: set[str] = set()
        self.patch = pytest.MonkeyPatch()
        self.patch.setattr(memory, "MAX_DROPS", MAX_DROPS)

    def teardown(self) -> None:
        self.patch.undo()

    @rule()
    def begin_a_read(self) -> None:
        self.taken.append((done(self.tier.marks(list("rstuvw"))), set()))

    @precondition(lambda self: bool(self.taken))
    @rule(key=KEYS, tags=TAGS, size=st.integers(0, 400) | st.just(5_000), lives=st.integers(1, 5), data=st.data())
    def end_a_read(self, key: str, tags: list[str], size: int, lives: int, data: st.DataObject) -> None:
        marks, dropped = data.draw(st.sampled_from(self.taken))
        now = self.watch.seconds()
        here, entry = Place(key, tuple(tags)), Entry(b"x" * size, key, now, now, now, now + lives)
        done(self.tier.put({here: entry}, marks))
        if dropped & set(tags):
            return
        self.model.pop(key, None)
        if kept_bytes(entry) > MAX_BYTES:
            return
        self.model[key] = (here, entry)
        while len(self.model) > MAX_ENTRIES or self.bytes() > MAX_BYTES:
            self.model.popitem(last=False)

    @rule(keys=st.lists(KEYS, max_size=4))
    def look(self, keys: list[str]) -> None:
        expected: list[Entry | None] = []
        for key in keys:
            if key in self.model and self.model[key][1].dead_at <= self.watch.seconds():
                del self.model[key]
            if key in self.model:
                self.model.move_to_end(key)
            expected.append(self.model[key][1] if key in self.model else None)
        assert done(self.tier.get([Place(key, ()) for key in keys])) == expected

    @rule(tags=TAGS)
    def drop(self, tags: list[str]) -> None:
        done(self.tier.drop(tags))
        for key, (here, _) in list(self.model.items()):
            if set(here.tags) & set(tags):
                del self.model[key]
        self.remembered |= set(tags)
        dropped = set(tags)
        if len(self.remembered) > MAX_DROPS:
            dropped = set("rstuvw")
            self.remembered.clear()
        for _, dropped_since in self.taken:
            dropped_since.update(dropped)

    @rule(seconds=st.integers(1, 3))
    def wait(self, seconds: int) -> None:
        self.watch.move(seconds)

    @invariant()
    def same(self) -> None:
        assert len(self.tier) == len(self.model)
        assert self.tier.bytes == self.bytes()
        expected: dict[str, set[str]] = {}
        for key, (here, _) in self.model.items():
            for tag in here.tags:
                expected.setdefault(tag, set()).add(key)
        assert by_tag(self.tier) == expected

    def bytes(self) -> int:
        return sum(kept_bytes(entry) for _, entry in self.model.values())


MemoryMachine.TestCase.settings = settings(
    max_examples=80, stateful_step_count=40, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
TestMemoryAgainstItsModel = MemoryMachine.TestCase
