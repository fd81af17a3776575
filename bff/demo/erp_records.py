"""Customers and orders in the ERP's XML: the types ``Клиент`` and ``Заказ`` of cabinet.wsdl.

Written as text: the answers are large, and an office that is slower than what it tests would be of no use.
"""

from datetime import date, datetime
from functools import lru_cache
from html import escape

from bff.demo.data import orders
from bff.demo.data.orders import Line, Order, Stage
from bff.demo.data.people import Person
from bff.demo.data.world import World

EMPTY_DATE = date(1, 1, 1)
"""1C's empty date: a date field that nobody filled in, unless the service writes nil."""


def customer_xml(person: Person) -> str:
    """Return a ``Клиент`` of ``ОтветКлиенты``."""
    birthday = person.birthday
    if birthday is None and person.number % 2 == 0:
        birthday = EMPTY_DATE  # both ways of saying "unknown" are met in real bases
    return (
        f"<m:Клиент>{_text('Ид', person.id)}{_text('Фамилия', person.last_name)}{_text('Имя', person.first_name)}"
        f"{_text('Отчество', person.patronymic)}{_text('Телефон', person.phone)}"
        f"{_text('ЭлектроннаяПочта', person.email)}"
        f"{_text('ДатаРождения', None if birthday is None else birthday.isoformat())}</m:Клиент>"
    )


def contact_xml(contact: str, customer: str) -> str:
    """Return a ``КонтактКлиента`` of ``ОтветКонтакты``."""
    return f"<m:Контакт>{_text('Контакт', contact)}{_text('ИдКлиента', customer)}</m:Контакт>"


# Some 2 KB an order; the ones a customer looks at are asked for again and again.
@lru_cache(maxsize=8192)
def stored_order_xml(world: World, customer: int, index: int) -> str:
    """Return a ``Заказ`` as it is in the base (see `bff.demo.data.orders.order`)."""
    return order_xml(orders.order(world, customer, index))


def order_xml(order: Order) -> str:
    """Return a ``Заказ``."""
    stages = "".join(map(_stage_xml, order.stages))
    lines = "".join(map(_line_xml, order.lines))
    return (
        f"<m:Заказ>{_text('Ид', order.id)}{_text('ИдКлиента', order.customer_id)}{_text('Номер', order.number)}"
        f"{_text('Дата', order.at.isoformat())}{_text('Статус', order.status)}{_text('Сумма', str(order.total))}"
        f"<m:Валюта>RUB</m:Валюта><m:Этапы>{stages}</m:Этапы><m:Товары>{lines}</m:Товары></m:Заказ>"
    )


def _stage_xml(stage: Stage) -> str:
    at: datetime | None = stage.at
    moment = _text("Дата", None if at is None else at.isoformat())
    return f"<m:Этап>{_text('Наименование', stage.name)}{moment}</m:Этап>"


def _line_xml(line: Line) -> str:
    return (
        f"<m:Строка>{_text('Артикул', line.product_id)}{_text('Наименование', line.name)}"
        f"{_text('Количество', str(line.quantity))}{_text('Цена', str(line.price))}"
        f"{_text('Сумма', str(line.total))}</m:Строка>"
    )


def _text(name: str, value: str | None) -> str:
    if value is None:
        return f'<m:{name} xsi:nil="true"/>'
    return f"<m:{name}>{escape(value, quote=False)}</m:{name}>"
