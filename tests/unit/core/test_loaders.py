"""`Loaders`: one call for the keys of one turn, one request's time, and nobody left hanging."""

import asyncio
import gc
import math
import weakref
from collections.abc import Sequence
from datetime import datetime
from typing import Any, cast

import pytest

from bff.domain import CustomerId, OrderId, ProductId, Profile
from bff.errors import AdapterBroken, BackOfficeError, NotSupported, TimedOut, Unavailable, Unknown
from bff.loaders import QUIET_TURNS, Loaders, SectionLoader
from bff.sources import Answer, Sections, route
from tests.fakes.back_offices import (
    FakeBackOffice,
    favorites,
    now,
    offers,
    one_call_at_a_time,
    order,
    product,
    profile,
)
from tests.patience import PATIENCE_SECONDS

pytestmark = pytest.mark.anyio

ONE_CALL = {"erp": one_call_at_a_time()}
C1, C2, C3 = CustomerId("c-1"), CustomerId("c-2"), CustomerId("c-3")
P1, P2 = ProductId("p-1"), ProductId("p-2")


def loaders(office: FakeBackOffice, seconds: float = PATIENCE_SECONDS) -> Loaders:
    names = dict.fromkeys(("profile", "orders", "bonuses", "favorites", "products"), "erp")
    return Loaders(
        route(Sections(**names, offers=("erp",)), {"erp": office.adapter()}, now, settings=ONE_CALL), seconds
    )


def everyone(keys: Sequence[CustomerId]) -> Any:
    return {key: profile(key) for key in keys}


async def test_keys_of_one_turn_are_one_call_and_each_gets_its_own() -> None:
    office = FakeBackOffice(profiles=everyone)
    made = loaders(office)
    found = await asyncio.gather(*(made.profiles.load(key) for key in (C1, C2, C3)))
    assert [each.value.customer for each in found] == [C1, C2, C3]
    assert office.asked("profiles") == [[C1, C2, C3]]


async def test_a_key_is_asked_for_once_a_request() -> None:
    office = FakeBackOffice(profiles=everyone)
    made = loaders(office)
    await asyncio.gather(made.profiles.load(C1), made.profiles.load(C1))
    await made.profiles.load(C1)
    assert office.asked("profiles") == [[C1]]


async def test_another_request_asks_anew() -> None:
    office = FakeBackOffice(profiles=everyone)
    await loaders(office).profiles.load(C1)
    await loaders(office).profiles.load(C1)
    assert office.asked("profiles") == [[C1], [C1]]


async def test_they_and_their_answers_are_gone_with_the_request_and_not_when_the_garbage_is_collected() -> None:
    office = FakeBackOffice(profiles=everyone, latest_orders=dict.fromkeys)
    gc.disable()
    try:
        made = loaders(office)
        await asyncio.gather(made.profiles.load(C1), made.latest_orders.load(C1))
        left: list[weakref.ref[Any]] = [weakref.ref(made.profiles), weakref.ref(made.latest_orders)]
        del made
        await asyncio.sleep(0)
        assert [each() for each in left] == [None, None]
    finally:
        gc.enable()


async def test_batches_are_gone_with_the_request_too() -> None:
    office = FakeBackOffice(products={P1: product("p-1")})
    gc.disable()
    try:
        made = loaders(office)
        await made.products.load(P1)
        left = weakref.ref(made.products)
        del made
        await asyncio.sleep(0)
        assert left() is None
    finally:
        gc.enable()


async def test_who_asks_while_another_does_waits_for_that_and_asks_only_if_it_is_given_up() -> None:
    asked: list[CustomerId] = []
    go = asyncio.Event()

    async def reading(keys: Sequence[CustomerId], *, deadline: float) -> Any:
        asked.extend(keys)
        await go.wait()
        return {key: Answer(profile(key), now()) for key in keys}

    loader: SectionLoader[CustomerId, Profile] = SectionLoader(cast("Any", reading), math.inf)
    first, *others = (asyncio.create_task(loader.load(C1)) for _ in range(5))
    await asyncio.sleep(0)
    assert asked == [C1]
    first.cancel()
    await asyncio.wait([first])
    await asyncio.sleep(0)
    go.set()
    found = await asyncio.gather(*others)
    assert asked == [C1, C1]
    assert all(each is found[0] for each in found)


async def test_an_answer_in_another_order_is_matched_by_key() -> None:
    office = FakeBackOffice(profiles=lambda keys: {key: profile(key) for key in reversed(keys)})
    made = loaders(office)
    found = await asyncio.gather(*(made.profiles.load(key) for key in (C1, C2, C3)))
    assert [each.value.customer for each in found] == [C1, C2, C3]


async def test_one_keys_error_is_raised_for_that_key_alone() -> None:
    office = FakeBackOffice(profiles={C1: profile(C1), C2: Unavailable("away")})
    made = loaders(office)
    first, second, third = await asyncio.gather(
        *(made.profiles.load(key) for key in (C1, C2, C3)), return_exceptions=True
    )
    assert not isinstance(first, BaseException)
    assert isinstance(second, Unavailable)
    assert isinstance(third, Unknown)


async def test_a_failure_is_remembered_for_the_request() -> None:
    office = FakeBackOffice(profiles=Unavailable("away"))
    made = loaders(office)
    for _ in range(2):
        with pytest.raises(Unavailable):
            await made.profiles.load(C1)
    assert office.asked("profiles") == [[C1]]


async def test_products_wait_for_an_order_too_that_is_asked_for_a_moment_later() -> None:
    go = asyncio.Event()

    async def answer(keys: Sequence[CustomerId]) -> Any:
        await go.wait()
        return {key: order(key, products=["p-2"]) for key in keys}

    office = FakeBackOffice(latest_orders=answer, products=lambda keys: {key: product(key) for key in keys})
    made = loaders(office)
    made.expect_products(made.latest_orders)
    first = asyncio.create_task(made.products.load(P1))
    await asyncio.sleep(0)
    await asyncio.sleep(0)

    async def product_of_the_order() -> None:
        await made.latest_orders.load(C1)
        await made.products.load(P2)

    second = asyncio.create_task(product_of_the_order())
    while not office.asked("latest_orders"):  # noqa: ASYNC110 (nobody else could say so)
        await asyncio.sleep(0)
    for _ in range(2 * QUIET_TURNS):
        await asyncio.sleep(0)
    go.set()
    await asyncio.gather(first, second)
    assert office.asked("products") == [[P1, P2]]


async def test_many_keys_at_once_each_with_its_answer_or_error() -> None:
    office = FakeBackOffice(products={ProductId("p-1"): product("p-1")})
    found = await loaders(office).products.load_each([ProductId("p-1"), ProductId("p-2"), ProductId("p-1")])
    assert list(found) == ["p-1", "p-2"]
    assert not isinstance(found[ProductId("p-1")], BackOfficeError)
    assert isinstance(found[ProductId("p-2")], Unknown)
    assert office.asked("products") == [["p-1", "p-2"]]


async def test_no_keys_are_no_call() -> None:
    office = FakeBackOffice()
    assert await loaders(office).products.load_each([]) == {}
    assert office.calls == []


async def test_what_is_slower_than_the_request_is_a_timeout_for_all_who_wait() -> None:
    office = FakeBackOffice(profiles=lambda _: asyncio.Event().wait())
    made = loaders(office, 0.03)
    found = await asyncio.gather(made.profiles.load(C1), made.profiles.load(C2), return_exceptions=True)
    assert [type(each) for each in found] == [TimedOut, TimedOut]


async def test_no_call_is_made_when_the_time_is_up() -> None:
    office = FakeBackOffice(profiles=everyone)
    with pytest.raises(TimedOut, match="before the call"):
        await loaders(office, 0.0).profiles.load(C1)
    assert office.calls == []


async def test_no_batch_is_made_when_the_time_is_up() -> None:
    office = FakeBackOffice(products={P1: product("p-1")})
    with pytest.raises(TimedOut, match="before the call"):
        await loaders(office, 0.0).products.load(P1)
    assert office.calls == []


async def test_a_field_that_is_given_up_does_not_hurt_another() -> None:
    asked, go = asyncio.Event(), asyncio.Event()

    async def answer(keys: Sequence[CustomerId]) -> Any:
        asked.set()
        await go.wait()
        return everyone(keys)

    office = FakeBackOffice(profiles=answer)
    made = loaders(office)
    given_up = asyncio.create_task(made.profiles.load(C1))
    waiting = asyncio.create_task(made.profiles.load(C1))
    await asked.wait()
    given_up.cancel()
    await asyncio.wait([given_up])
    go.set()
    assert given_up.cancelled()
    assert (await waiting).value.customer == C1
    assert (await made.profiles.load(C1)).value.customer == C1
    assert office.asked("profiles") == [[C1]]


async def test_a_field_that_is_given_up_does_not_hurt_those_in_its_batch() -> None:
    asked, go = asyncio.Event(), asyncio.Event()

    async def answer(keys: Sequence[ProductId]) -> Any:
        asked.set()
        await go.wait()
        return {key: product(key) for key in keys}

    office = FakeBackOffice(products=answer)
    made = loaders(office)
    given_up = asyncio.create_task(made.products.load(P1))
    many_given_up = asyncio.create_task(made.products.load_each([P1, P2]))
    waiting = asyncio.create_task(made.products.load(P1))
    many = asyncio.create_task(made.products.load_each([P1, P2]))
    await asked.wait()
    for each in (given_up, many_given_up):
        each.cancel()
        await asyncio.wait([each])
    go.set()
    assert given_up.cancelled()
    assert many_given_up.cancelled()
    assert (await waiting).value.id == P1
    assert list(await many) == [P1, P2]
    assert (await made.products.load(P1)).value.id == P1
    assert office.asked("products") == [[P1, P2]]


async def test_an_adapter_that_lets_a_cancellation_out_leaves_nobody_hanging() -> None:
    office = FakeBackOffice(profiles=asyncio.CancelledError())
    made = loaders(office)
    async with asyncio.timeout(PATIENCE_SECONDS):
        found = await asyncio.gather(made.profiles.load(C1), made.profiles.load(C2), return_exceptions=True)
    assert [type(each) for each in found] == [AdapterBroken, AdapterBroken]


async def test_a_defect_of_the_road_itself_leaves_nobody_hanging() -> None:
    def broken_clock() -> datetime:
        raise SystemError

    office = FakeBackOffice(profiles=everyone)
    made = Loaders(
        route(Sections(profile="erp"), {"erp": office.adapter()}, broken_clock, settings=ONE_CALL), PATIENCE_SECONDS
    )
    async with asyncio.timeout(PATIENCE_SECONDS):
        with pytest.raises(BackOfficeError):
            await made.profiles.load(C1)


async def test_a_service_that_stops_in_the_middle_leaves_nobody_hanging() -> None:
    office = FakeBackOffice(profiles=lambda _: asyncio.Event().wait())
    sources = route(Sections(profile="erp"), {"erp": office.adapter()}, now, settings=ONE_CALL)
    waiting = asyncio.create_task(Loaders(sources, PATIENCE_SECONDS).profiles.load(C1))
    while not office.calls:  # noqa: ASYNC110 (nobody else could say so)
        await asyncio.sleep(0)
    await sources.close()
    async with asyncio.timeout(PATIENCE_SECONDS):
        with pytest.raises(Unavailable):
            await waiting


async def test_every_section_has_its_loader() -> None:
    office = FakeBackOffice(
        latest_orders={C1: None},
        orders={OrderId("o-1"): order("c-1")},
        favorites={C1: favorites("c-1")},
        promotions=offers("a"),
        personal_offers={C1: offers("b", customer="c-1")},
    )
    made = loaders(office)
    assert (await made.latest_orders.load(C1)).value is None
    assert (await made.orders.load(OrderId("o-1"))).value.customer == "c-1"
    assert (await made.favorites.load(C1)).value.products == ()
    (source,) = made.offers
    personal, everybodys = await asyncio.gather(*source.loads(C1))
    assert (personal.value.customer, everybodys.value.customer) == ("c-1", None)


async def test_a_section_that_is_switched_off_is_not_supported() -> None:
    made = Loaders(route(Sections(), {}, now), 1)
    for name in (
        "profiles",
        "latest_orders",
        "orders",
        "bonus_accounts",
        "pending_bonuses",
        "bonus_expirations",
        "favorites",
        "products",
        "offers",
    ):
        with pytest.raises(NotSupported):
            getattr(made, name)
