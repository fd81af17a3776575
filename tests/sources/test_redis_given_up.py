"""Calls of `RedisTier` that are given up: replies, connections, and drops that are owed."""

import asyncio
import random
from collections.abc import Sequence

import pytest

from bff.sources import redis_tier as module
from bff.sources.redis_tier import EVERYTHING, RedisTier
from bff.sources.tier import Entry, Place
from tests.sources.conftest import Bench, MakeTier, Servers, Watch, place
from tests.sources.redis_outage import FAILING, HERE, Logs, back, events, everything_is_empty
from tests.sources.redis_server import RedisServer

pytestmark = pytest.mark.anyio


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
    logs: Logs,
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


async def test_a_drop_that_failed_once_is_paid_at_once_and_nobody_need_ask(
    server: RedisServer, redis_tier: MakeTier, watch: Watch
) -> None:
    tier, other = redis_tier(server.url), Bench(redis_tier(server.url), watch)
    await other.keep(HERE)
    real = tier._forget

    async def forget(tags: Sequence[str]) -> bool:
        tier._forget = real  # type: ignore[method-assign]
        raise ConnectionError

    tier._forget = forget  # type: ignore[method-assign]
    await tier.drop(HERE.tags)
    assert list(tier._owed) == ["customer:42"]
    assert tier._look is not None
    await tier._look
    assert tier._owed == {}
    assert await other.bodies(HERE) == [None]
    assert tier._failures == {}


async def test_drops_that_keep_failing_are_an_outage(server: RedisServer, redis_tier: MakeTier, logs: Logs) -> None:
    tier = redis_tier(server.url)

    async def forget(tags: Sequence[str]) -> bool:
        raise ConnectionError

    tier._forget = forget  # type: ignore[method-assign]
    for _ in range(module.FAILURES - 1):
        await tier.drop(HERE.tags)
        assert tier._look is not None
        await tier._look
    assert events(logs) == [FAILING]
    assert list(tier._owed) == ["customer:42"]
