"""The ERP speaks SOAP as 1C does, and says what the invented shop's data says."""

from base64 import b64encode
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import httpx2
import pytest
import zeep

from bff.demo.data import orders, people
from bff.demo.data.world import World
from bff.demo.launch import DemoOffices, demo_office

Ask = Callable[..., httpx2.Response]

PORTS = {"Soap": "text/xml; charset=utf-8", "Soap12": "application/soap+xml; charset=utf-8"}


def decoded(wsdl: zeep.Client, port: str, operation: str, response: httpx2.Response) -> Any:
    """Return ``return`` as zeep reads it, strictly by the WSDL."""
    assert response.status_code == 200
    assert response.headers["Content-Type"] == PORTS[port]
    service = wsdl.bind("ЛичныйКабинет", "ЛичныйКабинет" + port)
    proxy = service._binding.get(operation)
    return service._binding.process_reply(wsdl, proxy, response)


@pytest.mark.parametrize("port", PORTS)
def test_customers(offices: DemoOffices, ask: Ask, wsdl: zeep.Client, port: str) -> None:
    asked = {"Ид": ["c-1001", "c-1002", "c-9999", "кто-то"]}
    response = ask(offices.erp.service, "ПолучитьКлиентов", port=port, ИдентификаторыКлиентов=asked)
    answer = decoded(wsdl, port, "ПолучитьКлиентов", response)

    assert (answer.Статус, answer.Описание) == ("ОК", None)
    anna, oleg = answer.Клиент
    assert (anna.Ид, anna.Имя, anna.Отчество, anna.Фамилия) == ("c-1001", "Анна", "Сергеевна", "Соколова")
    assert anna.ДатаРождения.isoformat() == "1987-03-14"
    assert (oleg.Ид, oleg.Имя, oleg.Фамилия, oleg.ЭлектроннаяПочта) == ("c-1002", "Олег", None, None)
    assert oleg.Телефон == "+79000001002"
    assert oleg.ДатаРождения.isoformat() == "0001-01-01"
    assert offices.erp.calls() == {"ПолучитьКлиентов": 1}


@pytest.mark.parametrize("port", PORTS)
def test_latest_orders(offices: DemoOffices, ask: Ask, wsdl: zeep.Client, world: World, port: str) -> None:
    asked = {"Ид": ["c-1002", "c-1001", "c-9999"]}
    operation = "ПолучитьПоследниеЗаказы"
    response = ask(offices.erp.service, operation, port=port, ИдентификаторыКлиентов=asked, Количество=3)
    answer = decoded(wsdl, port, operation, response)

    nobody, anna = answer.Клиент
    assert nobody.Ид == "c-1002"
    assert len(response.content.split("<m:Заказы></m:Заказы>".encode())) == 2  # zeep cannot tell it from a missing one
    assert anna.Ид == "c-1001"
    expected = orders.latest(world, 1001, 3)
    assert [order.Ид for order in anna.Заказы.Заказ] == [order.id for order in expected]
    newest = anna.Заказы.Заказ[0]
    assert newest.Статус == "Передан в доставку"
    assert newest.Дата == expected[0].at
    assert newest.Сумма == sum(line.Сумма for line in newest.Товары.Строка)
    assert [stage.Дата for stage in newest.Этапы.Этап] == [stage.at for stage in expected[0].stages]


def test_orders_by_id(offices: DemoOffices, ask: Ask, wsdl: zeep.Client, world: World) -> None:
    # The odd product names need escaping; this order has one of them.
    wanted = next(
        order
        for number in range(people.FIRST, people.LAST)
        for order in orders.latest(world, number, 5)
        if any("&" in line.name for line in order.lines)
    )
    asked = {"Ид": [wanted.id, "c8849227-03e9-11ee-8016-000000000000", "не GUID"]}
    response = ask(offices.erp.service, "ПолучитьЗаказы", ИдентификаторыЗаказов=asked)
    answer = decoded(wsdl, "Soap", "ПолучитьЗаказы", response)

    (order,) = answer.Заказ
    assert (order.Ид, order.ИдКлиента, order.Номер) == (wanted.id, wanted.customer_id, wanted.number)
    assert [line.Наименование for line in order.Товары.Строка] == [line.name for line in wanted.lines]
    assert [Decimal(line.Количество) for line in order.Товары.Строка] == [line.quantity for line in wanted.lines]


def test_wsdl_names_the_address_it_was_asked_at(offices: DemoOffices, http: httpx2.Client) -> None:
    response = http.get(f"{offices.erp.service}?wsdl", auth=("cabinet", "demo"))
    assert response.text.count(f'location="{offices.erp.service}"') == 2
    assert offices.erp.calls() == {"wsdl": 1}


@pytest.mark.parametrize("credentials", ["", "cabinet:wrong", "чужой:demo"])
def test_sign_in(offices: DemoOffices, http: httpx2.Client, credentials: str) -> None:
    headers = {"Authorization": f"Basic {b64encode(credentials.encode()).decode()}"} if credentials else {}
    for response in (
        http.post(offices.erp.service, content=b"<x/>", headers=headers),
        http.get(f"{offices.erp.service}?wsdl", headers=headers),
    ):
        assert response.status_code == 401
        assert response.headers["WWW-Authenticate"].startswith("Basic ")


SOAP = "http://schemas.xmlsoap.org/soap/envelope/"


def soap_of(body: str) -> str:
    return f'<s:Envelope xmlns:s="{SOAP}" xmlns:c="http://shop.example/cabinet"><s:Body>{body}</s:Body></s:Envelope>'


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("<cut", "Ошибка разбора XML"),
        ('<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/hostname">]>' + soap_of("&e;"), "объявление типа документа"),
        ("<x/>", "Envelope"),
        (soap_of(""), "Body"),
        (soap_of("<ПолучитьКлиентов/>"), "пространство имен"),
        (soap_of("<c:УдалитьВсё/>"), "Операция не найдена: УдалитьВсё"),
        (soap_of("<c:ПолучитьКлиентов/>"), "ИдентификаторыКлиентов"),
        (soap_of("<c:ПолучитьКлиентов><ИдентификаторыКлиентов/></c:ПолучитьКлиентов>"), "ИдентификаторыКлиентов"),
        (
            soap_of(
                "<c:ПолучитьПоследниеЗаказы><c:ИдентификаторыКлиентов/><c:Количество>много</c:Количество>"
                "</c:ПолучитьПоследниеЗаказы>"
            ),
            "xs:int",
        ),
    ],
)
def test_what_cannot_be_understood_is_a_fault(
    offices: DemoOffices, http: httpx2.Client, body: str, reason: str
) -> None:
    response = http.post(offices.erp.service, content=body.encode(), auth=("cabinet", "demo"))
    assert response.status_code == 500
    assert "<soap:Fault>" in response.text
    assert reason in response.text


def test_a_cyrillic_sign_in(http: httpx2.Client) -> None:
    with demo_office("erp", options={"user": "Кабинет", "password": "Пароль:1"}) as office:
        headers = {"Authorization": f"Basic {b64encode('Кабинет:Пароль:1'.encode()).decode()}"}
        assert http.get(f"{office.service}?wsdl", headers=headers).status_code == 200


def test_no_orders_wanted_is_a_business_error(offices: DemoOffices, ask: Ask, wsdl: zeep.Client) -> None:
    operation = "ПолучитьПоследниеЗаказы"
    response = ask(offices.erp.service, operation, ИдентификаторыКлиентов={"Ид": ["c-1001"]}, Количество=0)
    answer = decoded(wsdl, "Soap", operation, response)
    assert (answer.Статус, answer.Клиент) == ("Ошибка", [])
    assert answer.Описание
