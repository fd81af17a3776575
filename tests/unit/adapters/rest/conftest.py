"""A fake CMS, and a way to make the adapter that asks it."""

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from adapters.cms.rest import spec
from bff.http import HttpClients
from bff.plugins import Adapter
from tests.patience import PATIENT
from tests.unit.adapters.fake_http import FakeServer

Make = Callable[..., Adapter]

MAPPING = """
format = 1
time_zone = "Europe/Moscow"

[reads.favorites.request]
path = "/api/favorites"
keys = "customer_ids"
query = { sort = "new" }

[reads.favorites.reply]
items = "items"
owner = "customer_id"
entries = "products"
fields = { product = "id" }

[reads.promotions]
request = { path = "/api/promotions" }
reply = { items = "items", fields = { id = "id", title = "title" } }

[reads.products]
request = { path = "/api/products", keys = "ids[]", style = "repeat" }
reply = { items = "items", fields = { id = "id", name = "name", price = "price" } }

[reads.profiles]
request = { path = "/api/customers/{key}/profile", style = "single", unknown_statuses = [404] }
reply = { items = ".", fields = { customer = "id", first_name = "name" } }
"""


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def server() -> AsyncIterator[FakeServer]:
    async with FakeServer() as server:
        yield server


@pytest.fixture
def mapping_file(tmp_path: Path) -> Path:
    file = tmp_path / "cms.toml"
    file.write_text(MAPPING, encoding="utf-8")
    return file


@pytest.fixture
def only_favorites(mapping_file: Path) -> None:
    mapping_file.write_text(MAPPING[: MAPPING.index("[reads.promotions]")], encoding="utf-8")


@pytest.fixture
async def make(server: FakeServer, mapping_file: Path) -> AsyncIterator[Make]:
    closing: list[Callable[[], Awaitable[None]]] = []

    def make(**settings: Any) -> Adapter:
        raw = {"adapter": "rest", "address": server.address, "mapping": mapping_file.name, **PATIENT, **settings}
        adapter = spec.build("cms", spec.settings_from(raw, mapping_file.parent), HttpClients())
        closing.append(adapter.close)
        return adapter

    yield make
    for close in closing:
        await close()
