"""The SQLite file at its work."""

import asyncio
import os
import sqlite3
from datetime import datetime
from pathlib import Path

import pytest

from bff.identity.store import Count, SqliteStore, StoreUnavailable
from bff.identity.store import sqlite as module
from tests.identity.store.conftest import MakeSqlite
from tests.identity.store.files import commits, other, rights, threads, write
from tests.identity.store.rival import PATIENCE_SECONDS
from tests.sources.conftest import Watch, until

pytestmark = pytest.mark.anyio

HOUR = 3_600.0


async def test_the_file_is_for_its_owner_only(path: Path, make_sqlite: MakeSqlite) -> None:
    before = os.umask(0o022)
    try:
        store = await make_sqlite()
        assert await store.swap("k", None, b"new", lifetime=HOUR)
    finally:
        os.umask(before)
    assert {each.name: rights(each) for each in path.parent.iterdir()} == {
        "kabinet.sqlite": 0o600,
        "kabinet.sqlite-wal": 0o600,
        "kabinet.sqlite-shm": 0o600,
    }
    await store.close()
    assert [each.name for each in path.parent.iterdir()] == ["kabinet.sqlite"]


async def test_a_file_that_is_there_keeps_the_rights_it_has(path: Path, make_sqlite: MakeSqlite) -> None:
    write(path, b"", rights=0o640)
    store = await make_sqlite()
    assert await store.swap("k", None, b"new", lifetime=HOUR)
    assert rights(path) == 0o640


async def test_what_is_acknowledged_has_been_written_through(path: Path, make_sqlite: MakeSqlite) -> None:
    store = await make_sqlite()

    def settings(connection: sqlite3.Connection, _: float) -> list[object]:
        return [connection.execute(f"PRAGMA {name}").fetchone() for name in ("journal_mode", "synchronous")]

    assert await store._ask(settings, writes=False) == [("wal",), (2,)]
    assert await store.swap("k", None, b"new", lifetime=HOUR)
    # Another program sees it at once.
    with other(path) as reader:
        assert reader.execute("SELECT key, value FROM entry").fetchall() == [(b"k", b"new")]


async def test_all_that_waits_goes_into_one_transaction(path: Path, make_sqlite: MakeSqlite) -> None:
    store = await make_sqlite()
    with other(path) as locker:
        locker.execute("BEGIN IMMEDIATE")
        first = asyncio.ensure_future(store.count("k", window=HOUR))
        # The thread has taken it, and waits for the lock.
        assert store._worker is not None
        await asyncio.sleep(0)
        await until(store._worker._queue.empty)
        rest = [asyncio.ensure_future(store.count("k", window=HOUR)) for _ in range(200)]
        await asyncio.sleep(0)
        before = commits(path)
        locker.execute("ROLLBACK")
        counts = await asyncio.gather(first, *rest)
    assert [count.number for count in counts] == list(range(1, 202))
    assert commits(path) - before == 2


async def test_a_transaction_has_so_many_operations_at_the_most(
    path: Path, make_sqlite: MakeSqlite, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_BATCH", 3)
    store = await make_sqlite()
    tasks = [asyncio.ensure_future(store.count("k", window=HOUR)) for _ in range(20)]
    assert [count.number for count in await asyncio.gather(*tasks)] == list(range(1, 21))
    assert commits(path) >= 7


async def test_a_locked_file_is_waited_for_and_can_be_read_meanwhile(path: Path, make_sqlite: MakeSqlite) -> None:
    store, another = await make_sqlite(), await make_sqlite()
    assert await store.swap("k", None, b"old", lifetime=HOUR)
    with other(path) as locker:
        locker.execute("BEGIN IMMEDIATE")
        swapped = asyncio.ensure_future(store.swap("k", b"old", b"new", lifetime=HOUR))
        assert await another.get("k") == b"old"
        assert (await another.count("k", window=HOUR, by=0)).number == 0
        assert not swapped.done()
        locker.execute("ROLLBACK")
        assert await swapped
    assert await another.get("k") == b"new"


async def test_a_file_that_stays_locked_is_unavailable_until_it_is_free(path: Path, make_sqlite: MakeSqlite) -> None:
    store = await make_sqlite(limit=2.0)
    with other(path) as locker:
        locker.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreUnavailable, match=r"database is locked\. Another program|no answer within 2.0 s"):
            await store.swap("k", None, b"new", lifetime=HOUR)
        locker.execute("ROLLBACK")
    patient = await make_sqlite()
    assert await patient.get("k") is None
    assert await patient.swap("k", None, b"new", lifetime=HOUR)


async def test_a_caller_waits_no_longer_than_its_limit(path: Path, make_sqlite: MakeSqlite) -> None:
    store = await make_sqlite(limit=PATIENCE_SECONDS)
    with other(path) as locker:
        locker.execute("BEGIN IMMEDIATE")
        first = asyncio.ensure_future(store.count("k", window=HOUR))
        # The thread has taken it, and waits for the lock.
        assert store._worker is not None
        await asyncio.sleep(0)
        await until(store._worker._queue.empty)
        first.cancel()
        store._limit = 0.05
        with pytest.raises(StoreUnavailable, match=r"no answer within 0.05 s\. Is the disk slow or the file locked"):
            await store.count("k", window=HOUR)
        locker.execute("ROLLBACK")
    store._limit = PATIENCE_SECONDS
    # The thread had begun with the first; the second was given up before its turn.
    assert await store.count("k", window=HOUR) == Count(2, HOUR)


async def test_time_begins_when_the_lock_is_there(path: Path, make_sqlite: MakeSqlite, watch: Watch) -> None:
    store = await make_sqlite()
    assert await store.swap("k", None, b"old", lifetime=HOUR)
    with other(path) as locker:
        locker.execute("BEGIN IMMEDIATE")
        swapped = asyncio.ensure_future(store.swap("k", b"old", b"late", lifetime=HOUR))
        assert store._worker is not None
        await asyncio.sleep(0)
        await until(store._worker._queue.empty)
        watch.move(HOUR)
        locker.execute("ROLLBACK")
        assert not await swapped


async def test_many_who_make_the_file_at_once_make_one(make_sqlite: MakeSqlite) -> None:
    stores = await asyncio.gather(*(make_sqlite() for _ in range(16)))
    counts = await asyncio.gather(*(store.count("k", window=HOUR) for store in stores))
    assert sorted(count.number for count in counts) == list(range(1, 17))


async def test_a_new_file_that_is_locked_is_waited_for(path: Path, make_sqlite: MakeSqlite) -> None:
    write(path, b"")
    with other(path) as locker:
        locker.execute("BEGIN IMMEDIATE")
        opening = asyncio.ensure_future(make_sqlite())
        with pytest.raises(StoreUnavailable, match=r"database is locked|no answer within"):
            await make_sqlite(limit=0.5)
        assert not opening.done()
        locker.execute("ROLLBACK")
        store = await opening
    assert await store.swap("k", None, b"new", lifetime=HOUR)


async def test_a_defect_is_told_by_its_type_to_all_who_wait(path: Path, watch: Watch) -> None:
    broken = False

    def clock() -> datetime:
        if broken:
            raise LookupError("s3cret")
        return watch()

    store = SqliteStore(path, clock=clock)
    await store.open()
    broken = True
    outcomes = await asyncio.gather(*(store.get("k") for _ in range(3)), return_exceptions=True)
    assert [type(each) for each in outcomes] == [StoreUnavailable] * 3
    assert len(set(map(id, outcomes))) == 3
    assert all(str(each).endswith("LookupError. This is a defect of kabinet.") for each in outcomes)
    broken = False
    assert await store.get("k") is None
    await store.close()


async def test_what_is_over_is_removed_now_and_then(
    path: Path, make_sqlite: MakeSqlite, watch: Watch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SWEEP_ROWS", 10)

    def rows() -> tuple[int, int]:
        with other(path) as reader:
            row = reader.execute("SELECT (SELECT count(*) FROM entry), (SELECT count(*) FROM tally)").fetchone()
        return int(row[0]), int(row[1])

    store = await make_sqlite()
    for number in range(25):
        assert await store.swap(f"k{number}", None, b"new", lifetime=HOUR)
    for number in range(5):
        await store.count(f"k{number}", window=HOUR)
    await store.count("long", window=9 * HOUR)
    assert rows() == (25, 6)
    watch.move(HOUR)
    # Reading removes nothing.
    assert await store.get("k1") is None
    assert rows() == (25, 6)
    seen = []
    for _ in range(4):
        await store.count("long", window=9 * HOUR)
        seen.append(rows())
    assert seen == [(15, 1), (5, 1), (0, 1), (0, 1)]
    # There was less than could be removed at once: it is looked at again after a minute.
    assert await store.swap("k", None, b"new", lifetime=1.0)
    watch.move(module.SWEEP_SECONDS - 1)
    await store.count("long", window=9 * HOUR)
    assert rows() == (1, 1)
    watch.move(1.0)
    await store.count("long", window=9 * HOUR)
    assert rows() == (0, 1)


async def test_the_thread_ends_with_the_store(make_sqlite: MakeSqlite) -> None:
    store = await make_sqlite()
    await store.open()
    assert len(threads()) == 1
    await store.close()
    assert threads() == set()


async def test_close_while_the_file_is_locked_does_what_was_asked_for(path: Path, make_sqlite: MakeSqlite) -> None:
    store = await make_sqlite()
    with other(path) as locker:
        locker.execute("BEGIN IMMEDIATE")
        counting = [asyncio.ensure_future(store.count("k", window=HOUR)) for _ in range(5)]
        await asyncio.sleep(0)
        closing_ = asyncio.ensure_future(store.close())
        await asyncio.sleep(0)
        with pytest.raises(StoreUnavailable, match="is not open"):
            await store.count("k", window=HOUR)
        assert not closing_.done()
        locker.execute("ROLLBACK")
        assert [(await each).number for each in counting] == [1, 2, 3, 4, 5]
        await closing_
    assert threads() == set()


async def test_an_open_that_is_cancelled_leaves_no_thread(path: Path) -> None:
    write(path, b"")
    store = SqliteStore(path, limit_seconds=1.0)
    with other(path) as locker:
        locker.execute("BEGIN IMMEDIATE")
        opening = asyncio.ensure_future(store.open())
        await asyncio.sleep(0)
        opening.cancel()
        with pytest.raises(asyncio.CancelledError):
            await opening
    assert threads() == set()


def test_a_loop_that_ended_without_close_leaves_the_thread_in_peace(path: Path) -> None:
    store = SqliteStore(path)

    async def leave() -> None:
        await store.open()
        counting = asyncio.ensure_future(store.count("k", window=HOUR))
        await asyncio.sleep(0)
        del counting

    asyncio.run(leave())
    worker = store._worker
    assert worker is not None
    worker._queue.put(None)
    worker._thread.join(PATIENCE_SECONDS)
    assert not worker._thread.is_alive()
