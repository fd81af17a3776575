"""Personal discounts as offers."""

from typing import Any

import pytest

from bff.domain import CustomerId, OfferKind, OfferList
from bff.errors import BadReply
from bff.plugins import Adapter
from bff.ports import Batch
from tests.unit.adapters.fake_http import Answer, Asked, FakeServer
from tests.unit.adapters.retailcrm.conftest import Make
from tests.unit.adapters.retailcrm.crm import page

pytestmark = pytest.mark.anyio


def customers(*items: dict[str, Any]) -> Answer:
    return page("customers", items)


async def ask(adapter: Adapter, *names: str) -> Batch[CustomerId, OfferList]:
    assert adapter.personal_offers is not None
    return await adapter.personal_offers.personal_offers([CustomerId(name) for name in names])


async def test_a_discount_is_an_offer(server: FakeServer, make: Make) -> None:
    server.behaviour = lambda _: customers(
        {"externalId": "c-1", "personalDiscount": 7},
        {"externalId": "c-2", "personalDiscount": 0},
        {"externalId": "c-3", "personalDiscount": 2.50},
        {"externalId": "c-4"},
    )
    found = await ask(make(), "c-1", "c-2", "c-3", "c-4", "c-5", "")
    assert list(found) == ["c-1", "c-2", "c-3", "c-4"]
    first = found[CustomerId("c-1")]
    assert isinstance(first, OfferList)
    (offer,) = first.offers
    assert (offer.id, offer.kind, offer.title) == (
        "personal-discount",
        OfferKind.PERSONAL,
        "Персональная скидка 7 %",
    )
    assert offer.description
    assert found[CustomerId("c-2")] == OfferList(customer=CustomerId("c-2"))
    assert found[CustomerId("c-4")] == OfferList(customer=CustomerId("c-4"))
    third = found[CustomerId("c-3")]
    assert isinstance(third, OfferList)
    assert third.offers[0].title == "Персональная скидка 2,5 %"
    (asked,) = server.asked
    assert asked.path == "/api/v5/customers"
    assert asked.all("filter[externalIds][]") == ["c-1", "c-2", "c-3", "c-4", "c-5"]


async def test_batches(server: FakeServer, make: Make) -> None:
    def behaviour(asked: Asked) -> Answer:
        return customers(*({"externalId": name, "personalDiscount": 1} for name in asked.all("filter[externalIds][]")))

    server.behaviour = behaviour
    names = [f"c-{number}" for number in range(250)]
    assert list(await ask(make(), *names)) == names
    assert sorted(len(asked.all("filter[externalIds][]")) for asked in server.asked) == [50, 100, 100]


async def test_a_stranger_is_passed_on(server: FakeServer, make: Make) -> None:
    server.behaviour = lambda _: customers({"externalId": "c-9", "personalDiscount": 50})
    assert list(await ask(make(), "c-1")) == ["c-9"]


@pytest.mark.parametrize("discount", [-1, 101, "7", True, [7]])
async def test_a_discount_that_is_none_costs_its_customer(server: FakeServer, make: Make, discount: object) -> None:
    server.behaviour = lambda _: customers(
        {"externalId": "c-1", "personalDiscount": discount}, {"externalId": "c-2", "personalDiscount": 5}
    )
    found = await ask(make(), "c-1", "c-2")
    assert isinstance(found[CustomerId("c-1")], BadReply)
    assert isinstance(found[CustomerId("c-2")], OfferList)


async def test_one_external_id_in_two_shops(server: FakeServer, make: Make) -> None:
    same = {"externalId": "c-1", "personalDiscount": 5}
    server.behaviour = lambda _: customers(same, same)
    assert isinstance((await ask(make(), "c-1"))[CustomerId("c-1")], OfferList)
    server.behaviour = lambda _: customers(same, {**same, "personalDiscount": 6})
    error = (await ask(make(), "c-1"))[CustomerId("c-1")]
    assert isinstance(error, BadReply)
    assert "site" in str(error)


async def test_a_customer_without_a_name_is_refused(server: FakeServer, make: Make) -> None:
    server.behaviour = lambda _: customers({"id": 5, "personalDiscount": 5})
    with pytest.raises(BadReply):
        await ask(make(), "c-1")
