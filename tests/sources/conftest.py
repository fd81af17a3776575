"""Tiers of both sorts for one suite, and real Redis servers to break."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, MutableMapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from structlog.testing import capture_logs

from bff.sources import redis_listener, redis_url
from bff.sources import redis_tier as redis_tier_module
from bff.sources.memory import MemoryTier
from bff.sources.redis_tier import RedisTier
from bff.sources.redis_url import open_client
from bff.sources.tier import Entry, Place, Tier
from tests.patience import PATIENCE_SECONDS
from tests.sources.redis_server import RedisServer, wait_for


class Watch:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = datetime(2026, 11, 1, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def seconds(self) -> float:
        """The time in seconds since 1970; serves for a monotonic clock too."""
        return self.now.timestamp()

    def move(self, seconds: float) -> None:
        """Let time pass."""
        self.now += timedelta(seconds=seconds)


class Bench:
    """A tier, and the time it lives in."""

    def __init__(self, tier: Tier, watch: Watch, servers: tuple[RedisServer, ...] = ()) -> None:
        self.tier = tier
        self.watch = watch
        self.servers = servers

    def entry(self, body: bytes = b"{}", owner: str = "42", lives: float = 900.0) -> Entry:
        """An entry that lives so many seconds from now."""
        now = self.watch.seconds()
        return Entry(body, owner, now, now + 30.0, now + 60.0, now + lives, 0.25)

    async def keep(self, *places: Place, body: bytes = b"{}") -> None:
        """Read and store, with nothing between."""
        marks = await self.tier.marks([tag for place in places for tag in place.tags])
        await self.tier.put({place: self.entry(body) for place in places}, marks)

    async def bodies(self, *places: Place) -> list[bytes | None]:
        """What stands there."""
        return [None if entry is None else entry.body for entry in await self.tier.get(places)]

    def later(self, seconds: float) -> None:
        """Let time pass, for Redis's own expiry too."""
        self.watch.move(seconds)
        for server in self.servers:
            for key in server.admin.keys("*"):
                left = server.admin.pttl(key) - int(seconds * 1_000)
                # As PEXPIRE does: what is left of nothing is the end.
                server.admin.pexpire(key, left)


async def until(condition: Callable[[], object]) -> None:
    """Wait for something that other tasks bring about."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not condition():  # noqa: ASYNC110 (what is waited for has no event)
            await asyncio.sleep(0.002)


def place(name: str, *tags: str) -> Place:
    """A place with tags; with one of its own where none are given."""
    return Place(name, tags or (f"tag of {name}",))


def be_patient(patch: pytest.MonkeyPatch) -> None:
    """Give a busy machine time to connect to Redis."""
    for module in (redis_listener, redis_tier_module, redis_url):
        patch.setattr(module, "CONNECT_SECONDS", PATIENCE_SECONDS)
    patch.setattr(redis_url, "SENTINEL_SECONDS", PATIENCE_SECONDS)


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give a busy machine time to connect."""
    be_patient(monkeypatch)


@pytest.fixture
def watch() -> Watch:
    """The test's time."""
    return Watch()


@pytest.fixture
def logs() -> Iterator[list[MutableMapping[str, Any]]]:
    """What was logged."""
    with capture_logs() as captured:
        yield captured


@pytest.fixture(scope="session")
def common_server() -> Iterator[RedisServer]:
    """One server for all tests that leave it as it was."""
    with RedisServer() as server:
        yield server


@pytest.fixture
def server(common_server: RedisServer) -> RedisServer:
    """The common server, empty."""
    common_server.flush()
    return common_server


@pytest.fixture
def own_server() -> Iterator[RedisServer]:
    """A server that the test may ruin."""
    with RedisServer() as server:
        yield server


@pytest.fixture(scope="session")
def common_cluster() -> Iterator[tuple[RedisServer, RedisServer]]:
    """Two servers that share the slots."""
    with RedisServer(cluster_enabled="yes") as one, RedisServer(cluster_enabled="yes") as two:
        one.admin.execute_command("CLUSTER", "ADDSLOTSRANGE", 0, 8_191)
        two.admin.execute_command("CLUSTER", "ADDSLOTSRANGE", 8_192, 16_383)
        one.admin.execute_command("CLUSTER", "MEET", "127.0.0.1", two.port)
        wait_for(lambda: all(_knows_all(server.admin) for server in (one, two)))
        yield one, two


def _knows_all(node: Any) -> bool:
    return bool(node.cluster("info")["cluster_state"] == "ok") and len(node.cluster("slots")) == 2


@pytest.fixture
def cluster(common_cluster: tuple[RedisServer, RedisServer]) -> tuple[RedisServer, RedisServer]:
    """The common cluster, empty."""
    for server in common_cluster:
        server.flush()
    return common_cluster


MakeTier = Callable[..., RedisTier]


@pytest.fixture
async def redis_tier(watch: Watch) -> AsyncIterator[MakeTier]:
    """Makes Redis tiers, patient ones unless told otherwise, and closes them."""
    tiers: list[RedisTier] = []

    def make(url: str, *, shop: str = "shop", limit: float = PATIENCE_SECONDS, connections: int = 4) -> RedisTier:
        client = open_client(url, connections=connections)
        tiers.append(RedisTier(client, shop=shop, clock=watch, limit_seconds=limit, monotonic=watch.seconds))
        return tiers[-1]

    yield make
    for tier in tiers:
        await tier.close()


@dataclass(frozen=True)
class Servers:
    """One server or a cluster, and its address."""

    url: str
    servers: tuple[RedisServer, ...]


@pytest.fixture(params=["one server", "cluster"])
def either(request: pytest.FixtureRequest) -> Servers:
    """One server, then a cluster; both empty."""
    if request.param == "one server":
        server: RedisServer = request.getfixturevalue("server")
        return Servers(server.url, (server,))
    one, two = request.getfixturevalue("cluster")
    return Servers(f"redis+cluster://127.0.0.1:{one.port},127.0.0.1:{two.port}", (one, two))


@pytest.fixture(params=["memory", "redis", "cluster"])
async def bench(request: pytest.FixtureRequest, watch: Watch, redis_tier: MakeTier) -> AsyncIterator[Bench]:
    """A tier of each sort."""
    if request.param == "memory":
        yield Bench(MemoryTier(max_entries=10_000, max_bytes=50_000_000, clock=watch), watch)
    elif request.param == "redis":
        server: RedisServer = request.getfixturevalue("server")
        yield Bench(redis_tier(server.url), watch, (server,))
    else:
        servers: tuple[RedisServer, RedisServer] = request.getfixturevalue("cluster")
        url = f"redis+cluster://127.0.0.1:{servers[0].port},127.0.0.1:{servers[1].port}"
        yield Bench(redis_tier(url), watch, servers)
