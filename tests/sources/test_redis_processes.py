"""Two `RedisTier`s as two processes have them: what one drops the other sees, and hears."""

from collections.abc import Sequence

import pytest

from bff.sources import redis_listener as module
from bff.sources.redis_tier import EVERYTHING, RedisTier
from tests.patience import PATIENCE_SECONDS
from tests.sources.conftest import Bench, MakeTier, Servers, Watch, until
from tests.sources.redis_outage import (
    BACK,
    FAILING,
    HERE,
    Change,
    Logs,
    events,
    everything_is_empty,
    go_on,
    hang,
    kill,
    restart,
)
from tests.sources.redis_server import RedisServer

pytestmark = pytest.mark.anyio


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
    """Ask sooner whether the server lives, and listen again sooner."""
    monkeypatch.setattr(module, "HEARTBEAT_SECONDS", 0.02)
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
    *,
    own_server: RedisServer,
    redis_tier: MakeTier,
    monkeypatch: pytest.MonkeyPatch,
    logs: Logs,
    ruin: Change,
    mend: Change,
) -> None:
    one, two = redis_tier(own_server.url), redis_tier(own_server.url)
    ear = Ear(two)
    await until(lambda: ear.lost == 1)
    if ruin is hang:
        monkeypatch.setattr(module, "CONNECT_SECONDS", 0.2)
    ruin(own_server)
    await until(lambda: events(logs) == [FAILING])
    assert logs[0]["part"] == "subscription"
    monkeypatch.setattr(module, "CONNECT_SECONDS", PATIENCE_SECONDS)
    mend(own_server)
    await until(lambda: ear.lost >= 2)
    assert events(logs) == [FAILING, BACK]
    await one.drop(["customer:42"])
    await until(lambda: ear.dropped == ["customer:42"])


@pytest.mark.usefixtures("quick")
async def test_calls_and_subscription_failing_are_one_outage(
    own_server: RedisServer, redis_tier: MakeTier, watch: Watch, logs: Logs
) -> None:
    bench = Bench(redis_tier(own_server.url), watch)
    assert isinstance(bench.tier, RedisTier)
    ear = Ear(bench.tier)
    await until(lambda: ear.lost)
    own_server.kill()
    await until(lambda: logs)
    await everything_is_empty(bench)
    assert list(bench.tier._owed) == ["customer:42"]
    own_server.start()
    await until(lambda: ear.lost == 2)
    # The pause is not over, and nobody asks: that the subscription stands is enough.
    await until(lambda: events(logs) == [FAILING, BACK])
    assert bench.tier._owed == {}


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
