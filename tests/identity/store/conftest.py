"""Stores of both sorts for one suite; the file and the servers behind them are real."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import pytest

from bff.identity.store import SqliteStore, Store
from bff.sources import redis_url
from tests.identity.store import files
from tests.identity.store.rival import PATIENCE_SECONDS, make_store
from tests.sources.conftest import (
    Watch,
    cluster,
    common_cluster,
    common_server,
    own_server,
    server,
    watch,
)
from tests.sources.redis_server import RedisServer

__all__ = ["cluster", "common_cluster", "common_server", "own_server", "server", "watch"]


@pytest.fixture(autouse=True)
def _others_threads() -> Iterator[None]:
    files.OTHERS |= files.threads()
    yield
    files.OTHERS.clear()


MakeSqlite = Callable[..., Awaitable[SqliteStore]]


class Bench:
    """An open store, and the time it lives in."""

    def __init__(self, kind: str, address: str, watch: Watch, servers: tuple[RedisServer, ...]) -> None:
        self.kind = kind
        self.address = address
        self.watch = watch
        self.servers = servers
        self._made: list[Store] = []
        self.store = self.another()

    def another(self) -> Store:
        """One more store of the same data, as another process has it; it is not open."""
        self._made.append(make_store(self.kind, self.address, clock=self.watch))
        return self._made[-1]

    def later(self, seconds: float) -> None:
        """Let time pass, for Redis's own expiry too."""
        self.watch.move(seconds)
        for each in self.servers:
            for key in each.admin.keys("*"):
                # As PEXPIRE does: what is left of nothing is the end.
                each.admin.pexpire(key, each.admin.pttl(key) - int(seconds * 1_000))

    async def close(self) -> None:
        """Close all stores."""
        for each in self._made:
            await each.close()


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give a busy machine time to connect."""
    monkeypatch.setattr(redis_url, "CONNECT_SECONDS", PATIENCE_SECONDS)
    monkeypatch.setattr(redis_url, "SENTINEL_SECONDS", PATIENCE_SECONDS)


@pytest.fixture(params=["sqlite", "redis", "cluster"])
async def bench(request: pytest.FixtureRequest, watch: Watch, tmp_path: Path) -> AsyncIterator[Bench]:
    """An open store of each sort, empty."""
    servers: tuple[RedisServer, ...] = ()
    if request.param == "sqlite":
        address = str(tmp_path / "kabinet.sqlite")
    elif request.param == "redis":
        servers = (request.getfixturevalue("server"),)
        address = servers[0].url
    else:
        servers = request.getfixturevalue("cluster")
        address = "redis+cluster://" + ",".join(f"127.0.0.1:{each.port}" for each in servers)
    bench = Bench(request.param, address, watch, servers)
    await bench.store.open()
    yield bench
    await bench.close()


@pytest.fixture
def store(bench: Bench) -> Store:
    """The store of the bench."""
    return bench.store


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where a SQLite file is to be."""
    return tmp_path / "kabinet.sqlite"


@pytest.fixture
async def make_sqlite(path: Path, watch: Watch) -> AsyncIterator[MakeSqlite]:
    """Makes and opens SQLite stores, patient ones unless told otherwise, and closes them."""
    made: list[SqliteStore] = []

    async def make(where: Path = path, *, limit: float = PATIENCE_SECONDS) -> SqliteStore:
        made.append(SqliteStore(where, clock=watch, limit_seconds=limit))
        await made[-1].open()
        return made[-1]

    yield make
    for store in made:
        await store.close()
