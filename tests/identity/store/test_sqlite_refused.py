"""Files and disks that a store cannot use: it says so, loses nothing, and leaves alone what is not its own."""

import os
import resource
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from bff.identity.store import MAX_VALUE_BYTES, StoreUnavailable
from bff.identity.store import sqlite as module
from tests.identity.store.conftest import MakeSqlite
from tests.identity.store.files import allow, content, other, threads, write

pytestmark = pytest.mark.anyio

HOUR = 3_600.0
NOBODY = 65_534


@pytest.mark.parametrize("junk", [b"s3cret", b"s3cret" * 10_000], ids=["short", "long"])
async def test_a_file_that_is_not_sqlite_is_left_alone(path: Path, make_sqlite: MakeSqlite, junk: bytes) -> None:
    write(path, junk)
    with pytest.raises(StoreUnavailable, match=r"file is not a database\. The path is that of another file") as caught:
        await make_sqlite()
    assert "s3cret" not in str(caught.value)
    assert content(path) == junk
    assert threads() == set()


@pytest.mark.parametrize(
    ("statement", "says"),
    [
        ("CREATE TABLE entry (id)", "another program's database"),
        ("PRAGMA application_id = 7", "another program's database"),
        (f"PRAGMA application_id = {module.APPLICATION_ID}; PRAGMA user_version = 2", "has format 2, .* knows 1"),
    ],
)
async def test_another_programs_database_is_left_alone(
    path: Path, make_sqlite: MakeSqlite, statement: str, says: str
) -> None:
    with other(path) as theirs:
        theirs.executescript(statement)
    before = content(path)
    with pytest.raises(StoreUnavailable, match=says):
        await make_sqlite()
    assert content(path) == before
    assert [each.name for each in path.parent.iterdir()] == ["kabinet.sqlite"]


async def test_where_there_is_no_log_there_is_no_store(
    tmp_path: Path, make_sqlite: MakeSqlite, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(StoreUnavailable, match="no write-ahead log: use a local disk"):
        # Each connection to this name is a database of its own, in memory.
        await make_sqlite(Path(":memory:"))


async def test_a_folder_that_is_not_there(tmp_path: Path, make_sqlite: MakeSqlite) -> None:
    with pytest.raises(StoreUnavailable, match=r"No such file or directory\. Does its folder exist"):
        await make_sqlite(tmp_path / "missing" / "kabinet.sqlite")
    with pytest.raises(StoreUnavailable, match=r"unable to open database file\. Does its folder exist"):
        await make_sqlite(tmp_path)
    assert threads() == set()


@pytest.fixture
def guarded(make_sqlite: MakeSqlite) -> Iterator[Path]:
    """A folder of its own, in which this process has no more rights than its mode says."""
    del make_sqlite  # Its folder is made before the rights are gone.
    folder = Path(tempfile.mkdtemp(prefix="kabinet-store-"))
    root = os.geteuid() == 0
    if root:
        os.chown(folder, NOBODY, -1)
        os.seteuid(NOBODY)
    try:
        yield folder
    finally:
        if root:
            os.seteuid(0)
        folder.chmod(0o700)
        shutil.rmtree(folder)


async def test_a_folder_without_permission(guarded: Path, make_sqlite: MakeSqlite) -> None:
    allow(guarded, 0o500)
    with pytest.raises(StoreUnavailable, match=r"Permission denied\. Does its folder exist, and may the service write"):
        await make_sqlite(guarded / "kabinet.sqlite")
    allow(guarded, 0o700)
    assert await (await make_sqlite(guarded / "kabinet.sqlite")).get("k") is None


async def test_a_file_that_may_only_be_read_is_read(guarded: Path, make_sqlite: MakeSqlite) -> None:
    path = guarded / "kabinet.sqlite"
    store = await make_sqlite(path)
    assert await store.swap("k", None, b"kept", lifetime=HOUR)
    await store.close()
    allow(path, 0o400)
    store = await make_sqlite(path)
    with pytest.raises(StoreUnavailable, match=r"readonly database\. The file, its folder or the disk is read-only"):
        await store.swap("k", b"kept", b"new", lifetime=HOUR)
    assert await store.get("k") == b"kept"


async def test_a_disk_without_room_refuses_and_loses_nothing(make_sqlite: MakeSqlite) -> None:
    store = await make_sqlite()
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    # No file of this process may grow beyond it.
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, before[1]))
    kept: list[int] = []
    refused: list[int] = []
    try:
        for number in range(60):
            try:
                assert await store.swap(f"k{number}", None, bytes([number]) * MAX_VALUE_BYTES, lifetime=HOUR)
                kept.append(number)
            except StoreUnavailable as error:
                assert "room" in str(error)  # noqa: PT017 (which of them fail is not for us to say)
                refused.append(number)
            for each in kept[-3:]:
                assert await store.get(f"k{each}") == bytes([each]) * MAX_VALUE_BYTES
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert len(kept) >= 3
    assert len(refused) >= 3
    for number in kept:
        assert await store.get(f"k{number}") == bytes([number]) * MAX_VALUE_BYTES
    for number in refused:
        assert await store.swap(f"k{number}", None, b"now", lifetime=HOUR)


async def test_a_damaged_file_is_unavailable_and_the_thread_lives_on(path: Path, make_sqlite: MakeSqlite) -> None:
    store = await make_sqlite()
    for number in range(20):
        assert await store.swap(f"k{number}", None, bytes(MAX_VALUE_BYTES), lifetime=HOUR)
    await store.close()
    whole = content(path)
    write(path, whole[:4_096] + b"\xff" * (len(whole) - 4_096))
    store = await make_sqlite()
    for _ in range(2):
        with pytest.raises(StoreUnavailable, match=r"malformed\. The file is damaged"):
            await store.get("k7")
    write(path, whole)
    assert await store.get("k7") == bytes(MAX_VALUE_BYTES)
