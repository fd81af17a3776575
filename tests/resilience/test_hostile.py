"""Each hostile answer is what its name says, as a plain client sees it."""

import gc
import json
import socket
from contextlib import suppress
from urllib.request import urlopen

import pytest
from lxml import etree

from bff.demo.launch import DemoOffice, DemoOffices
from tests.patience import until
from tests.resilience.documents import DEMO_SHAPES, Dialect
from tests.resilience.hostile import HostileOffice, applies
from tests.resilience.hostile_documents import DEPTH
from tests.resilience.hostilities import CANARY, STRANGER, WAYS, Hostility
from tests.resilience.plain_client import CUSTOMERS, ask, connected, request
from tests.resilience.traps import SECRET

WITHOUT_ORDERS = "c-1002"


def erp_records(body: bytes) -> list[dict[str, str | None]]:
    records = etree.fromstring(body).iter("{http://shop.example/cabinet}Клиент")
    return [{etree.QName(field).localname: field.text for field in record.iterchildren("{*}*")} for record in records]


def ids(name: str, body: bytes) -> list[str | None]:
    if name == "erp":
        return [record["Ид"] for record in erp_records(body)]
    items = json.loads(body)["customers" if name == "loyalty" else "items"]
    return [item["externalId" if name == "loyalty" else "customer_id"] for item in items]


def test_every_name_has_a_way() -> None:
    assert set(WAYS) == set(Hostility)


@pytest.mark.parametrize("name", ["erp", "loyalty", "cms"])
def test_healthy_it_passes_everything_and_counts(
    name: str, bad: dict[str, HostileOffice], offices: DemoOffices
) -> None:
    healthy: DemoOffice = getattr(offices, name)
    healthy.reset()
    status, _, body = ask(bad[name], request(name))
    assert (status, ids(name, body)) == (200, list(CUSTOMERS))
    assert bad[name].calls == healthy.calls()
    assert not bad[name].spoilt


@pytest.mark.parametrize("name", ["erp", "loyalty", "cms"])
@pytest.mark.parametrize(
    ("hostility", "expected"),
    [
        (Hostility.WRONG_OWNER, [STRANGER, "c-1002"]),
        (Hostility.STRANGER_BESIDE, [*CUSTOMERS, STRANGER]),
        (Hostility.DUPLICATE, [*CUSTOMERS, "c-1001"]),
        (Hostility.DUPLICATE_DIFFERENT, [*CUSTOMERS, "c-1001"]),
        (Hostility.MISSING_KEY, ["c-1002"]),
        (Hostility.REVERSED, ["c-1002", "c-1001"]),
        (Hostility.UNKNOWN_FIELDS, list(CUSTOMERS)),
        (Hostility.BOM, list(CUSTOMERS)),
    ],
)
def test_whose_records_come(
    name: str, hostility: Hostility, expected: list[str], bad: dict[str, HostileOffice]
) -> None:
    bad[name].set(hostility)
    status, _, body = ask(bad[name], request(name))
    assert status == 200
    assert body.startswith(b"\xef\xbb\xbf") == (hostility is Hostility.BOM)
    assert ids(name, body.removeprefix(b"\xef\xbb\xbf")) == expected
    assert sum(bad[name].spoilt.values()) == 1
    bad[name].heal()
    assert ids(name, ask(bad[name], request(name))[2]) == list(CUSTOMERS)


def test_a_customer_without_orders_has_none_that_could_be_a_strangers(bad: dict[str, HostileOffice]) -> None:
    operation, customer = "ПолучитьПоследниеЗаказы", WITHOUT_ORDERS
    sent = request("erp", operation, customers=(customer,))
    whole = ask(bad["erp"], sent)[2].decode()
    assert "<m:Заказ>" not in whole
    for hostility in (Hostility.WRONG_INNER_OWNER, Hostility.TEXT_FOR_NUMBER):
        bad["erp"].set(hostility, operation=operation)
        assert CANARY not in ask(bad["erp"], sent)[2].decode()
    bad["erp"].set(Hostility.STRANGER_BESIDE, operation=operation)
    body = ask(bad["erp"], sent)[2].decode()
    assert f"<m:Ид>{customer}<" in body
    assert f"<m:Ид>{STRANGER}<" in body


def test_a_call_whose_client_has_left_goes_on_to_its_end(bad: dict[str, HostileOffice], offices: DemoOffices) -> None:
    bad["cms"].set(Hostility.HTML_200)
    offices.cms.faults(latency_ms=300)
    try:
        with connected(bad["cms"]) as client:
            client.sendall(request("cms"))
            until(lambda: bad["cms"].calls["favorites"])
        gc.collect()
        until(lambda: bad["cms"].spoilt["favorites"], "its task was lost")
    finally:
        offices.cms.faults()


@pytest.mark.parametrize(
    ("hostility", "in_xml", "in_json"),
    [
        (Hostility.TEXT_FOR_NUMBER, CANARY, f'"personalDiscount": "{CANARY}"'),
        (Hostility.NAN, ">NaN<", '"personalDiscount": NaN'),
        (Hostility.DECIMAL_COMMA, ">10,5<", '"personalDiscount": "10,5"'),
        (Hostility.HUGE_NUMBER, "9" * 4_000, '"personalDiscount": ' + "9" * 4_000),
        (Hostility.LIST_FOR_VALUE, "</m:ДатаРождения><m:ДатаРождения", '"personalDiscount": ['),
        (Hostility.NULL_FOR_REQUIRED, 'Ид xsi:nil="true"/>', '"externalId": null'),
    ],
)
def test_what_stands_in_a_record(
    hostility: Hostility, in_xml: str, in_json: str, bad: dict[str, HostileOffice]
) -> None:
    for name, expected in (("erp", in_xml), ("loyalty", in_json)):
        bad[name].set(hostility)
        assert expected in ask(bad[name], request(name))[2].decode()


def test_an_order_may_name_another_customer_than_its_record(bad: dict[str, HostileOffice]) -> None:
    operation = "ПолучитьПоследниеЗаказы"
    bad["erp"].set(Hostility.WRONG_INNER_OWNER, operation=operation)
    _, _, body = ask(bad["erp"], request("erp", operation))
    assert "<m:Ид>c-1001</m:Ид><m:Заказы>" in body.decode()
    assert f"<m:ИдКлиента>{STRANGER}<" in body.decode()


def test_json_has_its_own(bad: dict[str, HostileOffice]) -> None:
    bad["cms"].set(Hostility.LONE_OBJECT)
    assert json.loads(ask(bad["cms"], request("cms"))[2])["items"]["customer_id"] == "c-1001"
    bad["cms"].set(Hostility.DUPLICATE_MEMBERS)
    assert f'"customer_id": "c-1001", "customer_id": "{STRANGER}"' in ask(bad["cms"], request("cms"))[2].decode()


@pytest.mark.parametrize(
    ("hostility", "status"),
    [
        (Hostility.EMPTY_BODY, 200),
        (Hostility.OTHER_DOCUMENT, 200),
        (Hostility.HTML_200, 200),
        (Hostility.TECHNICAL_FAULT_200, 200),
        (Hostility.TECHNICAL_FAULT_500, 500),
        (Hostility.BUSINESS_FAULT, 500),
        (Hostility.HTML_502, 502),
        (Hostility.BUSY_503, 503),
        (Hostility.BUSY_429, 429),
        (Hostility.REFUSED_401, 401),
        (Hostility.REFUSED_403, 403),
        (Hostility.SESSION_400, 400),
        (Hostility.SESSION_406, 406),
        (Hostility.REDIRECT, 307),
    ],
)
def test_statuses(hostility: Hostility, status: int, bad: dict[str, HostileOffice], offices: DemoOffices) -> None:
    offices.erp.reset()
    bad["erp"].set(hostility, times=1)
    found, headers, body = ask(bad["erp"], request("erp"))
    assert found == status
    assert (headers.get("retry-after") == "1") == (status in {429, 503})
    assert bool(body) == (hostility is not Hostility.EMPTY_BODY)
    # Refusals come before anything has happened.
    assert sum(offices.erp.calls().values()) == WAYS[hostility].asks
    # It was ordered once.
    assert ask(bad["erp"], request("erp"))[0] == 200


def test_redirects_and_entities_lead_into_traps(bad: dict[str, HostileOffice]) -> None:
    traps = bad["erp"].traps
    bad["erp"].set(Hostility.REDIRECT)
    target = ask(bad["erp"], request("erp"))[1]["location"]
    assert target.startswith(traps.address)
    assert not traps.visits
    with urlopen(target) as answer:  # noqa: S310 - our own trap
        assert answer.read().decode() == SECRET
    assert [visit.bears_credentials for visit in traps.visits] == [False]
    host, _, port = traps.address.rpartition("/")[2].partition(":")
    with socket.create_connection((host, int(port))) as client:
        client.sendall(request("erp"))
        assert client.recv(100)
    assert [visit.bears_credentials for visit in traps.visits] == [False, True]


def test_a_parser_that_fetches_entities_is_seen(bad: dict[str, HostileOffice]) -> None:
    bad["erp"].set(Hostility.ENTITY_FILE)
    _, _, body = ask(bad["erp"], request("erp"))
    assert bad["erp"].traps.file_reads == 0
    careless = etree.XMLParser(resolve_entities=True, load_dtd=True, no_network=False)
    with suppress(etree.XMLSyntaxError):  # the parameter entity is no DTD
        etree.fromstring(body, careless)
    assert bad["erp"].traps.file_reads >= 1
    bad["erp"].set(Hostility.ENTITY_HTTP)
    assert f'SYSTEM "{bad["erp"].traps.address}/entity"' in ask(bad["erp"], request("erp"))[2].decode()


def test_a_document_type(bad: dict[str, HostileOffice]) -> None:
    bad["erp"].set(Hostility.DTD)
    root = etree.fromstring(ask(bad["erp"], request("erp"))[2])
    assert root.getroottree().docinfo.internalDTD is not None
    assert root.findtext(".//{*}Фамилия") == CANARY


@pytest.mark.parametrize("hostility", [Hostility.BILLION_LAUGHS, Hostility.LAUGHS_LATE, Hostility.LAUGHS_UTF16])
def test_laughs(hostility: Hostility, bad: dict[str, HostileOffice]) -> None:
    bad["erp"].set(hostility)
    body = ask(bad["erp"], request("erp"))[2]
    # Who looks for it with a short arm, or in ASCII, does not find it.
    assert (b"<!DOCTYPE" in body[:4_096]) == (hostility is Hostility.BILLION_LAUGHS)
    with pytest.raises(etree.XMLSyntaxError, match="amplification"):
        etree.fromstring(body)


def test_depth(bad: dict[str, HostileOffice]) -> None:
    bad["erp"].set(Hostility.DEEP)
    bad["cms"].set(Hostility.DEEP)
    assert b"<d>" * DEPTH + b"</d>" * DEPTH in ask(bad["erp"], request("erp"))[2]
    assert b"[" * DEPTH + b"]" * DEPTH in ask(bad["cms"], request("cms"))[2]


def test_charsets(bad: dict[str, HostileOffice]) -> None:
    bad["erp"].set(Hostility.BAD_CHARSET)
    with pytest.raises(UnicodeDecodeError):
        ask(bad["erp"], request("erp"))[2].decode()
    bad["erp"].set(Hostility.DECLARED_CP1251)
    assert ids("erp", ask(bad["erp"], request("erp"))[2]) == list(CUSTOMERS)


def test_one_operation_alone(bad: dict[str, HostileOffice]) -> None:
    bad["cms"].set(Hostility.HTML_502, operation="favorites")
    assert ask(bad["cms"], request("cms"))[0] == 502
    assert ask(bad["cms"], request("cms", "products"))[0] == 200
    assert (bad["cms"].calls, bad["cms"].spoilt) == ({"favorites": 1, "products": 1}, {"favorites": 1})


def test_what_does_not_suit_is_refused(bad: dict[str, HostileOffice]) -> None:
    assert not applies(Hostility.DTD, "favorites")
    with pytest.raises(ValueError, match="DTD does not suit favorites"):
        bad["cms"].set(Hostility.DTD, operation="favorites")
    with pytest.raises(ValueError, match="no operation 'favourites'"):
        bad["cms"].set(Hostility.HTML_502, operation="favourites")


def test_every_hostility_suits_something() -> None:
    assert all(any(applies(each, name) for name in DEMO_SHAPES) for each in Hostility)
    assert {shape.dialect for shape in DEMO_SHAPES.values()} == set(Dialect)
