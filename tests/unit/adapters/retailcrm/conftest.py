"""A fake RetailCRM, and a way to make the adapter that asks it."""

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from adapters.loyalty.retailcrm import spec
from adapters.loyalty.retailcrm.adapter import RetailCrmAdapter
from adapters.loyalty.retailcrm.client import RetailCrmClient
from bff.http import HttpClients
from bff.plugins import Adapter
from tests.patience import PATIENT
from tests.unit.adapters.fake_http import FakeServer

Make = Callable[..., Adapter]
MakeAt = Callable[[Callable[[], float]], RetailCrmAdapter]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def server() -> AsyncIterator[FakeServer]:
    async with FakeServer() as server:
        yield server


@pytest.fixture
async def make(server: FakeServer) -> AsyncIterator[Make]:
    closing: list[Callable[[], Awaitable[None]]] = []

    def make(**settings: Any) -> Adapter:
        raw = {"adapter": "retailcrm", "address": server.address, "api_key": "k-e-y-77", **PATIENT, **settings}
        adapter = spec.build("loyalty", spec.settings_from(raw, Path()), HttpClients())
        closing.append(adapter.close)
        return adapter

    yield make
    for close in closing:
        await close()


@pytest.fixture
async def make_at(server: FakeServer) -> AsyncIterator[MakeAt]:
    """An adapter with a clock of the test's."""
    closing: list[Callable[[], Awaitable[None]]] = []

    def make_at(now: Callable[[], float]) -> RetailCrmAdapter:
        raw = {"adapter": "retailcrm", "address": server.address, "api_key": "k", **PATIENT}
        settings = spec.settings_from(raw, Path())
        http = HttpClients().open("loyalty", settings.address, settings.limits)
        closing.append(http.close)
        return RetailCrmAdapter(RetailCrmClient(http, back_office="loyalty", pool=1, now=now), settings)

    yield make_at
    for close in closing:
        await close()
