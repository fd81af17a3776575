"""The loyalty system: RetailCRM's API v5, as far as a cabinet reads it.

Field names and shapes as in the vendor's reference and its public Go client; `nextLevelSum` is taken to be the sum at
which the next level begins (the vendor does not say whether what was already bought counts).
"""

import secrets
import time
from collections import deque
from collections.abc import Callable, Sequence
from datetime import datetime
from decimal import Decimal
from functools import wraps
from typing import Any, TypeVar

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response

from bff.demo.data import bonuses, people
from bff.demo.data.bonuses import Account, Lot, Tier
from bff.demo.data.world import World
from bff.demo.office import Handler, Json, Office

_LIMITS = (20, 50, 100)
_CUSTOMER_IDS_FROM = 20_001
_SITE = "shop-example"

_CREDENTIALS = (
    "/api/customers",
    "/api/loyalty/accounts",
    "/api/loyalty/account/{id}",
    "/api/loyalty/account/{id}/bonus/{status}/details",
)

_MALFORMED = '{"success": true, "loyaltyAccounts": [{"id": 50'

_Item = TypeVar("_Item")


class BadInput(Exception):
    """A parameter has a value that the API does not take."""

    def __init__(self, parameter: str) -> None:
        super().__init__(parameter)
        self.parameter = parameter


class Loyalty:
    """The API.

    Args:
        world: whose data to serve.
        api_key: what ``X-API-KEY`` (or the query's ``apiKey``) must say.
        per_second: calls within a second before it answers 503; 0 is no limit.
        clock: seconds, from any start; never goes back.
    """

    def __init__(
        self, world: World, *, api_key: str, per_second: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._world = world
        self._api_key = api_key.encode()
        self._per_second = per_second
        self._clock = clock
        self._recent: deque[float] = deque()
        self._routes: tuple[tuple[str, str, Handler], ...] = (
            ("/api/credentials", "credentials", self._credentials),
            ("/api/v5/loyalty/accounts", "accounts", self._accounts),
            ("/api/v5/customers", "customers", self._customers),
            (
                "/api/v5/loyalty/account/{account:int}/bonus/waiting_activation/details",
                "bonus_waiting_activation",
                self._lots(lambda account: account.pending),
            ),
            (
                "/api/v5/loyalty/account/{account:int}/bonus/burn_soon/details",
                "bonus_burn_soon",
                self._lots(lambda account: account.burning),
            ),
        )
        self._office = Office(
            "loyalty",
            [operation for _, operation, _ in self._routes],
            malformed=lambda _: Response(
                '{"success": true, "loyaltyAccounts": [{"id": 50', media_type="application/json"
            ),
            technical_fault=lambda _: _error(400, "Внутренняя ошибка: не удалось получить данные программы лояльности"),
        )

    def app(self) -> Starlette:
        """Return the application."""
        return self._office.app(
            self._office.route(path, operation, self._guarded(handler)) for path, operation, handler in self._routes
        )

    def _guarded(self, handler: Handler) -> Handler:
        """Wrap a handler: not too many calls, the right key, no nonsense in the parameters."""

        @wraps(handler)
        async def guarded(request: Request, wrong_owner: bool) -> Response:
            if self._is_overloaded():
                return _error(503, "Превышено допустимое количество запросов", {"Retry-After": "1"})
            key = request.headers.get("X-API-KEY") or request.query_params.get("apiKey", "")
            if not secrets.compare_digest(key.encode(), self._api_key):
                return _error(403, 'Wrong "apiKey" value.')
            try:
                return await handler(request, wrong_owner)
            except BadInput as error:
                problems = {error.parameter: "The value you selected is not a valid choice."}
                refusal = {"success": False, "errorMsg": "Errors in the input parameters", "errors": problems}
                return Json(refusal, 400)

        return guarded

    def _is_overloaded(self) -> bool:
        if not self._per_second:
            return False
        now = self._clock()
        while self._recent and self._recent[0] <= now - 1:
            self._recent.popleft()
        if len(self._recent) >= self._per_second:
            return True
        self._recent.append(now)
        return False

    async def _credentials(self, _: Request, __: bool) -> Response:
        return Json({"success": True, "credentials": _CREDENTIALS, "siteAccess": "access_full"})

    async def _accounts(self, request: Request, wrong_owner: bool) -> Response:
        limit, page = _paging(request)
        found = self._found_accounts(request)
        if wrong_owner:
            found = people.strangers(found, self._has_account)
        pagination, shown = _page(found, limit, page)
        accounts = [self._account_json(bonuses.account(self._world, number)) for number in shown]
        return Json({"success": True, "pagination": pagination, "loyaltyAccounts": accounts})

    def _found_accounts(self, request: Request) -> Sequence[int]:
        """Return the numbers of the members whom all the filters let through."""
        query = request.query_params
        found: Sequence[int] = bonuses.members(self._world)
        if ids := query.getlist("filter[ids][]"):
            owners = {bonuses.owner_of(self._world, _integer("filter[ids]", text)) for text in ids}
            found = sorted(owner for owner in owners if owner is not None)
        if (external_id := query.get("filter[customerExternalId]")) is not None:
            wanted = people.number_of(external_id)
            found = [number for number in found if number == wanted]
        if (customer_id := query.get("filter[customerId]")) is not None:
            wanted = _integer("filter[customerId]", customer_id) - _CUSTOMER_IDS_FROM + people.FIRST
            found = [number for number in found if number == wanted]
        if (phone := query.get("filter[phoneNumber]")) is not None:
            digits = "".join(filter(str.isdigit, phone))
            found = [number for number in found if people.person(self._world, number).phone == f"+{digits}"]
        return found

    def _lots(self, of: Callable[[Account], tuple[Lot, ...]]) -> Handler:
        """Return the handler that lists the lots which `of` takes from an account."""

        async def details(request: Request, wrong_owner: bool) -> Response:
            limit, page = _paging(request)
            owner = bonuses.owner_of(self._world, request.path_params["account"])
            if owner is None:
                return _error(404, "Not found")
            if wrong_owner:
                (owner,) = people.strangers([owner], self._has_account)
            lots = of(bonuses.account(self._world, owner))
            pagination, shown = _page(lots, limit, page)
            total = _number(sum((lot.amount for lot in lots), Decimal(0)))
            return Json(
                {
                    "success": True,
                    "pagination": pagination,
                    "statistic": {"totalAmount": total},
                    "bonuses": [{"date": lot.on.isoformat(), "amount": _number(lot.amount)} for lot in shown],
                }
            )

        return details

    async def _customers(self, request: Request, wrong_owner: bool) -> Response:
        limit, page = _paging(request)
        found: Sequence[int] = range(people.FIRST, people.LAST + 1)
        if external_ids := request.query_params.getlist("filter[externalIds][]"):
            numbers = {people.number_of(external_id) for external_id in external_ids}
            found = sorted(number for number in numbers if number is not None)
        if wrong_owner:
            found = people.strangers(found, lambda _: True)
        pagination, shown = _page(found, limit, page)
        customers = [self._customer_json(number) for number in shown]
        return Json({"success": True, "pagination": pagination, "customers": customers})

    def _has_account(self, number: int) -> bool:
        return bonuses.has_account(self._world, number)

    def _account_json(self, account: Account) -> dict[str, Any]:
        person = people.person(self._world, account.customer)
        shown: dict[str, Any] = {
            "active": True,
            "id": account.id,
            "loyalty": {"id": 2, "name": "Клуб покупателей", "currency": "RUB"},
            "customer": {
                "id": _crm_id(account.customer),
                "externalId": person.id,
                "site": _SITE,
                "firstName": person.first_name,
                "lastName": person.last_name or "",
            },
            "phoneNumber": (person.phone or "").removeprefix("+"),
            "cardNumber": account.card,
            "amount": _number(account.amount),
            "ordersSum": _number(account.orders_sum),
            "level": _level_json(account.tier),
            "createdAt": _moment(account.created_at),
            "activatedAt": _moment(account.created_at),
            "status": "activated",
        }
        if account.next_tier is not None:
            shown["nextLevelSum"] = _number(account.next_tier.threshold)
        return shown

    def _customer_json(self, number: int) -> dict[str, Any]:
        person = people.person(self._world, number)
        shown: dict[str, Any] = {
            "type": "customer",
            "id": _crm_id(number),
            "externalId": person.id,
            "site": _SITE,
            "firstName": person.first_name,
            "lastName": person.last_name,
            "patronymic": person.patronymic,
            "email": person.email,
            "personalDiscount": bonuses.personal_discount(self._world, number),
            "phones": [{"number": person.phone}],
        }
        return {key: value for key, value in shown.items() if value is not None}


def _crm_id(number: int) -> int:
    return _CUSTOMER_IDS_FROM + number - people.FIRST


def _level_json(tier: Tier) -> dict[str, Any]:
    return {
        "type": "bonus_percent",
        "id": tier.id,
        "name": tier.name,
        "sum": _number(tier.threshold),
        "privilegeSize": tier.percent,
        "privilegeSizePromo": tier.percent_promo,
    }


def _number(amount: Decimal) -> int | float:
    """Return a JSON number as PHP writes it: 240, 1520.5."""
    return int(amount) if amount == int(amount) else float(amount)


def _moment(at: datetime) -> str:
    return at.isoformat(" ")


def _integer(parameter: str, text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise BadInput(parameter) from None


def _paging(request: Request) -> tuple[int, int]:
    """Return (limit, page), or raise BadInput."""
    limit = _integer("limit", request.query_params.get("limit", "20"))
    page = _integer("page", request.query_params.get("page", "1"))
    if limit not in _LIMITS:
        raise BadInput("limit")
    if page < 1:
        raise BadInput("page")
    return limit, page


def _page(items: Sequence[_Item], limit: int, page: int) -> tuple[dict[str, int], Sequence[_Item]]:
    """Return the block ``pagination`` and the items of that page."""
    pages = max(1, -(-len(items) // limit))
    pagination = {"limit": limit, "totalCount": len(items), "currentPage": page, "totalPageCount": pages}
    return pagination, items[(page - 1) * limit : page * limit]


def _error(status: int, message: str, headers: dict[str, str] | None = None) -> Response:
    return Json({"success": False, "errorMsg": message}, status, headers)
