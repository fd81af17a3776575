"""`RedisTier` when Redis is away, and two of them as two processes have them."""

import asyncio
import random
from collections.abc import Callable, Iterator, MutableMapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from bff.sources import redis_tier as module
from bff.sources.redis_tier import EVERYTHING, RedisTier
from bff.sources.tier import Entry, Place
from tests.fakes.certificates import Authority
from tests.sources.conftest import Bench, MakeTier, Servers, Watch, place, until
from tests.sources.redis_server import RedisServer, SentinelServer, free_port

pytestmark = pytest.mark.anyio

FAILING, BACK = "redis failing", "redis answers again"
SHORT = 0.05
HERE = place("profile:42", "customer:42")


@pytest.fixture
def logs() -> Iterator[list[MutableMapping[str, Any]]]:
    """What was logged."""
    with capture_logs() as captured:
        yield captured


def events(logs: list[MutableMapping[str, Any]]) -> list[str]:
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


Change = Callable[[RedisServer], None]


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
    logs: list[MutableMapping[str, Any]],
    ruin: Change,
    mend: Change,
    error: str,
    readable: bool,
) -> None:
    bench = Bench(redis_tier(own_server.url, limit=SHORT if ruin is hang else 10.0), watch)
    await bench.keep(HERE)
    assert await bench.bodies(HERE) == [b"{}"]
    assert logs == []
    ruin(own_server)
    await everything_is_empty(bench, reads=not readable)
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
    server: RedisServer, redis_tier: MakeTier, watch: Watch, logs: list[MutableMapping[str, Any]]
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
    server: RedisServer, redis_tier: MakeTier, watch: Watch, logs: list[MutableMapping[str, Any]]
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
    own_server: RedisServer, redis_tier: MakeTier, watch: Watch, logs: list[MutableMapping[str, Any]]
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
    cluster: tuple[RedisServer, RedisServer], redis_tier: MakeTier, watch: Watch, logs: list[MutableMapping[str, Any]]
) -> None:
    tier = redis_tier(f"redis+cluster://127.0.0.1:1,127.0.0.1:{cluster[1].port}")
    await tier.open()
    assert tier._away_until is None
    assert logs == []


async def test_opened_without_a_redis_it_is_away_at_once(
    own_server: RedisServer, redis_tier: MakeTier, watch: Watch, logs: list[MutableMapping[str, Any]]
) -> None:
    own_server.kill()
    bench = Bench(redis_tier(own_server.url), watch)
    await bench.tier.open()  # type: ignore[attr-defined]
    assert await bench.tier.lease(HERE, 1.0)
    assert events(logs) == [FAILING]
    own_server.start()
    await back(bench)
    assert events(logs) == [FAILING, BACK]


def of(number: int) -> tuple[Place, Entry]:
    return place(f"profile:{number}", f"customer:{number}"), Entry(f"{number}".encode(), f"{number}", 0, 0, 0, 4e9)


async def given_up(asked: asyncio.Task[list[Entry | None]]) -> list[Entry | None]:
    """What a call brought that may have been given up."""
    try:
        return await asked
    except asyncio.CancelledError:
        return [None]


@pytest.mark.parametrize("how", ["cancelled", "timed out"])
async def test_a_call_given_up_leaves_its_reply_to_nobody(
    *,
    either: Servers,
    redis_tier: MakeTier,
    monkeypatch: pytest.MonkeyPatch,
    logs: list[MutableMapping[str, Any]],
    how: str,
) -> None:
    """March 2023: replies left in pooled connections went to whoever asked next."""
    monkeypatch.setattr(module, "FAILURES", 1_000_000)
    tier = redis_tier(either.url, connections=2)
    customers = dict(of(number) for number in range(30))
    await tier.put(customers, await tier.marks([tag for each in customers for tag in each.tags]))
    chance = random.Random(20230320)  # noqa: S311 (the same moments each time, as far as that goes)
    nothing = 0
    while nothing < 300:
        asked = chance.choices(list(customers), k=20)
        tasks = []
        for here in asked:
            if how == "timed out":
                tier._limit = chance.random() * 0.0006
            tasks.append(asyncio.ensure_future(tier.get([here])))
            for _ in range(chance.randrange(12)):
                await asyncio.sleep(0)
            if how == "cancelled":
                tasks[-1].cancel()
        for here, task in zip(asked, tasks, strict=True):
            (found,) = await given_up(task)
            assert found in {None, customers[here]}
            nothing += found is None
        tier._limit = 10.0
        for here, entry in customers.items():
            assert await tier.get([here]) == [entry]
    assert logs == []


async def test_calls_given_up_cost_no_connection(server: RedisServer, redis_tier: MakeTier) -> None:
    tier = redis_tier(server.url, connections=2)
    for turns in range(40):
        asked = [asyncio.ensure_future(tier.get([HERE])) for _ in range(5)]
        for _ in range(turns):
            await asyncio.sleep(0)
        for task in asked:
            task.cancel()
        await asyncio.gather(*asked, return_exceptions=True)
    pool = tier._redis.connection_pool
    assert len(pool._in_use_connections) == 0
    assert len(pool._available_connections) <= 2
    assert await tier.marks(HERE.tags) is not None


async def test_a_drop_given_up_is_owed_and_paid_before_anything_else(
    server: RedisServer, redis_tier: MakeTier, watch: Watch
) -> None:
    bench = Bench(redis_tier(server.url), watch)
    tier = bench.tier
    assert isinstance(tier, RedisTier)
    await bench.keep(HERE)
    dropping = asyncio.ensure_future(tier.drop(HERE.tags))
    await asyncio.sleep(0)
    dropping.cancel()
    with pytest.raises(asyncio.CancelledError):
        await dropping
    assert list(tier._owed) == ["customer:42"]
    assert await bench.bodies(HERE) == [None]
    assert tier._owed == {}


async def test_while_drops_are_owed_nothing_is_read(server: RedisServer, redis_tier: MakeTier, watch: Watch) -> None:
    bench = Bench(redis_tier(server.url), watch)
    tier = bench.tier
    assert isinstance(tier, RedisTier)
    await bench.keep(HERE)
    tier._owe([f"tag {number}" for number in range(module.TAGS_AT_ONCE + 1)])
    assert await bench.bodies(HERE) == [None]
    assert await bench.bodies(HERE) == [b"{}"]


async def test_too_many_drops_owed_are_one_of_everything(
    own_server: RedisServer, redis_tier: MakeTier, watch: Watch
) -> None:
    bench = Bench(redis_tier(own_server.url), watch)
    tier = bench.tier
    assert isinstance(tier, RedisTier)
    await bench.keep(HERE)
    own_server.fill()
    await everything_is_empty(bench, reads=False)
    await tier.drop([f"tag {number}" for number in range(module.MAX_OWED + 1)])
    assert list(tier._owed) == [EVERYTHING]
    own_server.empty()
    await back(bench)
    assert await bench.bodies(HERE) == [None]


async def test_a_drop_owed_anew_while_it_is_paid_is_still_owed(
    server: RedisServer, redis_tier: MakeTier, watch: Watch
) -> None:
    tier = redis_tier(server.url)
    tier._owe(["customer:42"])
    real = tier._forget

    async def forget(tags: Sequence[str]) -> bool:
        tier._owe(["customer:42"])
        return await real(tags)

    tier._forget = forget  # type: ignore[method-assign]
    assert await tier.get([HERE]) == [None]
    assert list(tier._owed) == ["customer:42"]


class Ear:
    """What a process hears of others."""

    def __init__(self, tier: RedisTier) -> None:
        self.dropped: list[str] = []
        self.lost = 0
        tier.listen(self.on_drop, self.on_lost)

    async def on_drop(self, tags: Sequence[str]) -> None:
        self.dropped += tags

    async def on_lost(self) -> None:
        self.lost += 1


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Notice sooner that nothing is heard, and try again sooner."""
    monkeypatch.setattr(module, "HEARTBEAT_SECONDS", 0.02)
    monkeypatch.setattr(module, "CONNECT_SECONDS", 0.2)
    monkeypatch.setattr(module, "LISTEN_AGAIN_SECONDS", 0.01)


async def test_a_drop_is_seen_by_the_other_process_and_heard_by_it(
    either: Servers, redis_tier: MakeTier, watch: Watch
) -> None:
    one, two = Bench(redis_tier(either.url), watch), Bench(redis_tier(either.url), watch)
    assert isinstance(one.tier, RedisTier)
    assert isinstance(two.tier, RedisTier)
    ear, own = Ear(two.tier), Ear(one.tier)
    await until(lambda: ear.lost and own.lost)
    await two.keep(HERE)
    assert await one.bodies(HERE) == [b"{}"]
    marks = await two.tier.marks(HERE.tags)
    await one.tier.drop(["customer:42", "клиент:Анна", "\ud800"])
    assert await two.bodies(HERE) == [None]
    await two.tier.put({HERE: two.entry()}, marks)
    assert await one.bodies(HERE) == [None]
    await until(lambda: len(ear.dropped) == 3)
    assert ear.dropped == ["customer:42", "клиент:Анна", "\ud800"]
    await two.tier.drop(["last"])
    await until(lambda: own.dropped)
    # Nobody hears of its own drops: what it read after them would go too.
    assert (own.dropped, ear.dropped[3:]) == (["last"], [])
    assert (own.lost, ear.lost) == (1, 1)


async def test_a_lease_is_one_for_both_processes(server: RedisServer, redis_tier: MakeTier, watch: Watch) -> None:
    one, two = Bench(redis_tier(server.url), watch, (server,)), Bench(redis_tier(server.url), watch)
    assert await one.tier.lease(HERE, 30.0)
    assert not await two.tier.lease(HERE, 30.0)
    await one.keep(HERE)
    assert await two.tier.lease(HERE, 30.0)
    assert not await one.tier.lease(HERE, 30.0)
    one.later(30.0)
    assert await one.tier.lease(HERE, 30.0)


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize(
    ("ruin", "mend"),
    [
        pytest.param(kill, restart, id="killed"),
        pytest.param(hang, go_on, id="hung"),
        pytest.param(
            lambda server: server.admin.execute_command("CLIENT", "KILL", "TYPE", "pubsub"),
            lambda server: server.admin.ping(),
            id="cut off",
        ),
    ],
)
async def test_a_lost_subscription_is_renewed_and_told(
    own_server: RedisServer, redis_tier: MakeTier, logs: list[MutableMapping[str, Any]], ruin: Change, mend: Change
) -> None:
    one, two = redis_tier(own_server.url), redis_tier(own_server.url)
    ear = Ear(two)
    await until(lambda: ear.lost == 1)
    ruin(own_server)
    await until(lambda: events(logs) == [FAILING])
    assert logs[0]["part"] == "subscription"
    mend(own_server)
    await until(lambda: ear.lost >= 2)
    assert events(logs) == [FAILING, BACK]
    await one.drop(["customer:42"])
    await until(lambda: ear.dropped == ["customer:42"])


@pytest.mark.usefixtures("quick")
async def test_calls_and_subscription_failing_are_one_outage(
    own_server: RedisServer, redis_tier: MakeTier, watch: Watch, logs: list[MutableMapping[str, Any]]
) -> None:
    bench = Bench(redis_tier(own_server.url), watch)
    assert isinstance(bench.tier, RedisTier)
    ear = Ear(bench.tier)
    await until(lambda: ear.lost)
    own_server.kill()
    await until(lambda: logs)
    await everything_is_empty(bench)
    own_server.start()
    await until(lambda: ear.lost == 2)
    assert events(logs) == [FAILING]
    await back(bench)
    assert events(logs) == [FAILING, BACK]


@pytest.mark.usefixtures("quick")
async def test_a_server_that_is_only_silent_is_not_lost(server: RedisServer, redis_tier: MakeTier) -> None:
    one, two = redis_tier(server.url), redis_tier(server.url)
    ear = Ear(two)
    await until(lambda: ear.lost)

    def pings() -> int:
        return int(server.admin.info("commandstats").get("cmdstat_ping", {"calls": 0})["calls"])

    before = pings()
    await until(lambda: pings() >= before + 3)
    await one.drop(["customer:42"])
    await until(lambda: ear.dropped)
    assert ear.lost == 1


@pytest.mark.usefixtures("quick")
async def test_an_idle_process_pays_what_it_owes(server: RedisServer, redis_tier: MakeTier) -> None:
    one, two = redis_tier(server.url), redis_tier(server.url)
    ear, _ = Ear(two), Ear(one)
    await until(lambda: ear.lost)
    one._owe(["customer:42"])
    await until(lambda: ear.dropped == ["customer:42"])
    await until(lambda: one._owed == {})


@pytest.mark.parametrize("message", ["garbage", "everything"])
async def test_what_cannot_be_told_by_tags_is_told_as_lost(
    server: RedisServer, redis_tier: MakeTier, message: str
) -> None:
    one, two = redis_tier(server.url), redis_tier(server.url)
    ear = Ear(two)
    await until(lambda: ear.lost == 1)
    if message == "garbage":
        server.admin.publish("kabinet:1:shop:drops", b"\xc1")
    else:
        await one.drop([EVERYTHING])
    await until(lambda: ear.lost == 2)
    assert ear.dropped == []


@pytest.mark.usefixtures("quick")
async def test_a_listener_that_fails_on_its_own_side_starts_anew(server: RedisServer, redis_tier: MakeTier) -> None:
    one, two = redis_tier(server.url), redis_tier(server.url)
    lost = []

    async def on_drop(_: Sequence[str]) -> None:
        raise ValueError

    async def on_lost() -> None:
        lost.append(True)

    two.listen(on_drop, on_lost)
    await until(lambda: lost)
    await one.drop(["customer:42"])
    await until(lambda: len(lost) == 2)
