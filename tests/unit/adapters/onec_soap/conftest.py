"""A fake 1C, and a way to make the adapter that asks it."""

from collections.abc import AsyncIterator, Awaitable, Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from adapters.erp.onec_soap import client, spec
from adapters.erp.onec_soap.adapter import connect
from adapters.erp.onec_soap.mapping import Calls, load_calls
from bff.http import HttpClients
from bff.mapping import MappingFile
from bff.plugins import Adapter
from tests.patience import PATIENCE_SECONDS, PATIENT
from tests.unit.adapters.onec_soap.fake_1c import FakeOneC

HERE = Path(__file__).parent

Make = Callable[..., Adapter]


def raw_settings(address: str) -> dict[str, Any]:
    """The back office's table, as it stands in kabinet.toml."""
    return {
        "adapter": "onec_soap",
        "address": address,
        "wsdl": HERE / "shop.wsdl",
        "mapping": "shop.toml",
        "user": "кабинет",
        "password": "тайна",
        **PATIENT,
    }


@cache
def _files(mapping: Path, soap: str, batch: int) -> tuple[MappingFile, Calls]:
    # zeep takes 30 ms for the WSDL, and nearly every test makes an adapter.
    raw = {**raw_settings("http://localhost"), "mapping": mapping, "soap": soap, "batch": batch}
    return load_calls(spec.settings_from(raw, HERE))


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def server() -> AsyncIterator[FakeOneC]:
    async with FakeOneC() as server:
        yield server


@pytest.fixture
async def make(server: FakeOneC, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Make]:
    monkeypatch.setattr(client, "_FAREWELL_SECONDS", PATIENCE_SECONDS)
    closing: list[Callable[[], Awaitable[None]]] = []

    def make(folder: Path = HERE, **changed: Any) -> Adapter:
        raw = {**raw_settings(server.address), **changed}
        settings = spec.settings_from(raw, folder)
        adapter = connect("erp", settings, *_files(settings.mapping, settings.soap, settings.batch), HttpClients())
        closing.append(adapter.close)
        return adapter

    yield make
    # What a test has left hanging is not said farewell to.
    monkeypatch.setattr(client, "_FAREWELL_SECONDS", 0.03)
    for close in closing:
        await close()


@pytest.fixture
def adapter(make: Make) -> Adapter:
    return make()
