"""What the tests of the core share."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from bff.http import HttpClient, HttpClients, HttpLimits
from tests.patience import PATIENCE_SECONDS
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
