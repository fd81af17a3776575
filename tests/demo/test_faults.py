"""Each fault, in each office, while the control paths go on answering."""

from collections.abc import Callable
from time import perf_counter
from typing import get_args

import httpx2
import orjson
import pytest
from lxml import etree

from bff.demo.faults import Failure
from bff.demo.launch import DemoOffice, DemoOffices, OfficeName
from tests.patience import PATIENCE_SECONDS, until

Ask = Callable[..., httpx2.Response]
Call = Callable[..., httpx2.Response]

OPERATIONS: dict[OfficeName, tuple[str, str]] = {
    "erp": ("ПолучитьКлиентов", "ПолучитьЗаказы"),
    "loyalty": ("accounts", "customers"),
    "cms": ("favorites", "products"),
}
"""The operation that `call` calls, and another one."""


@pytest.fixture(params=OPERATIONS)
def office(request: pytest.FixtureRequest, offices: DemoOffices) -> DemoOffice:
    found: DemoOffice = getattr(offices, request.param)
    return found


@pytest.fixture
def call(office: DemoOffice, http: httpx2.Client, ask: Ask) -> Call:
    """Asks the office for what it has on c-1001."""

    def do(*, timeout: httpx2.Timeout | float = PATIENCE_SECONDS) -> httpx2.Response:
        if office.name == "erp":
            return ask(office.service, timeout=timeout)
        if office.name == "loyalty":
            query = "/api/v5/loyalty/accounts?filter[customerExternalId]=c-1001"
            return http.get(office.address + query, headers={"X-API-KEY": "demo"}, timeout=timeout)
        query = "/api/favorites?customer_ids=c-1001"
        return http.get(office.address + query, headers={"Authorization": "Bearer demo"}, timeout=timeout)

    return do


def test_refuse(office: DemoOffice, call: Call) -> None:
    office.faults(fail="refuse")
    for _ in range(3):
        with pytest.raises((httpx2.RemoteProtocolError, httpx2.ReadError)):
            call()
    assert office.calls() == {OPERATIONS[office.name][0]: 3}
    office.faults()
    assert call().status_code == 200


def test_hang(office: DemoOffice, call: Call) -> None:
    office.faults(fail="hang")
    with pytest.raises(httpx2.ReadTimeout):
        call(timeout=httpx2.Timeout(PATIENCE_SECONDS, read=0.1))
    until(office.calls)
    assert office.calls() == {OPERATIONS[office.name][0]: 1}
    if office.name == "erp":  # the only one that counts: the call ends when the client has gone
        until(lambda: not office.stats()["in_flight"])
        assert office.stats() == {"sessions": 0, "in_flight": 0, "most_in_flight": 1}
    office.faults()
    assert call().status_code == 200


def test_500(office: DemoOffice, call: Call) -> None:
    office.faults(fail="500")
    response = call()
    assert response.status_code == 500
    assert response.headers["Content-Type"].startswith("text/html")
    assert "внутренняя ошибка сервера" in response.text


def test_malformed(office: DemoOffice, call: Call) -> None:
    good = call()
    office.faults(fail="malformed")
    response = call()
    assert response.status_code == 200
    assert response.headers["Content-Type"] == good.headers["Content-Type"]
    assert int(response.headers["Content-Length"]) == len(response.content) > 0
    with pytest.raises((etree.XMLSyntaxError, orjson.JSONDecodeError)):
        etree.fromstring(response.content) if office.name == "erp" else orjson.loads(response.content)


def test_fault(office: DemoOffice, call: Call) -> None:
    office.faults(fail="fault")
    response = call()
    if office.name == "erp":
        assert response.status_code == 500
        assert "<faultstring>Неизвестная ошибка. {WebСервис.ЛичныйКабинет.Модуль(25)}: " in response.text
        assert "по причине: " in response.text
    elif office.name == "loyalty":
        assert response.status_code == 400
        assert response.json()["success"] is False
        assert response.json()["errorMsg"]
    else:
        assert response.status_code == 500
        assert response.json()["error"]["code"] == "internal"


def test_fault_in_soap_12(offices: DemoOffices, ask: Ask) -> None:
    offices.erp.faults(fail="fault")
    response = ask(offices.erp.service, port="Soap12")
    assert response.headers["Content-Type"] == "application/soap+xml; charset=utf-8"
    assert "<soap:Value>soap:Receiver</soap:Value>" in response.text
    assert "Неизвестная ошибка. {WebСервис.ЛичныйКабинет.Модуль(25)}: " in response.text


def test_wrong_owner(office: DemoOffice, call: Call) -> None:
    good = call()
    office.faults(fail="wrong_owner")
    response = call()
    assert response.status_code == 200
    assert "c-1001" in good.text
    assert "c-1001" not in response.text
    assert "c-2001" in response.text


def test_latency_comes_before_the_failure(office: DemoOffice, call: Call) -> None:
    office.faults(latency_ms=40)
    began = perf_counter()
    assert call().status_code == 200
    assert perf_counter() - began >= 0.04

    office.faults(latency_ms=40, fail="500")
    began = perf_counter()
    assert call().status_code == 500
    assert perf_counter() - began >= 0.04


def test_a_fault_may_hit_one_operation_only(office: DemoOffice, call: Call) -> None:
    ours, other = OPERATIONS[office.name]
    office.faults(fail="500", operation=other)
    assert call().status_code == 200
    office.faults(fail="500", operation=ours)  # replaces the former
    assert call().status_code == 500
    assert office.calls() == {ours: 2}


def test_the_control_paths_answer_all_the_same(office: DemoOffice, http: httpx2.Client) -> None:
    control = f"{office.address}/_demo"
    for fail in get_args(Failure):
        office.faults(fail=fail, latency_ms=60_000)
        assert http.get(f"{control}/health").json() == {"office": office.name}
        assert http.get(f"{control}/calls").json() == {}
        assert http.get(f"{control}/stats").status_code == 200
        assert http.post(f"{control}/reset").status_code == 204
        assert http.get(f"{control}/faults").json() == {"latency_ms": 60_000, "fail": fail, "operation": None}


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"{", "not JSON"),
        (b"[]", "expected an object"),
        (b'{"latency": 3}', "unknown key 'latency'; known: latency_ms, fail, operation"),
        (b'{"latency_ms": "300"}', "latency_ms is '300'"),
        (b'{"latency_ms": true}', "latency_ms is True"),
        (b'{"latency_ms": -1}', "latency_ms is -1"),
        (b'{"fail": "explode"}', "fail is 'explode'; expected null or one of refuse, hang, 500"),
        (b'{"fail": 500}', "fail is 500"),
        (b'{"fail": ["hang"]}', "fail is ['hang']"),
        (b'{"operation": "favourites"}', "operation is 'favourites'; expected null or one of favorites, products"),
        (b'{"operation": ["favorites"]}', "operation is ['favorites']"),
    ],
)
def test_faults_are_checked(offices: DemoOffices, http: httpx2.Client, body: bytes, says: str) -> None:
    response = http.post(f"{offices.cms.address}/_demo/faults", content=body)
    assert response.status_code == 400
    assert says in response.json()["error"]
    assert http.get(f"{offices.cms.address}/_demo/faults").json()["fail"] is None


def test_another_owner_under_the_orders_id(offices: DemoOffices, ask: Ask) -> None:
    def order_of(customer: str) -> etree._Element:
        latest = ask(
            offices.erp.service, "ПолучитьПоследниеЗаказы", ИдентификаторыКлиентов={"Ид": [customer]}, Количество=1
        )
        return etree.fromstring(latest.content)

    name = "{http://shop.example/cabinet}"
    order_id = order_of("c-1001").findtext(f".//{name}Заказ/{name}Ид")
    assert order_id
    offices.erp.faults(fail="wrong_owner")
    response = ask(offices.erp.service, "ПолучитьЗаказы", ИдентификаторыЗаказов={"Ид": [order_id]})
    found = etree.fromstring(response.content)
    assert found.findtext(f".//{name}Заказ/{name}Ид") == order_id
    assert found.findtext(f".//{name}ИдКлиента") == "c-2001"
    assert {owner.text for owner in order_of("c-1001").iter(f"{name}ИдКлиента")} == {"c-2001"}
