"""The CMS: a small JSON API in front of the shop's site, with favorites, the catalogue and what the shop offers."""

import secrets
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response

from bff.demo.data import goods, people
from bff.demo.data.favorites import favorites
from bff.demo.data.goods import Product
from bff.demo.data.promotions import Promotion, promotions
from bff.demo.data.world import World
from bff.demo.office import Handler, Json, Office

MOST_PRODUCTS = 100
"""Products that may be asked for at once."""

_MALFORMED = '{"items": [{"customer_id": "c-10'


class Cms:
    """The API.

    Args:
        world: whose data to serve.
        token: what ``Authorization: Bearer …`` must say.
    """

    def __init__(self, world: World, *, token: str) -> None:
        self._world = world
        self._token = token.encode()
        self._routes: tuple[tuple[str, str, Handler], ...] = (
            ("/api/favorites", "favorites", self._favorites),
            ("/api/products", "products", self._products),
            ("/api/promotions", "promotions", self._promotions),
        )
        self._office = Office(
            "cms",
            [operation for _, operation, _ in self._routes],
            malformed=lambda _: Response(_MALFORMED, media_type="application/json"),
            technical_fault=lambda _: _error(500, "internal", "Не удалось выполнить запрос к базе данных"),
        )

    def app(self) -> Starlette:
        """Return the application."""
        return self._office.app(
            self._office.route(path, operation, self._guarded(handler)) for path, operation, handler in self._routes
        )

    def _guarded(self, handler: Handler) -> Handler:
        async def guarded(request: Request, wrong_owner: bool) -> Response:
            scheme, _, token = request.headers.get("Authorization", "").partition(" ")
            if scheme.lower() != "bearer" or not secrets.compare_digest(token.encode(), self._token):
                return _error(401, "unauthorized", "Нужен действующий токен", {"WWW-Authenticate": "Bearer"})
            return await handler(request, wrong_owner)

        return guarded

    async def _favorites(self, request: Request, wrong_owner: bool) -> Response:
        asked = _ids(request, "customer_ids")
        if not asked:
            return _error(400, "missing_parameter", "Не указан параметр customer_ids")
        numbers = [number for number in map(people.number_of, asked) if number is not None]
        if wrong_owner:
            numbers = people.strangers(numbers, lambda number: bool(favorites(self._world, number)))
        items = [self._favorites_json(number) for number in numbers]
        # Who they are, only the ERP knows; whoever they are, they have marked nothing yet.
        items += [{"customer_id": customer, "products": []} for customer in filter(people.is_registered, asked)]
        return Json({"items": items})

    async def _products(self, request: Request, _: bool) -> Response:
        asked = _ids(request, "ids")
        if not asked:
            return _error(400, "missing_parameter", "Не указан параметр ids")
        if len(asked) > MOST_PRODUCTS:
            return _error(400, "too_many_ids", f"Не больше {MOST_PRODUCTS} товаров за один запрос")
        numbers = [number for number in map(goods.product_number, asked) if number is not None]
        return Json({"items": [_product_json(goods.product(self._world, number)) for number in numbers]})

    async def _promotions(self, _: Request, __: bool) -> Response:
        return Json({"items": [_promotion_json(promotion) for promotion in promotions(self._world)]})

    def _favorites_json(self, number: int) -> dict[str, Any]:
        return {
            "customer_id": people.customer_id(number),
            "products": [
                {"id": favorite.product_id, "added_at": favorite.added_at.isoformat()}
                for favorite in favorites(self._world, number)
            ],
        }


def _product_json(product: Product) -> dict[str, Any]:
    return {
        "id": product.id,
        "name": product.name,
        "url": product.url,
        "image": product.image,
        "price": {"amount": str(product.price), "currency": "RUB"},
        "available": product.available,
    }


def _promotion_json(promotion: Promotion) -> dict[str, Any]:
    return {
        "id": promotion.id,
        "kind": promotion.kind,
        "title": promotion.title,
        "text": promotion.text,
        "image": promotion.image,
        "url": promotion.url,
        "promo_code": promotion.promo_code,
        "starts": promotion.starts.isoformat(),
        "ends": None if promotion.ends is None else promotion.ends.isoformat(),
    }


def _ids(request: Request, parameter: str) -> list[str]:
    """Return the ids of a comma-separated parameter, in order, each once."""
    given = request.query_params.get(parameter, "").split(",")
    return list(dict.fromkeys(one for one in given if one))


def _error(status: int, code: str, message: str, headers: dict[str, str] | None = None) -> Response:
    return Json({"error": {"code": code, "message": message}}, status, headers)
