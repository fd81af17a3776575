"""What every store does."""

import asyncio
import math

import pytest

from bff.errors import Code, KabinetError
from bff.identity.store import MAX_VALUE_BYTES, Count, Store, StoreUnavailable
from bff.identity.store.protocol import LONGEST_SECONDS, MAX_KEY_BYTES, MAX_STEP
from tests.identity.store.conftest import Bench
from tests.identity.store.rival import PATIENCE_SECONDS, TASKS

pytestmark = pytest.mark.anyio

HOUR = 3_600.0

ODD_KEYS = [
    "k",
    "code:9f86d081",
    "a b",
    "{slot}a",
    "*",
    "a\r\n$1\r\nb",
    "k\0",
    "'; DROP TABLE entry; --",
    "ключ",
    "\ud800",
    "🗝",
    "k" * MAX_KEY_BYTES,
]


def left(count: Count, most: float) -> int:
    """The number, once it is seen that what is left of the window is right."""
    # Redis has a clock of its own, which goes on.
    assert most - PATIENCE_SECONDS < count.resets_in <= most
    return count.number


async def test_a_value_stands_until_it_is_swapped_or_removed(store: Store) -> None:
    assert await store.get("k") is None
    assert await store.swap("k", None, b"one", lifetime=HOUR)
    assert await store.get("k") == b"one"
    assert await store.swap("k", b"one", b"two", lifetime=HOUR)
    assert await store.get("k") == b"two"
    assert await store.get("another") is None
    assert await store.swap("k", b"two", None)
    assert await store.get("k") is None


async def test_a_swap_from_anything_else_changes_nothing(store: Store) -> None:
    for new in (b"new", None):
        assert not await store.swap("k", b"old", new, lifetime=HOUR)
        assert await store.get("k") is None
    assert await store.swap("k", None, b"here", lifetime=HOUR)
    for old in (None, b"", b"her", b"here\0", b"HERE"):
        for new in (b"new", None):
            assert not await store.swap("k", old, new, lifetime=HOUR)
            assert await store.get("k") == b"here"


async def test_absence_may_be_swapped_for_absence(store: Store) -> None:
    assert await store.swap("k", None, None)
    assert await store.get("k") is None


@pytest.mark.parametrize(
    "value", [b"", b"\0", b"0", bytes(range(256)) * (MAX_VALUE_BYTES // 256)], ids=["empty", "NUL", "zero", "64 KB"]
)
async def test_values_are_any_bytes(store: Store, value: bytes) -> None:
    assert await store.swap("k", None, value, lifetime=HOUR)
    assert await store.get("k") == value
    assert not await store.swap("k", None, b"new", lifetime=HOUR)
    assert await store.swap("k", value, value, lifetime=HOUR)
    assert await store.swap("k", value, None)


async def test_longer_values_are_refused(store: Store) -> None:
    with pytest.raises(ValueError, match="a value has up to 65536 bytes, not 65537"):
        await store.swap("k", None, bytes(MAX_VALUE_BYTES + 1), lifetime=HOUR)
    assert await store.get("k") is None


async def test_odd_keys_are_keys_like_others(store: Store) -> None:
    for number, key in enumerate(ODD_KEYS, 1):
        assert await store.swap(key, None, b"%d" % number, lifetime=HOUR)
        assert (await store.count(key, window=HOUR, by=number)).number == number
    for number, key in enumerate(ODD_KEYS, 1):
        assert await store.get(key) == b"%d" % number
        assert (await store.count(key, window=HOUR, by=0)).number == number


@pytest.mark.parametrize("key", ["", "k" * (MAX_KEY_BYTES + 1), "ж" * (MAX_KEY_BYTES // 2 + 1)])
async def test_empty_and_very_long_keys_are_refused(store: Store, key: str) -> None:
    with pytest.raises(ValueError, match="a key has 1 to 512 bytes"):
        await store.get(key)
    with pytest.raises(ValueError, match="a key has 1 to 512 bytes"):
        await store.swap(key, None, b"new", lifetime=HOUR)
    with pytest.raises(ValueError, match="a key has 1 to 512 bytes"):
        await store.count(key, window=HOUR)


async def test_a_value_is_absent_when_its_lifetime_is_over(bench: Bench) -> None:
    assert await bench.store.swap("k", None, b"short", lifetime=2 * HOUR)
    assert await bench.store.swap("long", None, b"long", lifetime=3 * HOUR)
    bench.later(HOUR)
    assert await bench.store.get("k") == b"short"
    bench.later(HOUR)
    assert await bench.store.get("k") is None
    assert not await bench.store.swap("k", b"short", b"new", lifetime=HOUR)
    assert not await bench.store.swap("k", b"short", None)
    assert await bench.store.swap("k", None, b"new", lifetime=HOUR)
    assert await bench.store.get("k") == b"new"
    assert await bench.store.get("long") == b"long"


async def test_each_swap_begins_a_lifetime_of_its_own(bench: Bench) -> None:
    for key in ("shorter", "longer", "same"):
        assert await bench.store.swap(key, None, b"old", lifetime=2 * HOUR)
    assert await bench.store.swap("shorter", b"old", b"new", lifetime=HOUR)
    assert await bench.store.swap("longer", b"old", b"new", lifetime=3 * HOUR)
    assert await bench.store.swap("same", b"old", b"old", lifetime=3 * HOUR)
    assert not await bench.store.swap("longer", b"old", b"late", lifetime=HOUR)
    bench.later(HOUR)
    assert await bench.store.get("shorter") is None
    bench.later(HOUR)
    assert await bench.store.get("longer") == b"new"
    assert await bench.store.get("same") == b"old"
    bench.later(HOUR)
    assert await bench.store.get("longer") is None
    assert await bench.store.get("same") is None


@pytest.mark.parametrize("seconds", [0.0, -1.0, math.nan, math.inf, LONGEST_SECONDS + 1])
async def test_lifetimes_and_windows_that_are_none_are_refused(store: Store, seconds: float) -> None:
    with pytest.raises(ValueError, match="a lifetime is more than 0"):
        await store.swap("k", None, b"new", lifetime=seconds)
    with pytest.raises(ValueError, match="a window is more than 0"):
        await store.count("k", window=seconds)
    assert await store.get("k") is None
    assert await store.count("k", window=HOUR, by=0) == Count(0, 0.0)


async def test_the_longest_and_the_shortest(store: Store) -> None:
    assert await store.swap("k", None, b"new", lifetime=LONGEST_SECONDS)
    assert await store.get("k") == b"new"
    assert left(await store.count("k", window=LONGEST_SECONDS, by=MAX_STEP), LONGEST_SECONDS) == MAX_STEP
    assert await store.swap("short", None, b"new", lifetime=1e-9)
    assert (await store.count("short", window=1e-9)).number == 1


@pytest.mark.parametrize("by", [-1, MAX_STEP + 1])
async def test_steps_that_are_none_are_refused(store: Store, by: int) -> None:
    with pytest.raises(ValueError, match="a count adds 0 to"):
        await store.count("k", window=HOUR, by=by)
    assert await store.count("k", window=HOUR, by=0) == Count(0, 0.0)


async def test_a_window_begins_with_its_first_count_and_ends_by_itself(bench: Bench) -> None:
    count = bench.store.count
    assert left(await count("k", window=3 * HOUR), 3 * HOUR) == 1
    bench.later(HOUR)
    assert left(await count("k", window=3 * HOUR, by=5), 2 * HOUR) == 6
    assert (await count("another", window=3 * HOUR)).number == 1
    bench.later(HOUR)
    assert left(await count("k", window=3 * HOUR, by=0), HOUR) == 6
    assert left(await count("k", window=3 * HOUR), HOUR) == 7
    bench.later(HOUR)
    assert await count("k", window=3 * HOUR, by=0) == Count(0, 0.0)
    assert left(await count("k", window=3 * HOUR), 3 * HOUR) == 1


async def test_to_look_at_a_counter_begins_no_window(bench: Bench) -> None:
    assert await bench.store.count("k", window=HOUR, by=0) == Count(0, 0.0)
    bench.later(HOUR / 2)
    assert left(await bench.store.count("k", window=HOUR), HOUR) == 1


async def test_a_shorter_window_shortens_the_one_that_runs_and_a_longer_one_does_nothing(bench: Bench) -> None:
    count = bench.store.count
    assert left(await count("k", window=24 * HOUR), 24 * HOUR) == 1
    assert left(await count("k", window=2 * HOUR, by=0), 2 * HOUR) == 1
    assert left(await count("k", window=24 * HOUR, by=0), 24 * HOUR) == 1
    assert left(await count("k", window=2 * HOUR), 2 * HOUR) == 2
    assert left(await count("k", window=24 * HOUR), 2 * HOUR) == 3
    bench.later(2 * HOUR)
    assert left(await count("k", window=24 * HOUR), 24 * HOUR) == 1


async def test_of_fifty_swaps_at_once_one_wins(bench: Bench) -> None:
    other = bench.another()
    await other.open()
    for old, key in ((None, "first"), (b"code", "second")):
        if old is not None:
            assert await bench.store.swap(key, None, old, lifetime=HOUR)
        news = [b"%d" % number for number in range(TASKS)]
        done = await asyncio.gather(
            *((bench.store, other)[number % 2].swap(key, old, new, lifetime=HOUR) for number, new in enumerate(news))
        )
        assert done.count(True) == 1
        assert await bench.store.get(key) == news[done.index(True)]
        removed = await asyncio.gather(*(other.swap(key, news[done.index(True)], None) for _ in range(TASKS)))
        assert removed.count(True) == 1
        assert await bench.store.get(key) is None


async def test_of_fifty_counts_at_once_each_has_a_number_of_its_own(bench: Bench) -> None:
    other = bench.another()
    await other.open()
    counts = await asyncio.gather(
        *((bench.store, other)[number % 2].count("k", window=HOUR) for number in range(TASKS))
    )
    assert sorted(left(each, HOUR) for each in counts) == list(range(1, TASKS + 1))


async def test_a_caller_that_is_cancelled_hurts_nobody_else(store: Store) -> None:
    for turns in range(20):
        key = f"k{turns}"
        tasks = [asyncio.ensure_future(store.count(key, window=HOUR)) for _ in range(TASKS)]
        for _ in range(turns):
            await asyncio.sleep(0)
        cancelled = [task for task in tasks[::2] if task.cancel()]
        counts = await asyncio.gather(*tasks, return_exceptions=True)
        numbers = [count.number for count in counts if isinstance(count, Count)]
        assert len(numbers) == len(set(numbers)) == TASKS - len(cancelled)
        # What was cancelled may have been counted.
        assert max(numbers) <= (await store.count(key, window=HOUR, by=0)).number <= TASKS


async def test_a_store_that_is_not_open_is_unavailable(bench: Bench) -> None:
    store = bench.another()
    for _ in range(2):
        with pytest.raises(StoreUnavailable, match="is not open"):
            await store.get("k")
        with pytest.raises(StoreUnavailable, match="is not open"):
            await store.swap("secret key", None, b"secret value", lifetime=HOUR)
        with pytest.raises(StoreUnavailable, match="is not open") as caught:
            await store.count("secret key", window=HOUR)
        assert isinstance(caught.value, KabinetError)
        assert caught.value.public_code is Code.UNAVAILABLE
        assert "secret" not in str(caught.value)
        await store.close()
    assert await bench.store.get("secret key") is None


async def test_what_was_asked_for_before_the_close_is_done(bench: Bench) -> None:
    for turns in range(3):
        key = f"k{turns}"
        tasks = [asyncio.ensure_future(bench.store.count(key, window=HOUR)) for _ in range(TASKS)]
        await asyncio.sleep(0)
        await bench.store.close()
        assert sorted(count.number for count in await asyncio.gather(*tasks)) == list(range(1, TASKS + 1))
        await bench.store.open()
        assert left(await bench.store.count(key, window=HOUR, by=0), HOUR) == TASKS


async def test_a_restart_keeps_everything(bench: Bench) -> None:
    assert await bench.store.swap("k", None, b"kept", lifetime=2 * HOUR)
    assert (await bench.store.count("k", window=2 * HOUR)).number == 1
    await bench.store.close()
    await bench.store.close()
    bench.later(HOUR)
    store = bench.another()
    await store.open()
    await store.open()
    assert await store.get("k") == b"kept"
    assert left(await store.count("k", window=2 * HOUR), HOUR) == 2
    bench.later(HOUR)
    assert await store.get("k") is None
