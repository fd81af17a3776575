"""
The store in one SQLite file, for one machine; several processes may share the file.

One thread of the process does all the work. Whatever waits when it is free goes into one transaction, so that one
write to the disk serves all who wait (group commit); nobody is answered before it is there (WAL, synchronous=FULL).
Reads are answered first, in a transaction of their own: they need no lock, and a file that is locked, full or
read-only can still be read.

Time is the injected clock's, which all processes of the file share. Rows whose time is over count as absent at once,
and are removed now and then.
"""

import asyncio
import os
import sqlite3
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any, Final, TypeVar

from bff.domain.clock import Clock, utc_now
from bff.identity.store.protocol import Count, StoreUnavailable, check_count, check_value, checked_key

T = TypeVar("T")

APPLICATION_ID: Final = int.from_bytes(b"kabi")
"""In the file's header: it is ours."""
FORMAT: Final = 1
"""In the file's header (`user_version`): what the tables look like."""

MAX_BATCH: Final = 500
"""So many operations are in one transaction at the most: with values of full length these are 32 MB."""

SWEEP_SECONDS: Final = 60.0
SWEEP_ROWS: Final = 500
"""How often rows are removed whose time is over, and how many of a table at once."""

BUSY_SHARE: Final = 0.8
"""Of a call's limit: so long another process is waited for, that the caller still hears of it."""

BUSY_PAUSE_SECONDS: Final = 0.01

WAL_BYTES: Final = 8 * 1024 * 1024
"""The `-wal` file is cut to this length when it has been read back into the file."""

SCHEMA: Final = (
    "CREATE TABLE IF NOT EXISTS entry (key BLOB PRIMARY KEY, value BLOB NOT NULL, ends REAL NOT NULL)",
    "CREATE INDEX IF NOT EXISTS entry_ends ON entry (ends)",
    "CREATE TABLE IF NOT EXISTS tally (key BLOB PRIMARY KEY, number INTEGER NOT NULL, ends REAL NOT NULL)",
    "CREATE INDEX IF NOT EXISTS tally_ends ON tally (ends)",
    f"PRAGMA application_id = {APPLICATION_ID}",
    f"PRAGMA user_version = {FORMAT}",
)

WHAT_IT_IS: Final = (
    "SELECT (SELECT application_id FROM pragma_application_id), (SELECT user_version FROM pragma_user_version),"
    " (SELECT count(*) FROM sqlite_master)"
)

ADVICE: Final = {
    sqlite3.SQLITE_BUSY: "Another program keeps it locked: a backup or a shell that was left open?",
    sqlite3.SQLITE_CANTOPEN: "Does its folder exist, and may the service write there?",
    sqlite3.SQLITE_CORRUPT: "The file is damaged: put it aside; with a new one all customers sign in again.",
    sqlite3.SQLITE_FULL: "The disk is full: make room.",
    sqlite3.SQLITE_IOERR: "The disk fails or has no room left.",
    sqlite3.SQLITE_NOTADB: "The path is that of another file: choose one of its own.",
    sqlite3.SQLITE_READONLY: "The file, its folder or the disk is read-only for the service.",
}
"""By SQLite's primary error code."""

Act = Callable[[sqlite3.Connection, float], T]
"""Does an operation in an open transaction; the number is now, in seconds since 1970."""


class SqliteStore:
    """
    A `Store` in the file at `path`, which is made (for its owner only, 0600) where there is none.

    `limit_seconds` is for one call, with the wait for other processes in it. The clock is asked from another thread.
    """

    def __init__(self, path: Path, *, clock: Clock = utc_now, limit_seconds: float = 5.0) -> None:
        self._path = path
        self._clock = clock
        self._limit = limit_seconds
        self._worker: _Worker | None = None

    async def open(self) -> None:
        """Open or make the file. Raises `StoreUnavailable` where that is not possible or the file is not ours."""
        if self._worker is not None:
            return
        self._worker = _Worker(self._path, self._clock, self._limit * BUSY_SHARE)
        try:
            await self._ask(_nothing, writes=False)
        except BaseException:
            await self.close()
            raise

    async def close(self) -> None:
        """See `Store.close`."""
        worker, self._worker = self._worker, None
        if worker is not None:
            await worker.end()

    async def get(self, key: str) -> bytes | None:
        """See `Store.get`."""
        return await self._ask(partial(_get, key=checked_key(key)), writes=False)

    async def swap(self, key: str, old: bytes | None, new: bytes | None, *, lifetime: float = 0.0) -> bool:
        """See `Store.swap`."""
        check_value(new, lifetime)
        return await self._ask(
            partial(_swap, key=checked_key(key), old=old, new=new, lifetime=lifetime),
            writes=True,
        )

    async def count(self, key: str, *, window: float, by: int = 1) -> Count:
        """See `Store.count`."""
        check_count(window, by)
        return await self._ask(partial(_count, key=checked_key(key), window=window, by=by), writes=by > 0)

    async def _ask(self, act: Act[T], *, writes: bool) -> T:
        if self._worker is None:
            raise StoreUnavailable(f"the store {str(self._path)!r} is not open")
        answer: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._worker.put(_Operation(act, writes, answer))
        try:
            async with asyncio.timeout(self._limit):
                return await answer
        except TimeoutError:
            raise StoreUnavailable(
                f"the store {str(self._path)!r}: no answer within {self._limit} s. Is the disk slow or the file locked?"
            ) from None


@dataclass(frozen=True, slots=True, eq=False)
class _Operation:
    act: Act[Any]
    writes: bool
    answer: asyncio.Future[Any]
    """Cancelled where nobody waits any more."""


class _Worker:
    """The thread, and all that only it may touch. It ends with `end`, or with the process."""

    def __init__(self, path: Path, clock: Clock, busy_seconds: float) -> None:
        self._path = path
        self._clock = clock
        self._busy = busy_seconds
        self._queue: SimpleQueue[_Operation | None] = SimpleQueue()
        self._connection: sqlite3.Connection | None = None
        self._sweep_at = 0.0
        self._ended = asyncio.get_running_loop().create_future()
        self._thread = Thread(target=self._run, name="kabinet-store", daemon=True)
        self._thread.start()

    def put(self, operation: _Operation) -> None:
        """Let an operation wait for its turn."""
        self._queue.put(operation)

    async def end(self) -> None:
        """Do what waits, then end the thread."""
        self._queue.put(None)
        await self._ended
        self._thread.join()

    def _run(self) -> None:
        more = True
        while more:
            waiting, more = self._waiting()
            wanted = [operation for operation in waiting if not operation.answer.cancelled()]
            self._serve([operation for operation in wanted if not operation.writes], "BEGIN")
            self._serve([operation for operation in wanted if operation.writes], "BEGIN IMMEDIATE")
        self._disconnect()
        _deliver([(self._ended, None)])

    def _waiting(self) -> tuple[list[_Operation], bool]:
        """All that waits, after a wait for the first; False where that is the end."""
        waiting: list[_Operation] = []
        operation = self._queue.get()
        with suppress(Empty):
            while operation is not None:
                waiting.append(operation)
                if len(waiting) == MAX_BATCH:
                    break
                operation = self._queue.get_nowait()
        return waiting, operation is not None

    def _serve(self, operations: Sequence[_Operation], begin: str) -> None:
        if not operations:
            return
        answers: list[Any]
        try:
            connection = self._connected()
            connection.execute(begin)
            # Asked for only now: the wait for other processes is over.
            now = self._clock().timestamp()
            answers = [operation.act(connection, now) for operation in operations]
            if operations[0].writes:
                self._sweep(connection, now)
            connection.execute("COMMIT")
        except Exception as error:  # noqa: BLE001 (whatever it is, the thread lives on and nobody waits for ever)
            # Rolls back too, and the next transaction begins with a look at what the path is then.
            self._disconnect()
            answers = [self._unavailable(error) for _ in operations]
        _deliver([(operation.answer, answer) for operation, answer in zip(operations, answers, strict=True)])

    def _connected(self) -> sqlite3.Connection:
        if self._connection is None:
            self._connection = self._connect()
        return self._connection

    def _connect(self) -> sqlite3.Connection:
        with suppress(FileExistsError):
            # SQLite would leave the rights to the umask; it gives `-wal` and `-shm` those of the file.
            os.close(os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
        with ExitStack() as stack:
            connection = stack.enter_context(
                closing(sqlite3.connect(self._path, timeout=self._busy, isolation_level=None))
            )
            ours = self._is_ours(connection)
            self._use_wal(connection)
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute(f"PRAGMA journal_size_limit = {WAL_BYTES}")
            if not ours:
                connection.execute("BEGIN IMMEDIATE")
                for statement in SCHEMA:
                    connection.execute(statement)
                connection.execute("COMMIT")
            stack.pop_all()
        return connection

    def _is_ours(self, connection: sqlite3.Connection) -> bool:
        """Whether the tables are there; False for an empty file. Raises `StoreUnavailable` for any other."""
        application, version, tables = connection.execute(WHAT_IT_IS).fetchone()
        if (application, version) == (APPLICATION_ID, FORMAT):
            return True
        if application == APPLICATION_ID:
            raise StoreUnavailable(
                f"the store {str(self._path)!r} has format {version}, this version of kabinet knows {FORMAT}:"
                " was it written by another version?"
            )
        if application or tables:
            raise StoreUnavailable(
                f"the store {str(self._path)!r} is another program's database. {ADVICE[sqlite3.SQLITE_NOTADB]}"
            )
        return False

    def _use_wal(self, connection: sqlite3.Connection) -> None:
        until = time.monotonic() + self._busy
        while True:
            # SQLite's own wait for other processes does not cover this one.
            try:
                (mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
            except sqlite3.OperationalError as error:
                if _primary(error) != sqlite3.SQLITE_BUSY or time.monotonic() > until:
                    raise
                time.sleep(BUSY_PAUSE_SECONDS)
                continue
            if mode != "wal":
                raise StoreUnavailable(
                    f"the store {str(self._path)!r} lies where SQLite has no write-ahead log: use a local disk"
                )
            return

    def _sweep(self, connection: sqlite3.Connection, now: float) -> None:
        if now < self._sweep_at:
            return
        removed = [
            connection.execute(
                f"DELETE FROM {table} WHERE rowid IN (SELECT rowid FROM {table} WHERE ends <= ? LIMIT ?)",  # noqa: S608
                (now, SWEEP_ROWS),
            ).rowcount
            for table in ("entry", "tally")
        ]
        if max(removed) < SWEEP_ROWS:
            self._sweep_at = now + SWEEP_SECONDS

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            # What is committed is on the disk, whatever the end looks like.
            with suppress(sqlite3.Error):
                connection.close()

    def _unavailable(self, error: Exception) -> StoreUnavailable:
        if isinstance(error, StoreUnavailable):
            return StoreUnavailable(*error.args)
        if isinstance(error, sqlite3.Error):
            text = f"{error}. {ADVICE.get(_primary(error), 'SQLite does not say more.')}"
        elif isinstance(error, OSError):
            text = f"{error.strerror}. {ADVICE[sqlite3.SQLITE_CANTOPEN]}"
        else:
            # The type says enough, and a text might quote what was stored.
            text = f"{type(error).__name__}. This is a defect of kabinet."
        return StoreUnavailable(f"the store {str(self._path)!r}: {text}")


def _nothing(connection: sqlite3.Connection, now: float) -> None:
    """What is done to open."""


def _get(connection: sqlite3.Connection, now: float, *, key: bytes) -> bytes | None:
    row = connection.execute("SELECT value FROM entry WHERE key = ? AND ends > ?", (key, now)).fetchone()
    return None if row is None else row[0]


def _swap(
    connection: sqlite3.Connection, now: float, *, key: bytes, old: bytes | None, new: bytes | None, lifetime: float
) -> bool:
    if _get(connection, now, key=key) != old:
        return False
    if new is None:
        connection.execute("DELETE FROM entry WHERE key = ?", (key,))
    else:
        connection.execute("REPLACE INTO entry (key, value, ends) VALUES (?, ?, ?)", (key, new, now + lifetime))
    return True


def _count(connection: sqlite3.Connection, now: float, *, key: bytes, window: float, by: int) -> Count:
    row = connection.execute("SELECT number, ends FROM tally WHERE key = ? AND ends > ?", (key, now)).fetchone()
    number, ends = (0, now + window) if row is None else (row[0], min(row[1], now + window))
    number += by
    if by:
        connection.execute("REPLACE INTO tally (key, number, ends) VALUES (?, ?, ?)", (key, number, ends))
    return Count(number, ends - now if number else 0.0)


def _primary(error: sqlite3.Error) -> int:
    """SQLite's error code without what refines it; 0 for an error of the module `sqlite3` itself."""
    code: int = getattr(error, "sqlite_errorcode", 0)
    return code & 0xFF


def _deliver(answers: Sequence[tuple[asyncio.Future[Any], Any]]) -> None:
    """Bring answers to where they are waited for; called in the thread."""
    by_loop: dict[asyncio.AbstractEventLoop, list[tuple[asyncio.Future[Any], Any]]] = defaultdict(list)
    for future, answer in answers:
        by_loop[future.get_loop()].append((future, answer))
    for loop, own in by_loop.items():
        # A loop that is closed waits for nothing.
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(_settle, own)


def _settle(answers: Sequence[tuple[asyncio.Future[Any], Any]]) -> None:
    for future, answer in answers:
        if future.done():
            continue
        if isinstance(answer, Exception):
            future.set_exception(answer)
        else:
            future.set_result(answer)
