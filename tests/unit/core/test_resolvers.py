"""Resolvers: whose data, what a part that fails costs, and what is not asked for at all."""

from decimal import Decimal
from typing import Any

import pytest

from bff.domain import BonusAccount, BonusExpirations, BonusLot, CustomerId, OrderId, PendingBonuses, ProductId
from bff.errors import (
    BadReply,
    BadUserInput,
    IntegrityViolation,
    NotFound,
    NotSupported,
    TimedOut,
    Unauthenticated,
    Unavailable,
    Unknown,
)
from bff.identity import Principal
from bff.loaders import Loaders
from bff.resolvers.bonuses import bonuses
from bff.resolvers.context import Context
from bff.resolvers.favorites import favorites as favorite_page
from bff.resolvers.offers import offers as offer_page
from bff.resolvers.orders import last_order, order
from bff.resolvers.products import product as one_product
from bff.resolvers.profile import profile as own_profile
from bff.sources import Sections, route
from tests.fakes.back_offices import (
    NOW,
    FakeBackOffice,
    account,
    favorites,
    now,
    offers,
    one_call_at_a_time,
    product,
    profile,
)
from tests.fakes.back_offices import order as made_order
from tests.patience import PATIENCE_SECONDS

pytestmark = pytest.mark.anyio

PATH: list[str | int] = ["dashboard", "section"]
C1 = CustomerId("c-1")
TODAY = NOW.date()


def asking(
    *offices: FakeBackOffice, guest: bool = False, adapters: dict[str, Any] | None = None, **sections: Any
) -> Context:
    """A request of c-1; the first back office serves every section, and all of them offers."""
    named = adapters or {f"b{number}": office.adapter() for number, office in enumerate(offices)}
    every = dict.fromkeys(("profile", "orders", "bonuses", "favorites", "products"), next(iter(named)))
    settings = {name: one_call_at_a_time() for name in named}
    sources = route(Sections(**{**every, "offers": tuple(named), **sections}), named, now, settings=settings)
    return Context(None if guest else Principal(C1), Loaders(sources, PATIENCE_SECONDS))


def told(context: Context) -> list[type[Exception]]:
    assert all(notice.path == PATH for notice in context.notices)
    return [type(notice.error) for notice in context.notices]


async def test_a_guest_gets_nothing_and_no_back_office_hears_of_it() -> None:
    office = FakeBackOffice()
    context = asking(office, guest=True)
    for wait in (
        own_profile(context),
        last_order(context),
        order(context, OrderId("o-1")),
        bonuses(context, set()),
        favorite_page(context, PATH, first=1, after=None),
        offer_page(context, PATH, first=1, after=None),
    ):
        with pytest.raises(Unauthenticated):
            await wait
    assert office.calls == []


async def test_a_profile_is_the_askers_own() -> None:
    office = FakeBackOffice(profiles={C1: profile("c-1")})
    assert (await own_profile(asking(office))).value == profile("c-1")
    assert office.asked("profiles") == [["c-1"]]


async def test_who_has_never_ordered_has_no_last_order() -> None:
    assert await last_order(asking(FakeBackOffice(latest_orders={C1: None}))) is None
    found = await last_order(asking(FakeBackOffice(latest_orders={C1: made_order("c-1")})))
    assert found is not None
    assert found.value.id == "o-1"


@pytest.mark.parametrize(
    "reply",
    [
        {},
        {OrderId("o-1"): made_order("c-2", "o-1")},
        {OrderId("o-1"): made_order("c-1", "o-2")},
        {OrderId("o-1"): made_order("C-1", "o-1")},
        {OrderId("o-1"): made_order("", "o-1")},
        {OrderId("o-2"): made_order("c-1", "o-2")},
        {OrderId("o-1"): Unknown("no such order")},
    ],
    ids=["none", "another's", "another order", "almost the name", "nobody's", "not asked for", "said to be unknown"],
)
async def test_an_order_that_is_not_the_askers_is_like_none(reply: Any) -> None:
    with pytest.raises(NotFound, match=r"^there is no such order$"):
        await order(asking(FakeBackOffice(orders=reply)), OrderId("o-1"))


async def test_a_back_office_that_is_away_is_not_an_order_that_is_absent() -> None:
    with pytest.raises(Unavailable):
        await order(asking(FakeBackOffice(orders=Unavailable("away"))), OrderId("o-1"))


async def test_a_product_by_id() -> None:
    office = FakeBackOffice(products={ProductId("p-1"): product("p-1")})
    assert await one_product(asking(office), ProductId("p-1")) == product("p-1")


async def test_where_there_is_no_catalogue_a_product_is_nothing_and_no_error() -> None:
    office = FakeBackOffice()
    without = {"shop": office.adapter("orders")}
    context = asking(
        adapters=without, profile=None, bonuses=None, favorites=None, products=None, offers=(), orders="shop"
    )
    assert await one_product(context, ProductId("p-1")) is None
    assert office.calls == []


async def test_a_part_of_an_account_that_nobody_can_tell_is_not_invented() -> None:
    office = FakeBackOffice(bonus_accounts={C1: account("c-1")})
    context = asking(
        adapters={"shop": office.adapter("bonuses")},
        profile=None,
        orders=None,
        favorites=None,
        products=None,
        offers=(),
    )
    for part in ("pending", "lots"):
        with pytest.raises(NotSupported):
            await bonuses(context, {part})
    assert await bonuses(context, set()) is not None, "what can be told is told"


LOTS = (BonusLot(amount=Decimal(5), expires_on=TODAY),)
DETAILS = {
    "pending_bonuses": {C1: PendingBonuses(customer=C1, amount=Decimal(7))},
    "bonus_expirations": {C1: BonusExpirations(customer=C1, lots=LOTS)},
}


async def parts(office: FakeBackOffice, *wanted: str) -> BonusAccount:
    found = await bonuses(asking(office), set(wanted))
    assert found is not None
    return found.value


async def test_who_is_not_in_the_programme_has_no_account() -> None:
    assert await bonuses(asking(FakeBackOffice(bonus_accounts={C1: None})), {"pending"}) is None


async def test_parts_of_an_account_are_asked_for_only_where_they_are_wanted_and_missing() -> None:
    office = FakeBackOffice(bonus_accounts={C1: account("c-1")}, **DETAILS)
    plain = await parts(office)
    assert (plain.pending, plain.lots) == (None, None)
    assert len(office.calls) == 1

    full = await parts(office, "pending", "lots")
    assert (full.balance, full.pending, full.lots) == (Decimal(100), Decimal(7), LOTS)
    assert len(office.calls) == 4

    complete = FakeBackOffice(bonus_accounts={C1: account("c-1", pending=Decimal(0), lots=())})
    whole = await parts(complete, "pending", "lots")
    assert (whole.pending, whole.lots) == (Decimal(0), ())
    assert len(complete.calls) == 1


async def test_a_part_that_cannot_be_had_is_never_shown_as_nothing() -> None:
    office = FakeBackOffice(
        bonus_accounts={C1: account("c-1")}, **{**DETAILS, "pending_bonuses": TimedOut("slow")}
    )  # fmt: skip
    with pytest.raises(TimedOut):
        await bonuses(asking(office), {"pending", "lots"})
    bare = {"b0": FakeBackOffice(bonus_accounts={C1: account("c-1")}).adapter("bonuses")}
    off: dict[str, Any] = dict.fromkeys(("profile", "orders", "favorites", "products"))
    with pytest.raises(NotSupported):
        await bonuses(asking(adapters=bare, **off, offers=()), {"pending"})


async def test_parts_of_another_customers_account_are_refused() -> None:
    foreign = {"pending_bonuses": {C1: PendingBonuses(customer=CustomerId("c-2"), amount=Decimal(7))}}
    with pytest.raises(IntegrityViolation):
        await bonuses(asking(FakeBackOffice(bonus_accounts={C1: account("c-1")}, **foreign)), {"pending"})


def known(*ids: str) -> dict[ProductId, Any]:
    return {ProductId(each): product(each) for each in ids}


async def test_favorites_come_in_their_order_with_one_call_for_products() -> None:
    office = FakeBackOffice(favorites={C1: favorites("c-1", "p-3", "p-1", "p-2")}, products=known("p-1", "p-2", "p-3"))
    context = asking(office)
    got = await favorite_page(context, PATH, first=2, after=None)
    assert [item.id for _, item in got.value.products] == ["p-3", "p-1"]
    assert (got.value.page.total, got.value.page.has_next) == (3, True)
    assert office.asked("products") == [["p-3", "p-1"]]
    assert told(context) == []


async def test_a_favorite_that_cannot_be_had_costs_only_itself() -> None:
    products = {**known("p-1"), ProductId("p-2"): Unavailable("away")}
    context = asking(FakeBackOffice(favorites={C1: favorites("c-1", "p-1", "p-2", "p-3")}, products=products))
    got = await favorite_page(context, PATH, first=12, after=None)
    assert [item.id for _, item in got.value.products] == ["p-1"]
    assert got.value.page.total == 3
    assert told(context) == [Unavailable, Unknown]


async def test_one_kind_of_loss_is_told_once() -> None:
    context = asking(FakeBackOffice(favorites={C1: favorites("c-1", "p-1", "p-2", "p-3")}, products=known("p-2")))
    await favorite_page(context, PATH, first=12, after=None)
    assert told(context) == [Unknown]


async def test_where_no_favorite_can_be_had_that_is_the_sections_error() -> None:
    office = FakeBackOffice(favorites={C1: favorites("c-1", "p-1", "p-2")}, products=Unavailable("away"))
    with pytest.raises(Unavailable):
        await favorite_page(asking(office), PATH, first=12, after=None)


async def test_an_empty_page_of_favorites_asks_for_no_products() -> None:
    office = FakeBackOffice(favorites={C1: favorites("c-1", rejected=2)})
    context = asking(office)
    assert (await favorite_page(context, PATH, first=12, after=None)).value.products == ()
    assert told(context) == [BadReply]
    assert office.asked("products") == []
    with pytest.raises(BadUserInput):
        await favorite_page(context, PATH, first=12, after="nonsense")


async def test_personal_offers_come_first_back_office_by_back_office() -> None:
    one = FakeBackOffice(promotions=offers("a", "b"), personal_offers={C1: offers("c", customer="c-1")})
    two = FakeBackOffice(promotions=offers("a"), personal_offers={C1: offers(customer="c-1")})
    context = asking(one, two)
    got = await offer_page(context, PATH, first=12, after=None)
    assert [(each.back_office, each.offer.id) for _, each in got.page.items] == [
        ("b0", "c"),
        ("b0", "a"),
        ("b0", "b"),
        ("b1", "a"),
    ]
    assert (got.as_of, got.stale, told(context)) == (NOW, False, [])


async def test_a_back_office_that_fails_costs_only_its_offers() -> None:
    one = FakeBackOffice(promotions=TimedOut("slow"), personal_offers={C1: offers("c", customer="c-1", rejected=1)})
    two = FakeBackOffice(promotions=offers("a"), personal_offers={})
    context = asking(one, two)
    got = await offer_page(context, PATH, first=12, after=None)
    assert [each.offer.id for _, each in got.page.items] == ["c", "a"]
    assert set(told(context)) == {BadReply, TimedOut, Unknown}


async def test_where_all_offers_fail_that_is_the_sections_error() -> None:
    context = asking(FakeBackOffice(promotions=TimedOut("slow"), personal_offers=TimedOut("slow")))
    with pytest.raises(TimedOut):
        await offer_page(context, PATH, first=12, after=None)
    assert told(context) == []


async def test_another_customers_personal_offers_are_refused() -> None:
    office = FakeBackOffice(promotions=offers("a"), personal_offers={C1: offers("c", customer="c-2")})
    context = asking(office)
    got = await offer_page(context, PATH, first=12, after=None)
    assert [each.offer.id for _, each in got.page.items] == ["a"]
    assert told(context) == [IntegrityViolation]


async def test_pages_of_offers_end_even_where_an_id_stands_in_both_lists() -> None:
    office = FakeBackOffice(promotions=offers("a", "b"), personal_offers={C1: offers("b", "a", customer="c-1")})
    found: list[str] = []
    after, more = None, True
    while more:
        got = await offer_page(asking(office), PATH, first=1, after=after)
        ((after, each),) = got.page.items
        found.append(each.offer.id)
        more = got.page.has_next and len(found) < 9
    assert found == ["b", "a", "a", "b"]
