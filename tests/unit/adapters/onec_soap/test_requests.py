"""What goes out: envelopes, headers, keys in one call or in many."""

import asyncio
from base64 import b64decode

import pytest
from lxml import etree

from bff.domain import CustomerId, ProductId
from bff.errors import BackOfficeError, IntegrityViolation, Upstream
from bff.plugins import Adapter
from tests.unit.adapters.fake_http import Answer
from tests.unit.adapters.onec_soap.asking import clients, echo, favorites, latest_orders, order, orders, profiles
from tests.unit.adapters.onec_soap.conftest import Make
from tests.unit.adapters.onec_soap.fake_1c import SOAP_12, Asked, FakeOneC, fault, result

pytestmark = pytest.mark.anyio


async def test_keys_go_where_the_mapping_says_with_the_constants_beside_them(
    server: FakeOneC, adapter: Adapter
) -> None:
    server.behaviour = echo
    await profiles(adapter, "c1", "c2", "c1")
    (asked,) = server.asked
    assert asked.operation.tag == "{urn:shop}GetClients"
    assert asked.texts("Id") == ["c1", "c2"]
    assert asked.texts("Archived") == ["false", "false"]


async def test_the_address_comes_from_the_settings_and_the_sign_in_is_utf_8(server: FakeOneC, adapter: Adapter) -> None:
    server.behaviour = echo
    await profiles(adapter, "c1")
    (asked,) = server.asked
    assert (asked.method, asked.target) == ("POST", "/shop/ws/shop.1cws")
    assert b64decode(asked.headers["authorization"].removeprefix("Basic ")).decode() == "кабинет:тайна"


async def test_cyrillic_soap_action_is_quoted_and_percent_encoded(server: FakeOneC, adapter: Adapter) -> None:
    server.script = [result("ПолучитьТовары", "<m:Product><m:Sku>p1</m:Sku><m:Name>Чайник</m:Name></m:Product>")]
    assert adapter.products is not None
    assert set(await adapter.products.products([ProductId("p1")])) == {"p1"}
    action = server.asked[0].headers["soapaction"]
    assert action.startswith('"urn:shop#Shop:%D0%9F')
    assert action.endswith('"')
    assert server.asked[0].headers["content-type"] == "text/xml; charset=utf-8"


async def test_soap_1_2_has_its_own_envelope_and_action(server: FakeOneC, make: Make) -> None:
    server.script = [result("Marked", "<m:List><m:Client>c1</m:Client><m:Items/></m:List>", soap=SOAP_12)]
    found = await favorites(make(soap="1.2"), "c1")
    assert set(found) == {"c1"}
    (asked,) = server.asked
    assert asked.headers["content-type"] == 'application/soap+xml; charset=utf-8; action="urn:shop#Shop:Marked"'
    assert "soapaction" not in asked.headers
    assert etree.fromstring(asked.body).tag == f"{{{SOAP_12}}}Envelope"


async def test_joined_keys_are_one_text(server: FakeOneC, adapter: Adapter) -> None:
    server.script = [result("LastOrders", '{"clients": []}')]
    await latest_orders(adapter, "c1", "c2", "c3;c4")
    assert server.asked[0].texts("Ids") == ["c1;c2"]
    assert server.asked[0].texts("Top") == ["1"]


async def test_single_makes_one_call_a_key(server: FakeOneC, adapter: Adapter) -> None:
    def answer(asked: Asked) -> Answer:
        return order() if asked.texts("Id") == ["o1"] else result("GetOrder", "")

    server.behaviour = answer
    found = await orders(adapter, "o1", "o2")
    assert sorted(asked.texts("Id") for asked in server.asked) == [["o1"], ["o2"]]
    assert set(found) == {"o1"}


async def test_promotions_are_asked_without_keys(server: FakeOneC, adapter: Adapter) -> None:
    server.script = [result("Offers", "<m:Offer><m:Id>a</m:Id><m:Title>Скидка</m:Title></m:Offer>")]
    assert adapter.promotions is not None
    offers = await adapter.promotions.promotions()
    assert [offer.title for offer in offers.offers] == ["Скидка"]


async def test_many_keys_are_split_into_calls_side_by_side(server: FakeOneC, make: Make) -> None:
    arrived = asyncio.Barrier(3)

    async def together(asked: Asked) -> Answer:
        await arrived.wait()
        return echo(asked)

    server.behaviour = together
    found = await profiles(make(batch=2), "a", "b", "c", "d", "e")
    assert set(found) == {"a", "b", "c", "d", "e"}
    assert sorted(len(asked.texts("Id")) for asked in server.asked) == [1, 2, 2]


async def test_one_failed_call_of_many_costs_its_own_keys(server: FakeOneC, make: Make) -> None:
    server.behaviour = lambda asked: fault("Нет места на диске") if "a" in asked.texts("Id") else echo(asked)
    found = await profiles(make(batch=1), "a", "b")
    error = found[CustomerId("a")]
    assert isinstance(error, Upstream)
    assert error.back_office == "erp"
    assert not isinstance(found[CustomerId("b")], BackOfficeError)


async def test_an_answer_with_the_customer_of_another_call_is_refused(server: FakeOneC, make: Make) -> None:
    server.behaviour = lambda _: clients("a")
    with pytest.raises(IntegrityViolation) as caught:
        await profiles(make(batch=1), "a", "b")
    assert caught.value.back_office == "erp"


async def test_what_nobody_asked_for_is_passed_on(server: FakeOneC, adapter: Adapter) -> None:
    server.script = [clients("c1", "stranger")]
    assert set(await profiles(adapter, "c1")) == {"c1", "stranger"}


@pytest.mark.parametrize("key", ["]]></x><y>", "a&b", "<!--", "\"'", "&#65;", "a\r\nb", "${x}", "c1;c2"])
async def test_injection_in_keys_stays_text(server: FakeOneC, adapter: Adapter, key: str) -> None:
    server.behaviour = lambda _: clients()
    assert await profiles(adapter, key) == {}
    (asked,) = server.asked
    assert asked.texts("Id") == [key]
    assert len(etree.fromstring(asked.body)[0]) == 1


@pytest.mark.parametrize("key", ["", "  ", "a\x00b", "a\x1bb", "\ud800", "\ufffe"])
async def test_a_key_that_xml_cannot_hold_is_unknown_and_is_not_sent(
    server: FakeOneC, adapter: Adapter, key: str
) -> None:
    server.behaviour = echo
    assert set(await profiles(adapter, key, "c1")) == {"c1"}
    assert server.asked[0].texts("Id") == ["c1"]
    assert await profiles(adapter, key) == {}
    assert len(server.asked) == 1


async def test_nothing_is_sent_for_no_keys(server: FakeOneC, adapter: Adapter) -> None:
    assert await profiles(adapter) == {}
    assert server.asked == []
