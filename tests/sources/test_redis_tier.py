"""`RedisTier` when Redis is away or holds garbage, and the ways to reach one."""

from pathlib import Path
from typing import Any

import pytest

from bff.sources import redis_tier as module
from tests.fakes.certificates import Authority
from tests.sources.conftest import Bench, MakeTier, Servers, Watch, place
from tests.sources.redis_outage import (
    BACK,
    FAILING,
    HERE,
    Change,
    Logs,
    back,
    events,
    everything_is_empty,
    fill,
    go_on,
    hang,
    kill,
    make_master,
    make_replica,
    make_room,
    restart,
    want_no_password,
    want_password,
)
from tests.sources.redis_server import RedisServer, SentinelServer, free_port

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    ("ruin", "mend", "error", "readable"),
    [
        pytest.param(hang, go_on, "TimeoutError", False, id="hung"),
        pytest.param(kill, restart, "ConnectionError", False, id="killed"),
        pytest.param(fill, make_room, "OutOfMemoryError", True, id="full"),
        pytest.param(make_replica, make_master, "ReadOnlyError", True, id="read only"),
        pytest.param(want_password, want_no_password, "AuthenticationError", False, id="password wanted"),
    ],
)
async def test_redis_away_is_an_empty_tier_until_it_is_back(
    *,
    own_server: RedisServer,
    redis_tier: MakeTier,
    watch: Watch,
    logs: Logs,
    ruin: Change,
    mend: Change,
    error: str,
    readable: bool,
) -> None:
    tier = redis_tier(own_server.url)
    bench = Bench(tier, watch)
    await bench.keep(HERE)
    assert await bench.bodies(HERE) == [b"{}"]
    assert logs == []
    ruin(own_server)
    patient, tier._limit = tier._limit, tier._limit if ruin is not hang else 0.05
    await everything_is_empty(bench, reads=not readable)
    tier._limit = patient
    address = own_server.url
    assert logs == [
        {"event": FAILING, "log_level": "warning", "address": address, "part": "calls", "error": error},
    ]
    mend(own_server)
    await back(bench)
    assert events(logs) == [FAILING, BACK]
    # What was dropped while Redis was away is dropped.
    assert await bench.bodies(HERE) == [None]
    await bench.keep(HERE, body=b"new")
    assert await bench.bodies(HERE) == [b"new"]
    assert events(logs) == [FAILING, BACK]


async def test_an_emptied_redis_lets_no_read_under_way_store(
    server: RedisServer, redis_tier: MakeTier, watch: Watch
) -> None:
    bench = Bench(redis_tier(server.url), watch)
    await bench.keep(HERE)
    marks = await bench.tier.marks(HERE.tags)
    server.flush()
    assert await bench.bodies(HERE) == [None]
    await bench.tier.put({HERE: bench.entry(b"before")}, marks)
    assert await bench.bodies(HERE) == [None]
    assert await bench.tier.marks(HERE.tags) != marks
    assert await bench.bodies(HERE) == [None]


async def test_the_end_of_a_mark_revives_nothing(server: RedisServer, redis_tier: MakeTier, watch: Watch) -> None:
    bench = Bench(redis_tier(server.url), watch)
    await bench.keep(HERE)
    await bench.tier.drop(HERE.tags)
    await bench.tier.marks(HERE.tags)
    assert 0 < server.admin.pttl("kabinet:1:shop:mark:customer:42") <= module.MARK_MS
    server.admin.delete("kabinet:1:shop:mark:customer:42")
    assert await bench.bodies(HERE) == [None]


async def test_entries_die_in_redis_too(server: RedisServer, redis_tier: MakeTier, watch: Watch) -> None:
    bench = Bench(redis_tier(server.url), watch)
    await bench.keep(HERE)
    assert 890_000 < server.admin.pttl("kabinet:1:shop:entry:profile:42") <= 900_000


async def test_shops_do_not_see_each_other(server: RedisServer, redis_tier: MakeTier, watch: Watch) -> None:
    one, other = Bench(redis_tier(server.url, shop="a"), watch), Bench(redis_tier(server.url, shop="a:mark"), watch)
    await one.keep(HERE)
    assert await other.bodies(HERE) == [None]
    await other.tier.drop(HERE.tags)
    assert await one.bodies(HERE) == [b"{}"]


@pytest.mark.parametrize("what", ["no msgpack", "another shape", "cut short", "another type"])
async def test_garbage_under_our_keys_is_nothing(
    either: Servers, redis_tier: MakeTier, watch: Watch, what: str
) -> None:
    bench = Bench(redis_tier(either.url), watch)
    fine = place("profile:43", *HERE.tags)
    await bench.keep(HERE, fine)
    key = b"kabinet:1:shop:entry:profile:42"
    (owner,) = [each for each in either.servers if key in each.admin.keys("*entry*")]
    good = owner.admin.get(key)
    owner.admin.delete(key)
    if what == "another type":
        owner.admin.rpush(key, "x")
    else:
        owner.admin.set(key, {"no msgpack": b"\xc1", "another shape": b"\x92\x01\x02", "cut short": good[:-3]}[what])
    assert await bench.bodies(HERE, fine) == [None, b"{}"]
    await bench.keep(HERE, body=b"new")
    assert await bench.bodies(HERE, fine) == [b"new", b"{}"]


@pytest.mark.parametrize("garbage", [b"", b"garbage", b"-1", b"9" * 5_000, None])
async def test_garbage_for_a_mark_voids_what_carries_the_tag(
    server: RedisServer, redis_tier: MakeTier, watch: Watch, garbage: bytes | None
) -> None:
    bench = Bench(redis_tier(server.url), watch)
    await bench.keep(HERE)
    key = "kabinet:1:shop:mark:customer:42"
    server.admin.delete(key)
    server.admin.rpush(key, "x") if garbage is None else server.admin.set(key, garbage)
    assert await bench.bodies(HERE) == [None]
    if garbage is None:
        # What is no text cannot be told from nothing; a drop removes it, or its expiry.
        await bench.keep(HERE)
        assert await bench.bodies(HERE) == [None]
        await bench.tier.drop(HERE.tags)
    await bench.keep(HERE)
    assert await bench.bodies(HERE) == [b"{}"]


async def test_marks_that_cannot_be_made_are_none(server: RedisServer, redis_tier: MakeTier) -> None:
    tier = redis_tier(server.url)
    real = tier._pipeline

    async def evicted_at_once(commands: Any) -> list[Any]:
        return [None for _ in await real(commands)]

    tier._pipeline = evicted_at_once  # type: ignore[method-assign]
    assert await tier.marks(["customer:42"]) is None


async def test_an_entry_of_another_place_is_not_taken_for_this_ones(
    server: RedisServer, redis_tier: MakeTier, watch: Watch, logs: Logs
) -> None:
    bench = Bench(redis_tier(server.url), watch)
    foreign = place("profile:43", *HERE.tags)
    await bench.keep(foreign)
    server.admin.copy("kabinet:1:shop:entry:profile:43", "kabinet:1:shop:entry:profile:42")
    assert await bench.bodies(HERE, foreign) == [None, b"{}"]
    assert events(logs) == ["integrity violation"]


async def test_it_is_left_alone_longer_and_longer(own_server: RedisServer, redis_tier: MakeTier, watch: Watch) -> None:
    tier = redis_tier(own_server.url)
    own_server.kill()
    for _ in range(module.FAILURES):
        await tier.get([HERE])
    pauses = [1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0]
    for pause in pauses:
        assert tier._pause == pause
        watch.move(pause - 0.5)
        look = tier._look
        await tier.get([HERE])
        assert tier._look is look
        watch.move(0.5)
        await tier.get([HERE])
        await tier.get([HERE])
        new = tier._look
        assert new is not None
        assert new is not look
        await new


async def test_a_single_failure_is_no_outage(
    server: RedisServer, redis_tier: MakeTier, watch: Watch, logs: Logs
) -> None:
    bench = Bench(redis_tier(server.url), watch)
    for _ in range(module.FAILURES * 2):
        await bench.keep(HERE)
        server.admin.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
        await bench.bodies(HERE)
        await bench.tier.marks(HERE.tags)
        assert await bench.bodies(HERE) == [b"{}"]
    assert logs == []


async def test_nothing_reaches_redis_while_it_is_left_alone(
    own_server: RedisServer, redis_tier: MakeTier, watch: Watch
) -> None:
    bench = Bench(redis_tier(own_server.url), watch)
    await bench.keep(HERE)
    own_server.fill()
    await everything_is_empty(bench, reads=False)

    def commands() -> int:
        return int(own_server.admin.info("stats")["total_commands_processed"])

    before = commands()
    await everything_is_empty(bench)
    assert commands() == before + 1


async def test_a_wrong_password_is_in_no_log(
    own_server: RedisServer, redis_tier: MakeTier, watch: Watch, logs: Logs
) -> None:
    own_server.admin.config_set("requirepass", "right")
    own_server.admin.auth("right")
    url = own_server.url.replace("redis://", "redis://someone:s3cret@")
    await everything_is_empty(Bench(redis_tier(url), watch))
    assert events(logs) == [FAILING]
    assert logs[0]["error"] == "AuthenticationError"
    assert "s3cret" not in str(logs)
    assert "someone" not in str(logs)


async def test_a_password_and_a_database_are_used(redis_tier: MakeTier, watch: Watch) -> None:
    with RedisServer(requirepass="p@ss/w:rd") as server:
        url = server.url.replace("redis://", "redis://:p%40ss%2Fw%3Ard@") + "/3"
        bench = Bench(redis_tier(url), watch)
        await bench.keep(HERE)
        assert await bench.bodies(HERE) == [b"{}"]
        assert server.admin.info("keyspace").keys() == {"db3"}


async def test_tls_is_verified(redis_tier: MakeTier, watch: Watch, tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    authority.server("127.0.0.1")
    files = {f"tls_{name}_file": str(tmp_path / "server.pem") for name in ("cert", "key")}
    port = free_port()
    options = {"tls_port": str(port), "tls_auth_clients": "no", "tls_ca_cert_file": str(authority.file)}
    with RedisServer(**options, **files):
        url = f"rediss://127.0.0.1:{port}"
        bench = Bench(redis_tier(f"{url}?ssl_ca_certs={authority.file}"), watch)
        await bench.keep(HERE)
        assert await bench.bodies(HERE) == [b"{}"]
        assert await redis_tier(url).marks([]) is None
        other_name = f"{url.replace('127.0.0.1', 'localhost')}?ssl_ca_certs={authority.file}"
        assert await redis_tier(other_name).marks([]) is None


async def test_a_sentinel_names_the_server(redis_tier: MakeTier, watch: Watch, server: RedisServer) -> None:
    with SentinelServer(server) as sentinel:
        url = f"redis+sentinel://127.0.0.1:1,127.0.0.1:{sentinel.port}/shop"
        bench = Bench(redis_tier(url), watch)
        await bench.keep(HERE)
        assert await bench.bodies(HERE) == [b"{}"]
        await bench.tier.close()


async def test_a_socket_serves_too(redis_tier: MakeTier, watch: Watch, server: RedisServer) -> None:
    bench = Bench(redis_tier(f"unix://{server.socket}?db=1"), watch)
    await bench.keep(HERE)
    assert await bench.bodies(HERE) == [b"{}"]
    assert server.admin.info("keyspace").keys() == {"db1"}


async def test_a_cluster_opened_is_connected(
    cluster: tuple[RedisServer, RedisServer], redis_tier: MakeTier, watch: Watch, logs: Logs
) -> None:
    tier = redis_tier(f"redis+cluster://127.0.0.1:1,127.0.0.1:{cluster[1].port}")
    await tier.open()
    assert tier._away_until is None
    assert logs == []


async def test_opened_without_a_redis_it_is_away_at_once(
    own_server: RedisServer, redis_tier: MakeTier, watch: Watch, logs: Logs
) -> None:
    own_server.kill()
    bench = Bench(redis_tier(own_server.url), watch)
    await bench.tier.open()  # type: ignore[attr-defined]
    assert await bench.tier.lease(HERE, 1.0)
    assert events(logs) == [FAILING]
    own_server.start()
    await back(bench)
    assert events(logs) == [FAILING, BACK]
