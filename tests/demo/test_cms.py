"""The CMS: favorites, products, promotions."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

import httpx2
import pytest

from bff.demo.data import goods, orders
from bff.demo.data.world import World
from bff.demo.launch import DemoOffices

Get = Callable[[str], Any]


@pytest.fixture
def get(offices: DemoOffices, http: httpx2.Client) -> Get:
    """Returns the items of a good answer."""

    def do(path: str) -> Any:
        response = http.get(offices.cms.address + path, headers={"Authorization": "Bearer demo"})
        assert response.status_code == 200
        return response.json()["items"]

    return do


def test_favorites(get: Get, offices: DemoOffices) -> None:
    anna, oleg = get("/api/favorites?customer_ids=c-1001,c-1002,c-9999")
    assert oleg == {"customer_id": "c-1002", "products": []}
    assert anna["customer_id"] == "c-1001"
    assert len({product["id"] for product in anna["products"]}) == 14
    times = [datetime.fromisoformat(product["added_at"]) for product in anna["products"]]
    assert times == sorted(times, reverse=True)
    assert anna["products"][0]["added_at"].endswith("+03:00")
    assert offices.cms.calls() == {"favorites": 1}


def test_products_are_those_of_the_orders(get: Get, world: World, offices: DemoOffices) -> None:
    lines = orders.latest(world, 1001, 1)[0].lines
    products = get("/api/products?ids=" + ",".join([*(line.product_id for line in lines), "p-501", "p-017", "x"]))
    assert [(product["id"], product["name"]) for product in products] == [
        (line.product_id, line.name) for line in lines
    ]
    assert products[0]["price"] == {"amount": str(lines[0].price), "currency": "RUB"}
    assert set(products[0]) == {"id", "name", "url", "image", "price", "available"}
    assert offices.cms.calls() == {"products": 1}


def test_a_hundred_products_at_once_and_no_more(get: Get, offices: DemoOffices, http: httpx2.Client) -> None:
    assert len(get("/api/products?ids=" + ",".join(f"p-{number}" for number in range(1, 101)))) == 100
    too_many = "/api/products?ids=" + ",".join(f"p-{number}" for number in range(1, 102))
    refused = http.get(offices.cms.address + too_many, headers={"Authorization": "Bearer demo"})
    assert (refused.status_code, refused.json()["error"]["code"]) == (400, "too_many_ids")


def test_images_are_as_content_managers_leave_them(world: World) -> None:
    images = {(goods.product(world, number).image or "none")[:5] for number in range(1, goods.COUNT + 1)}
    assert images == {"https", "/medi", "none"}


def test_promotions_hold_today(get: Get, world: World, offices: DemoOffices) -> None:
    promotions = get("/api/promotions")
    assert len(promotions) == 8
    today = world.today.isoformat()
    assert all(offer["starts"] <= today and (offer["ends"] is None or today <= offer["ends"]) for offer in promotions)
    assert all((offer["kind"] == "coupon") == (offer["promo_code"] is not None) for offer in promotions)
    assert offices.cms.calls() == {"promotions": 1}


@pytest.mark.parametrize("authorization", ["", "Bearer wrong", "Basic demo", "Bearer"])
def test_sign_in(offices: DemoOffices, http: httpx2.Client, authorization: str) -> None:
    response = http.get(f"{offices.cms.address}/api/promotions", headers={"Authorization": authorization})
    assert (response.status_code, response.json()["error"]["code"]) == (401, "unauthorized")


@pytest.mark.parametrize("path", ["/api/favorites", "/api/products", "/api/favorites?customer_ids="])
def test_nothing_asked_for(offices: DemoOffices, http: httpx2.Client, path: str) -> None:
    response = http.get(offices.cms.address + path, headers={"Authorization": "Bearer demo"})
    assert (response.status_code, response.json()["error"]["code"]) == (400, "missing_parameter")
