"""The ERP: a web service of 1C:Enterprise, "ЛичныйКабинет", as its base publishes it (see shop/cabinet.wsdl)."""

import asyncio
import base64
import secrets
from collections.abc import Callable
from dataclasses import replace
from html import escape
from importlib import resources
from time import perf_counter

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from bff.demo import soap
from bff.demo.data import orders, people
from bff.demo.data.world import World
from bff.demo.erp_records import contact_xml, customer_xml, order_xml, stored_order_xml
from bff.demo.office import Office
from bff.demo.register import BadData, Register
from bff.demo.serving import began
from bff.demo.sessions import PoolExhausted, Session, Sessions, SessionUnknown
from bff.demo.soap import BadCall, Call

PATH = "/shop/ws/cabinet.1cws"
_COOKIE = "ibsession"
_CUT_AFTER = 200  # characters of a malformed answer

_CUSTOMERS = "ПолучитьКлиентов"
_LATEST_ORDERS = "ПолучитьПоследниеЗаказы"
_ORDERS = "ПолучитьЗаказы"
_FIND = "НайтиКлиентов"
_REGISTER = "ЗарегистрироватьКлиента"
_WSDL = "wsdl"
_UNKNOWN = "unknown"
"""Counts the calls whose operation cannot be told: malformed, or not one of ours."""

_OK = '<m:Статус>ОК</m:Статус><m:Описание xsi:nil="true"/>'
_BAD_COUNT = "<m:Статус>Ошибка</m:Статус><m:Описание>Количество заказов должно быть больше нуля</m:Описание>"

_TECHNICAL_FAULT = (
    "Неизвестная ошибка. {WebСервис.ЛичныйКабинет.Модуль(25)}: Ошибка при вызове метода контекста (Выполнить): "
    "Ошибка выполнения запроса по причине: Конфликт блокировок при выполнении транзакции: "
    "Превышено максимальное время ожидания предоставления блокировки"
)


_TIMERS_ARE_LATE = 0.002


class Erp:
    """The service.

    Args:
        world: whose data to serve.
        sessions: the pool of sessions.
        user, password: what Basic sign-in must say, UTF-8.
        call_ms, key_ms: cost of a call and of each id asked for, milliseconds; the session is busy for so long.
    """

    def __init__(
        self, world: World, sessions: Sessions, *, user: str, password: str, call_ms: float, key_ms: float
    ) -> None:
        self._world = world
        self._clients = Register(world)
        self._sessions = sessions
        self._credentials = f"{user}:{password}".encode()
        self._call_ms = call_ms
        self._key_ms = key_ms
        self._in_flight = 0
        self._most_in_flight = 0
        self._wsdl = resources.files("bff.demo").joinpath("shop", "cabinet.wsdl").read_text("utf-8")
        self._operations: dict[str, Callable[[Call, bool], tuple[int, str]]] = {
            _CUSTOMERS: self._customers,
            _LATEST_ORDERS: self._latest_orders,
            _ORDERS: self._orders,
            _FIND: self._find,
            _REGISTER: self._register,
        }
        self._office = Office(
            "erp",
            (*self._operations, _WSDL, _UNKNOWN),
            malformed=_malformed,
            technical_fault=lambda request: soap.fault(_version(request), _TECHNICAL_FAULT),
            stats=self._stats,
            on_reset=self._forget_most,
        )

    def app(self) -> Starlette:
        """Return the application."""
        return self._office.app([Route(PATH, self._get), Route(PATH, self._post, methods=["POST"])])

    async def _get(self, request: Request) -> Response:
        async def describe(_: bool) -> Response:
            if not self._is_signed_in(request):
                return _unauthorized()
            if "wsdl" not in request.query_params:
                return PlainTextResponse("Запрос не содержит описания вызова. Описание сервиса: ?wsdl", 400)
            address = escape(f"{request.url.scheme}://{request.url.netloc}{PATH}")
            return Response(self._wsdl.replace("{address}", address), media_type="text/xml; charset=utf-8")

        return await self._office.serve(request, _WSDL, describe)

    async def _post(self, request: Request) -> Response:
        body = await request.body()
        call = _read(body)
        operation = call.operation if isinstance(call, Call) and call.operation in self._operations else _UNKNOWN

        async def answer(wrong_owner: bool) -> Response:
            if not self._is_signed_in(request):
                return _unauthorized()
            try:
                return await self._in_session(request, call, wrong_owner)
            except SessionUnknown:
                return PlainTextResponse("Сеанс отсутствует или удален", 400)
            except PoolExhausted:
                return PlainTextResponse("Не удалось получить сеанс: все сеансы пула заняты", 406)

        self._in_flight += 1
        self._most_in_flight = max(self._most_in_flight, self._in_flight)
        try:
            return await self._office.serve(request, operation, answer)
        finally:
            self._in_flight -= 1

    async def _in_session(self, request: Request, call: Call | BadCall | None, wrong_owner: bool) -> Response:
        """Answer in the session the headers ask for; one that nobody asked to keep lives for this call only."""
        wish = request.headers.get("IBSession")
        if wish not in (None, "start", "finish"):
            return PlainTextResponse("Неверное значение заголовка IBSession: ожидалось start или finish", 400)
        cookie = request.cookies.get(_COOKIE)
        if wish == "start" or (wish is None and cookie is None):
            session = self._sessions.open()
        else:
            session = self._sessions.find(cookie or "")
        ends = wish == "finish" or (wish is None and cookie is None)
        try:
            response = await self._in_turn(request, session, call, wrong_owner)
        finally:
            if ends:
                self._sessions.end(session)
        if wish == "start":
            response.headers["Set-Cookie"] = f"{_COOKIE}={session.key}; path=/shop"
        return response

    async def _in_turn(
        self, request: Request, session: Session, call: Call | BadCall | None, wrong_owner: bool
    ) -> Response:
        is_busy = session.turn.locked()
        async with self._sessions.turn(session):
            # The session's own time, whatever else this process has to do with a call.
            begins = perf_counter() if is_busy else began(request.scope)
            if call is None:
                return Response()  # nothing but the header: to start or to finish a session
            if isinstance(call, BadCall):
                return soap.fault(call.version, call.reason, is_client=True)
            operation = self._operations.get(call.operation)
            if operation is None:
                return soap.fault(call.version, f"Операция не найдена: {call.operation}", is_client=True)
            try:
                keys, content = operation(call, wrong_owner)
            except BadCall as error:
                return soap.fault(error.version, error.reason, is_client=True)
            response = soap.answer(call.version, call.operation, content)
            await _pause_until(begins + (self._call_ms + self._key_ms * keys) / 1000)
            return response

    def _customers(self, call: Call, wrong_owner: bool) -> tuple[int, str]:
        asked = call.ids("ИдентификаторыКлиентов")
        if wrong_owner:
            asked = [people.customer_id(number) for number in people.strangers(_known(asked), lambda _: True)]
        found = [person for customer in asked if (person := self._clients.person(customer)) is not None]
        return len(asked), _OK + "".join(map(customer_xml, found))

    def _latest_orders(self, call: Call, wrong_owner: bool) -> tuple[int, str]:
        asked = call.ids("ИдентификаторыКлиентов")
        count = call.integer("Количество")
        if count < 1:
            return len(asked), _BAD_COUNT
        numbers = _known(asked)
        if wrong_owner:
            numbers = people.strangers(numbers, self._has_orders)
        new = () if wrong_owner else filter(self._clients.is_new, asked)
        empty = (f"<m:Клиент><m:Ид>{customer}</m:Ид><m:Заказы></m:Заказы></m:Клиент>" for customer in new)
        return len(asked), _OK + "".join([*(self._latest_of(number, count) for number in numbers), *empty])

    def _find(self, call: Call, wrong_owner: bool) -> tuple[int, str]:
        asked = call.texts("Контакты", "Контакт")
        found = [(contact, customer) for contact in asked if (customer := self._clients.find(contact))]
        if wrong_owner:
            found = [self._strangers_contact(customer) for _, customer in found]
        return len(asked), _OK + "".join(contact_xml(contact, customer) for contact, customer in found)

    def _register(self, call: Call, wrong_owner: bool) -> tuple[int, str]:
        contact = call.text("Контакт") or ""
        try:
            customer = self._clients.register(contact, call.text("Имя") or "", call.text("Фамилия"))
        except BadData as error:
            return 1, f"<m:Статус>Неверные данные</m:Статус><m:Описание>{escape(str(error))}</m:Описание>"
        if wrong_owner:
            contact, customer = self._strangers_contact(customer)
        return 1, _OK + contact_xml(contact, customer)

    def _strangers_contact(self, customer: str) -> tuple[str, str]:
        """Return a contact and the id of somebody else than that customer."""
        number = people.strangers([people.number_of(customer) or people.FIRST], lambda _: True)[0]
        stranger = people.person(self._world, number)
        return stranger.phone or "", stranger.id

    def _latest_of(self, number: int, count: int) -> str:
        newest = len(orders.ages(self._world, number)) - 1
        found = (stored_order_xml(self._world, number, index) for index in range(newest, max(newest - count, -1), -1))
        customer = people.customer_id(number)
        return f"<m:Клиент><m:Ид>{customer}</m:Ид><m:Заказы>{''.join(found)}</m:Заказы></m:Клиент>"

    def _orders(self, call: Call, wrong_owner: bool) -> tuple[int, str]:
        asked = call.ids("ИдентификаторыЗаказов")
        found: list[str] = []
        for order_id in asked:
            place = orders.locate(self._world, order_id)
            if place is None:
                continue
            owner, index = place
            xml = self._foreign(order_id, owner) if wrong_owner else stored_order_xml(self._world, owner, index)
            found.append(xml)
        return len(asked), _OK + "".join(found)

    def _foreign(self, order_id: str, owner: int) -> str:
        """Return, under the id that was asked for, an order of somebody else."""
        stranger = people.strangers([owner], self._has_orders)[0]
        theirs = orders.latest(self._world, stranger, 1)[0]
        return order_xml(replace(theirs, id=order_id))

    def _has_orders(self, number: int) -> bool:
        return bool(orders.ages(self._world, number))

    def _is_signed_in(self, request: Request) -> bool:
        scheme, _, encoded = request.headers.get("Authorization", "").partition(" ")
        try:
            given = base64.b64decode(encoded, validate=True)
        except ValueError:
            return False
        return scheme.lower() == "basic" and secrets.compare_digest(given, self._credentials)

    def _stats(self) -> dict[str, int]:
        return {
            "sessions": len(self._sessions),
            "in_flight": self._in_flight,
            "most_in_flight": self._most_in_flight,
        }

    def _forget_most(self) -> None:
        self._most_in_flight = self._in_flight


async def _pause_until(moment: float) -> None:
    """Wait, to the tenth of a millisecond: the loop's own timers are up to two late, much of what a customer costs."""
    # Always given up once, so that calls side by side are side by side even when they cost nothing.
    await asyncio.sleep(max(moment - perf_counter() - _TIMERS_ARE_LATE, 0))
    while perf_counter() < moment:  # noqa: ASYNC110 (a timer would be late again)
        await asyncio.sleep(0)


def _read(body: bytes) -> Call | BadCall | None:
    """Return the call, what is wrong with it, or None for an empty body."""
    if not body:
        return None
    try:
        return soap.read(body)
    except BadCall as error:
        return error


def _known(customers: list[str]) -> list[int]:
    return [number for number in map(people.number_of, customers) if number is not None]


def _version(request: Request) -> soap.Version:
    return soap.version_of(request.headers.get("Content-Type", ""))


def _malformed(request: Request) -> Response:
    whole = soap.answer(_version(request), _CUSTOMERS, _OK)
    return Response(whole.body[:_CUT_AFTER], media_type=whole.headers["Content-Type"])


def _unauthorized() -> Response:
    return PlainTextResponse(
        "Идентификация пользователя не выполнена",
        401,
        {"WWW-Authenticate": 'Basic realm="1C:Enterprise 8.3"'},
    )
