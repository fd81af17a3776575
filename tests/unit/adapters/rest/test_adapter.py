"""What the adapter sends, and what it makes of the answers."""

import asyncio
import logging
from contextlib import suppress

import pytest

from bff.domain import CustomerId, FavoriteList, ProductId
from bff.errors import (
    BackOfficeError,
    BadReply,
    Busy,
    IntegrityViolation,
    SignInRefused,
    TimedOut,
    TooLarge,
    Upstream,
)
from bff.plugins import Adapter
from bff.ports import Batch
from tests.patience import PATIENCE_SECONDS
from tests.unit.adapters.fake_http import Answer, Asked, FakeServer, as_json
from tests.unit.adapters.rest.conftest import Make

pytestmark = pytest.mark.anyio


def ids(*names: str) -> list[CustomerId]:
    return [CustomerId(name) for name in names]


def favorites_of(*customers: str) -> Answer:
    return as_json({"items": [{"customer_id": name, "products": [{"id": f"p-{name}"}]} for name in customers]})


def echo(asked: Asked) -> Answer:
    return favorites_of(*asked.all("customer_ids")[0].split(","))


async def favorites(adapter: Adapter, *customers: str) -> Batch[CustomerId, FavoriteList]:
    assert adapter.favorites is not None
    return await adapter.favorites.favorites(ids(*customers))


async def failure(adapter: Adapter, *customers: str) -> BackOfficeError:
    with pytest.raises(BackOfficeError) as caught:
        await favorites(adapter, *customers)
    return caught.value


async def test_it_serves_what_is_mapped(make: Make) -> None:
    assert make().ports == {"favorites", "products", "promotions", "profiles"}


async def test_a_batch_is_one_call_with_constants_and_the_token(server: FakeServer, make: Make) -> None:
    server.behaviour = echo
    found = await favorites(make(token="abc"), "c-1", "c-2", "c-1")
    assert found == {
        name: FavoriteList(customer=name, products=(ProductId(f"p-{name}"),)) for name in ids("c-1", "c-2")
    }
    assert [(asked.method, asked.path, asked.query) for asked in server.asked] == [
        ("GET", "/api/favorites", [("sort", "new"), ("customer_ids", "c-1,c-2")])
    ]
    assert server.asked[0].headers["authorization"] == "Bearer abc"


async def test_more_keys_than_a_batch_go_side_by_side_within_the_pool(server: FakeServer, make: Make) -> None:
    met = asyncio.Barrier(2)

    async def behaviour(asked: Asked) -> Answer:
        async with asyncio.timeout(PATIENCE_SECONDS):
            await met.wait()  # two are there at the same time, or this fails
        return echo(asked)

    server.behaviour = behaviour
    names = [f"c-{number}" for number in range(12)]
    found = await favorites(make(batch=2, pool=2), *names)
    assert list(found) == names
    assert len(server.asked) == 6
    assert server.most_in_flight == 2


async def test_waiting_for_the_pool_does_not_count_against_a_call(server: FakeServer, make: Make) -> None:
    async def behaviour(asked: Asked) -> Answer:
        await asyncio.sleep(0.5)
        return echo(asked)

    server.behaviour = behaviour

    async def is_in_time() -> bool:
        # For each call time enough, for all of them too little.
        with suppress(TimedOut):
            found = await favorites(make(batch=1, pool=1, timeout_ms=1_900), "c-1", "c-2", "c-3", "c-4")
            return not any(isinstance(value, BackOfficeError) for value in found.values())
        return False

    # A call may be late on a busy machine, but not each time.
    assert await is_in_time() or await is_in_time() or await is_in_time()


async def test_a_part_that_fails_costs_its_own_keys(server: FakeServer, make: Make) -> None:
    server.behaviour = lambda asked: echo(asked) if "c-1" in asked.all("customer_ids") else Answer(b"", 500)
    found = await favorites(make(batch=1), "c-1", "c-2")
    assert isinstance(found[CustomerId("c-1")], FavoriteList)
    assert isinstance(found[CustomerId("c-2")], Upstream)


async def test_parts_that_all_fail_are_one_error(server: FakeServer, make: Make) -> None:
    server.behaviour = lambda _: Answer(b"", 503, {"Retry-After": "7"})
    error = await failure(make(batch=1), "c-1", "c-2")
    assert isinstance(error, Busy)
    assert error.retry_after == 7


async def test_an_owner_that_was_not_asked_for_is_passed_on(server: FakeServer, make: Make) -> None:
    server.behaviour = lambda _: favorites_of("c-9")
    assert set(await favorites(make(), "c-1")) == {"c-9"}


async def test_an_owner_that_another_call_asked_for_is_a_mix_up(server: FakeServer, make: Make) -> None:
    server.behaviour = lambda _: favorites_of("c-1")
    assert isinstance(await failure(make(batch=1), "c-1", "c-2"), IntegrityViolation)


@pytest.mark.parametrize("key", ["c-1,c-2", "", "c-1\n", "c-1\0", "\ud800", "x" * 201])
async def test_a_key_that_cannot_be_sent_as_itself_is_unknown(server: FakeServer, make: Make, key: str) -> None:
    server.behaviour = echo
    adapter = make()
    assert await favorites(adapter, key) == {}
    assert server.asked == []
    assert set(await favorites(adapter, key, "c-3")) == {"c-3"}


async def test_a_key_stays_one_parameter(server: FakeServer, make: Make) -> None:
    server.behaviour = lambda _: as_json({"items": []})
    adapter = make()
    await favorites(adapter, "c-1&sort=old#x%2C", "клиент 7")
    assert server.asked[0].query == [("sort", "new"), ("customer_ids", "c-1&sort=old#x%2C,клиент 7")]
    assert adapter.products is not None
    await adapter.products.products([ProductId("a,b"), ProductId("c&d=e")])
    assert server.asked[1].query == [("ids[]", "a,b"), ("ids[]", "c&d=e")]


async def test_a_key_in_the_path_stays_one_segment(server: FakeServer, make: Make) -> None:
    server.behaviour = lambda _: as_json(None)
    adapter = make(pool=1)
    assert adapter.profiles is not None
    assert await adapter.profiles.profiles(ids("../../admin?x=1", "{key}", "..", ".", "Ид")) == {}
    assert sorted(asked.path for asked in server.asked) == [
        "/api/customers/%7Bkey%7D/profile",
        "/api/customers/%D0%98%D0%B4/profile",
        "/api/customers/..%2F..%2Fadmin%3Fx%3D1/profile",
    ]
    assert all(asked.query == [] for asked in server.asked)


async def test_one_key_a_call_and_a_status_for_unknown(server: FakeServer, make: Make) -> None:
    def behaviour(asked: Asked) -> Answer:
        name = asked.path.split("/")[3]
        return as_json({"id": name, "name": "Анна"}) if name != "c-2" else as_json({"error": "нет"}, 404)

    server.behaviour = behaviour
    adapter = make()
    assert adapter.profiles is not None
    assert set(await adapter.profiles.profiles(ids("c-1", "c-2", "c-3"))) == {"c-1", "c-3"}
    assert len(server.asked) == 3


async def test_a_product_with_a_bad_price_costs_itself(server: FakeServer, make: Make) -> None:
    server.behaviour = lambda _: Answer(
        b'{"items": [{"id": "p-1", "name": "A", "price": 0.10}, {"id": "p-2", "name": "B", "price": "many"}]}'
    )
    adapter = make()
    assert adapter.products is not None
    found = await adapter.products.products([ProductId("p-1"), ProductId("p-2")])
    assert isinstance(found[ProductId("p-2")], BadReply)
    assert "many" not in str(found[ProductId("p-2")])
    good = found[ProductId("p-1")]
    assert not isinstance(good, BackOfficeError)
    assert good.price is not None
    assert str(good.price.amount) == "0.10"


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (Answer(b'{"items": [{"customer_id": "c-1", "pro'), BadReply),
        (Answer(b'{"items": []}', cut=3), BadReply),
        (Answer(b'{"items": NaN}'), BadReply),
        (Answer(b'{"items": "none"}'), BadReply),
        (Answer(b'{"items": [{"customer_id": ["c-1"], "products": []}]}'), BadReply),
        (Answer(b'{"entries": []}'), BadReply),
        (Answer(b"<html>"), BadReply),
        (Answer(b"[" * 100_000), BadReply),
        (Answer(b"", 302, {"Location": "https://elsewhere.example"}), BadReply),
        (Answer(b"", 401), SignInRefused),
        (Answer(b"", 404), Upstream),
        (Answer(b'{"items": []}' + b" " * 2_000), TooLarge),
    ],
)
async def test_a_bad_answer_is_its_error(
    server: FakeServer, make: Make, answer: Answer, error: type[BackOfficeError]
) -> None:
    server.behaviour = lambda _: answer
    limit = 2_000 if error is TooLarge else 1_000_000
    assert isinstance(await failure(make(max_reply_bytes=limit), "c-1"), error)


async def test_a_large_answer_is_read_whole(server: FakeServer, make: Make) -> None:
    server.behaviour = lambda _: favorites_of(*(f"customer-{number}" for number in range(3_000)))
    assert len(await favorites(make(), "customer-1")) == 3_000


async def test_no_secret_and_no_body_in_errors_and_logs(
    server: FakeServer, make: Make, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    adapter = make(token="tok-en-77")
    for answer in (Answer(b"secret-body", 500), Answer(b"secret-body"), Answer(b"secret-body", 401), Answer(b"", 302)):
        server.behaviour = lambda _, answer=answer: answer  # type: ignore[misc]
        error = await failure(adapter, "cust-77")
        shown = f"{error!r} {error} {error.__cause__!r}"
        assert not any(secret in shown for secret in ("tok-en-77", "secret-body", "cust-77"))
    assert "tok-en-77" not in caplog.text
    assert "secret-body" not in caplog.text


async def test_cancelled_calls_leave_the_pool_usable(server: FakeServer, make: Make) -> None:
    arrived = asyncio.Semaphore(0)

    async def hang(_: Asked) -> Answer:
        arrived.release()
        await asyncio.Event().wait()
        raise AssertionError

    server.behaviour = hang
    adapter = make(pool=2, batch=1)
    for _ in range(3):
        task = asyncio.create_task(favorites(adapter, "c-1", "c-2", "c-3", "c-4"))
        await arrived.acquire()
        await arrived.acquire()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    server.behaviour = echo
    assert len(await favorites(adapter, "c-1", "c-2", "c-3")) == 3


async def test_check_asks_for_what_needs_no_key(server: FakeServer, make: Make) -> None:
    server.behaviour = lambda _: as_json({"items": [{"id": 1, "title": "Скидка"}, {"id": 2}]})
    assert await make().check() == "promotions answered with 1 offers, 1 of them unreadable"
    assert server.asked[0].path == "/api/promotions"


@pytest.mark.usefixtures("only_favorites")
async def test_check_asks_for_a_key_that_is_hardly_there(server: FakeServer, make: Make) -> None:
    server.behaviour = lambda _: as_json({"items": []})
    assert await make().check() == "favorites answered; it knows 0 of the one key 'kabinet-check'"
