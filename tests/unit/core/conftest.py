"""What the tests of the core share."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient
from structlog.testing import capture_logs

from bff.http import HttpClient, HttpClients, HttpLimits
from tests.fakes.back_offices import FakeBackOffice, account, favorites, offers, order, product, profile
from tests.patience import PATIENCE_SECONDS
from tests.unit.core.cabinets import client as client_of
from tests.unit.core.http_clients import NOW, Open


@pytest.fixture
async def client() -> AsyncIterator[Open]:
    """Opens patient clients, unless the test says less. Only a limit that is to be reached may be short."""
    clients = HttpClients(lambda: NOW)
    opened: list[HttpClient] = []

    def make(
        address: str, *, headers: dict[str, str] | None = None, ca_file: Path | None = None, **limits: Any
    ) -> HttpClient:
        kept = HttpLimits(**{"total_seconds": PATIENCE_SECONDS, "connect_seconds": PATIENCE_SECONDS, **limits})
        opened.append(clients.open("erp", address, kept, headers=headers, ca_file=ca_file))
        return opened[-1]

    yield make
    for each in opened:
        await each.close()


@pytest.fixture
def shop() -> FakeBackOffice:
    """A shop in good health, with one customer."""
    return FakeBackOffice(
        profiles={"c-1": profile("c-1")},
        latest_orders={"c-1": order("c-1", products=["p-1", "p-2"])},
        orders=lambda ids: {each: order("c-1" if each == "o-1" else "c-2", each) for each in ids if each != "o-404"},
        bonus_accounts={"c-1": account("c-1", pending=None, lots=())},
        favorites={"c-1": favorites("c-1", "p-1")},
        products=lambda ids: {each: product(each) for each in ids},
        promotions=offers("a", "b"),
        personal_offers={"c-1": offers("c", customer="c-1")},
    )


@pytest.fixture
def http(shop: FakeBackOffice) -> Iterator[TestClient]:
    with capture_logs(), client_of(shop) as made:
        yield made
