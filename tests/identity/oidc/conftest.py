"""Providers for the tests."""

from collections.abc import AsyncIterator, Iterator

import pytest

from tests.identity.oidc.canaille import Canaille, running
from tests.identity.oidc.publisher import Publisher, be_patient, publisher


@pytest.fixture(autouse=True)
def _patience(monkeypatch: pytest.MonkeyPatch) -> None:
    be_patient(monkeypatch)


@pytest.fixture
async def provider(anyio_backend: str) -> AsyncIterator[Publisher]:
    """A provider that publishes metadata and one key."""
    assert anyio_backend == "asyncio"
    async with publisher() as made:
        yield made


@pytest.fixture(scope="session")
def canaille() -> Iterator[Canaille]:
    """A real OpenID provider that knows a few customers."""
    with running() as made:
        yield made
