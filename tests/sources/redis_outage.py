"""Ways for a Redis to be away and back, and what a tier does meanwhile."""

from collections.abc import Callable, MutableMapping
from typing import Any, TypeAlias

from bff.sources import redis_tier as module
from bff.sources.redis_tier import RedisTier
from tests.sources.conftest import Bench, place
from tests.sources.redis_server import RedisServer

Logs: TypeAlias = list[MutableMapping[str, Any]]
Change: TypeAlias = Callable[[RedisServer], None]

FAILING, BACK = "redis failing", "redis answers again"
HERE = place("profile:42", "customer:42")


def events(logs: Logs) -> list[str]:
    return [str(line["event"]) for line in logs]


async def everything_is_empty(bench: Bench, *, reads: bool = True) -> None:
    """Use all of a tier whose Redis is away, often enough to make it know."""
    for _ in range(module.FAILURES + 1):
        if reads:
            assert await bench.bodies(HERE) == [None]
            assert await bench.tier.marks(HERE.tags) is None
        await bench.tier.put({HERE: bench.entry(b"late")}, {"": 1, "customer:42": 1})
    assert await bench.tier.lease(HERE, 30.0)
    assert await bench.tier.lease(HERE, 30.0)
    await bench.tier.drop(HERE.tags)
    assert await bench.bodies(HERE) == [None]


async def back(bench: Bench) -> None:
    """Let the pause pass, and wait until Redis has been looked for and found."""
    assert isinstance(bench.tier, RedisTier)
    bench.watch.move(module.LONGEST_PAUSE_SECONDS)
    assert await bench.bodies(HERE) == [None]
    assert bench.tier._look is not None
    await bench.tier._look
    assert bench.tier._away_until is None


def hang(server: RedisServer) -> None:
    server.stop()


def go_on(server: RedisServer) -> None:
    server.cont()


def kill(server: RedisServer) -> None:
    server.kill()


def restart(server: RedisServer) -> None:
    server.start()


def fill(server: RedisServer) -> None:
    server.fill()


def make_room(server: RedisServer) -> None:
    server.empty()


def make_replica(server: RedisServer) -> None:
    server.admin.replicaof("127.0.0.1", 1)


def make_master(server: RedisServer) -> None:
    server.admin.replicaof("NO", "ONE")


def want_password(server: RedisServer) -> None:
    server.admin.config_set("requirepass", "s3cret")
    server.admin.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")


def want_no_password(server: RedisServer) -> None:
    server.admin.config_set("requirepass", "")
