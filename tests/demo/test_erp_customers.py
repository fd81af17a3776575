"""The ERP's register: whose a contact is, and new customers. Each test registers contacts of its own."""

from collections.abc import Callable
from itertools import count
from typing import Any

import httpx2
import pytest
import zeep

from bff.demo.data import people
from bff.demo.data.world import World
from bff.demo.launch import DemoOffices
from bff.demo.register import LONGEST_NAME
from tests.demo.test_erp import PORTS, decoded

Ask = Callable[..., httpx2.Response]

FIND, REGISTER = "НайтиКлиентов", "ЗарегистрироватьКлиента"
_PHONES = count(79_998_000_001)


@pytest.fixture
def phone() -> str:
    """A phone that nobody has."""
    return f"+{next(_PHONES)}"


@pytest.fixture
def call(offices: DemoOffices, ask: Ask, wsdl: zeep.Client) -> Callable[..., Any]:
    """What an operation returns, as zeep reads it."""

    def make(operation: str, *, port: str = "Soap", **parameters: Any) -> Any:
        return decoded(wsdl, port, operation, ask(offices.erp.service, operation, port=port, **parameters))

    return make


@pytest.fixture
def find(call: Callable[..., Any]) -> Callable[..., dict[str, str]]:
    """Whose these contacts are."""

    def whose(*contacts: str, port: str = "Soap") -> dict[str, str]:
        answer = call(FIND, port=port, Контакты={"Контакт": list(contacts)})
        assert (answer.Статус, answer.Описание) == ("ОК", None)
        return {each.Контакт: each.ИдКлиента for each in answer.Контакт}

    return whose


@pytest.fixture
def register(call: Callable[..., Any]) -> Callable[..., Any]:
    """The answer to a registration."""

    def make(contact: str, first: str = "Анна", last: str | None = None, port: str = "Soap") -> Any:
        return call(REGISTER, port=port, Контакт=contact, Имя=first, Фамилия=zeep.xsd.Nil if last is None else last)

    return make


@pytest.mark.parametrize("port", PORTS)
def test_everybodys_contacts_are_known(find: Callable[..., dict[str, str]], world: World, port: str) -> None:
    known = {
        contact: person.id
        for person in (people.person(world, number) for number in (1001, 1002, 1003, 2000, 3000))
        for contact in (person.phone, person.email)
        if contact
    }
    assert known["anna.sokolova@pochta.example"] == "c-1001"
    strangers = ["+79000001000", "+79000003001", "+79010001001", "79000001001", "nobody@pochta.example", "", "@"]
    assert find(*known, *strangers, port=port) == known
    assert find("ANNA.Sokolova@Pochta.example") == {"ANNA.Sokolova@Pochta.example": "c-1001"}


@pytest.mark.parametrize("port", PORTS)
def test_who_registers_gets_an_id_and_an_empty_cabinet(
    call: Any, find: Any, register: Any, phone: str, port: str
) -> None:
    answer = register(phone, "<Анна> & ]]>", "Соколова", port=port)
    (made,) = answer.Контакт
    assert (answer.Статус, made.Контакт) == ("ОК", phone)
    assert people.is_registered(made.ИдКлиента)
    assert find(phone) == {phone: made.ИдКлиента}

    asked = {"Ид": [made.ИдКлиента]}
    (client,) = call("ПолучитьКлиентов", port=port, ИдентификаторыКлиентов=asked).Клиент
    assert (client.Имя, client.Фамилия, client.Отчество) == ("<Анна> & ]]>", "Соколова", None)
    assert (client.Телефон, client.ЭлектроннаяПочта) == (phone, None)
    (owner,) = call("ПолучитьПоследниеЗаказы", port=port, ИдентификаторыКлиентов=asked, Количество=3).Клиент
    assert (owner.Ид, owner.Заказы) == (made.ИдКлиента, None)  # zeep cannot tell an empty list from a missing one


def test_registering_again_makes_nobody(find: Any, register: Any, phone: str) -> None:
    first, second = (register(phone, name).Контакт[0].ИдКлиента for name in ("Анна", "Мария"))
    assert first == second
    assert register("+79000001001").Контакт[0].ИдКлиента == "c-1001"
    mail = f"a{phone[1:]}@shop.example"
    third = register(mail).Контакт[0].ИдКлиента
    assert third != first
    assert find(mail.upper()) == {mail.upper(): third}


@pytest.mark.parametrize("first", ["", "Ж" * (LONGEST_NAME + 1)])
def test_bad_data_is_a_business_refusal(find: Any, register: Any, phone: str, first: str) -> None:
    answer = register(phone, first)
    assert (answer.Статус, answer.Контакт) == ("Неверные данные", [])
    assert answer.Описание
    assert find(phone) == {}
    assert register("кто-то").Статус == "Неверные данные"


def test_who_registered_has_empty_favorites(offices: DemoOffices, http: httpx2.Client) -> None:
    query = "/api/favorites?customer_ids=c-10001,c-1,c-010001,c-01001,c-9999"
    response = http.get(offices.cms.address + query, headers={"Authorization": "Bearer demo"})
    assert response.json() == {"items": [{"customer_id": "c-10001", "products": []}]}


def test_the_fault_wrong_owner(offices: DemoOffices, find: Any, register: Any, phone: str) -> None:
    offices.erp.faults(fail="wrong_owner")
    ((contact, owner),) = find("+79000001001").items()
    assert contact != "+79000001001"
    assert owner != "c-1001"
    (made,) = register(phone).Контакт
    assert made.Контакт != phone
