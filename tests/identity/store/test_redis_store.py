"""What is particular to Redis: ways for it to be away, and the ways to reach one."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from bff.identity.store import Count, StoreUnavailable
from bff.identity.store.redis_store import RedisStore
from bff.sources import redis_url
from bff.sources.redis_url import open_client
from tests.fakes.certificates import Authority
from tests.identity.store.rival import PATIENCE_SECONDS
from tests.sources.redis_outage import (
    Change,
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
from tests.sources.redis_server import RedisServer, SentinelServer, free_port, wait_for

pytestmark = pytest.mark.anyio

HOUR = 3_600.0

Make = Callable[..., RedisStore]


@pytest.fixture
async def make() -> AsyncIterator[Make]:
    """Makes stores, patient ones unless told otherwise, and closes them."""
    made: list[RedisStore] = []

    def make(url: str, *, shop: str = "shop", limit: float = PATIENCE_SECONDS, connections: int = 4) -> RedisStore:
        made.append(RedisStore(open_client(url, connections=connections), shop=shop, limit_seconds=limit))
        return made[-1]

    yield make
    for store in made:
        await store.close()


async def until_it_answers(store: RedisStore) -> None:
    """Ask until there is an answer."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            try:
                await store.count("asked", window=HOUR)
            except StoreUnavailable:
                await asyncio.sleep(0.01)
            else:
                return


@pytest.mark.parametrize(
    ("ruin", "mend", "says", "readable"),
    [
        pytest.param(hang, go_on, r"no answer within 0\.2 s", False, id="hung"),
        pytest.param(kill, restart, "ConnectionError", False, id="killed"),
        pytest.param(fill, make_room, "OutOfMemoryError", True, id="full"),
        pytest.param(make_replica, make_master, "ReadOnlyError", True, id="read only"),
        pytest.param(
            want_password, want_no_password, "AuthenticationError|ConnectionError", False, id="password wanted"
        ),
    ],
)
async def test_redis_away_is_unavailable_until_it_is_back(
    *, own_server: RedisServer, make: Make, ruin: Change, mend: Change, says: str, readable: bool
) -> None:
    store = make(own_server.url)
    await store.open()
    assert await store.swap("k", None, b"s3cret", lifetime=HOUR)
    ruin(own_server)
    if ruin is hang:
        store._limit = 0.2
    for _ in range(6):
        # More than there are connections: none is lost.
        with pytest.raises(StoreUnavailable, match=says) as caught:
            await store.swap("k", b"s3cret", b"late", lifetime=HOUR)
        with pytest.raises(StoreUnavailable):
            await store.count("k", window=HOUR)
        assert "s3cret" not in str(caught.value)
        assert str(caught.value).startswith(f"the store {own_server.url}")
    if readable:
        assert await store.get("k") == b"s3cret"
    else:
        with pytest.raises(StoreUnavailable):
            await store.get("k")
    mend(own_server)
    store._limit = PATIENCE_SECONDS
    await until_it_answers(store)
    assert await store.swap("new", None, b"new", lifetime=HOUR)
    if ruin is not hang:
        # A hung one does later what it was asked to.
        assert await store.get("k") == (None if ruin is kill else b"s3cret")


async def test_a_store_opens_only_where_redis_takes_writes(
    own_server: RedisServer, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = make(own_server.url)
    make_replica(own_server)
    with pytest.raises(StoreUnavailable, match="ReadOnlyError"):
        await store.open()
    own_server.kill()
    with pytest.raises(StoreUnavailable, match="ConnectionError"):
        await store.open()
    own_server.start()
    # It needs no other `open`.
    await until_it_answers(store)
    own_server.stop()
    monkeypatch.setattr(redis_url, "CONNECT_SECONDS", 0.3)
    store._limit = 0.1
    with pytest.raises(StoreUnavailable, match=r"no answer within 0\.3 s"):
        await store.open()


async def test_a_store_that_is_closed_does_not_connect_again(server: RedisServer, make: Make) -> None:
    store = make(server.url)
    await store.open()
    assert await store.swap("k", None, b"new", lifetime=HOUR)
    await store.close()
    with pytest.raises(StoreUnavailable, match="is not open"):
        await store.get("k")


async def test_close_waits_for_a_hung_redis_no_longer_than_a_call_does(own_server: RedisServer, make: Make) -> None:
    store = make(own_server.url)
    await store.open()
    counting = [asyncio.ensure_future(store.count("k", window=HOUR)) for _ in range(9)]
    own_server.stop()
    store._limit = 0.2
    async with asyncio.timeout(PATIENCE_SECONDS / 2):
        await store.close()
    for task in counting:
        task.cancel()
    await asyncio.gather(*counting, return_exceptions=True)


async def test_calls_given_up_leave_their_replies_to_nobody(server: RedisServer, make: Make) -> None:
    store = make(server.url, connections=2)
    await store.open()
    for number in range(20):
        assert await store.swap(f"k{number}", None, b"%d" % number, lifetime=HOUR)
    chance = random.Random(20230320)  # noqa: S311 (the same moments each time, as far as that goes)
    for _ in range(100):
        tasks = [asyncio.ensure_future(store.get(f"k{number}")) for number in range(20)]
        for task in tasks:
            for _ in range(chance.randrange(6)):
                await asyncio.sleep(0)
            if chance.random() < 0.5:
                task.cancel()
        found = await asyncio.gather(*tasks, return_exceptions=True)
        for number, value in enumerate(found):
            assert isinstance(value, asyncio.CancelledError) or value == b"%d" % number


async def test_shops_and_other_programs_do_not_meet(server: RedisServer, make: Make) -> None:
    one, two, odd = make(server.url, shop="shop"), make(server.url, shop="other"), make(server.url, shop="a:id:b")
    for store in (one, two, odd):
        await store.open()
        assert await store.swap("k", None, b"own", lifetime=HOUR)
        assert (await store.count("k", window=HOUR)).number == 1
    server.admin.delete(*(key for key in server.admin.keys("*:probe")))
    assert sorted(server.admin.keys("*")) == [
        b"kabinet:a%3Aid%3Ab:id:count:k",
        b"kabinet:a%3Aid%3Ab:id:value:k",
        b"kabinet:other:id:count:k",
        b"kabinet:other:id:value:k",
        b"kabinet:shop:id:count:k",
        b"kabinet:shop:id:value:k",
    ]
    # Something else stands where ours should be.
    server.admin.lpush("kabinet:shop:id:value:list", "x")
    with pytest.raises(StoreUnavailable, match="ResponseError"):
        await one.get("list")
    with pytest.raises(StoreUnavailable, match="ResponseError"):
        await one.swap("list", None, b"new", lifetime=HOUR)


async def test_everything_of_ours_ends_by_itself(server: RedisServer, make: Make) -> None:
    store = make(server.url)
    await store.open()
    assert await store.swap("k", None, b"own", lifetime=HOUR)
    await store.count("k", window=HOUR, by=2)
    assert all(0 < server.admin.pttl(key) <= HOUR * 1_000 for key in server.admin.keys("*"))
    # A counter that somebody made immortal gets a window again.
    server.admin.persist("kabinet:shop:id:count:k")
    assert (await store.count("k", window=HOUR, by=0)).resets_in == HOUR
    assert (await store.count("k", window=HOUR)).number == 3
    assert 0 < server.admin.pttl("kabinet:shop:id:count:k") <= HOUR * 1_000


async def test_redis_ends_it_by_its_own_clock(server: RedisServer, make: Make) -> None:
    store = make(server.url)
    await store.open()
    assert await store.swap("k", None, b"short", lifetime=0.05)
    await store.count("k", window=0.05)
    wait_for(lambda: not server.admin.exists("kabinet:shop:id:value:k", "kabinet:shop:id:count:k"))
    assert await store.get("k") is None
    assert await store.count("k", window=HOUR, by=0) == Count(0, 0.0)
    assert await store.swap("k", None, b"new", lifetime=HOUR)


async def test_over_tls_by_a_socket_and_by_a_sentinel(make: Make, tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    authority.server("127.0.0.1")
    files = {f"tls_{name}_file": str(tmp_path / "server.pem") for name in ("cert", "key")}
    port = free_port()
    options = {"tls_port": str(port), "tls_auth_clients": "no", "tls_ca_cert_file": str(authority.file)}
    with RedisServer(**options, **files) as server, SentinelServer(server) as sentinel:
        for number, url in enumerate(
            (
                f"rediss://127.0.0.1:{port}?ssl_ca_certs={authority.file}",
                f"unix://{server.socket}",
                f"redis+sentinel://127.0.0.1:{sentinel.port}/shop",
            ),
            1,
        ):
            store = make(url)
            await store.open()
            assert (await store.count("k", window=HOUR)).number == number
            await store.close()
