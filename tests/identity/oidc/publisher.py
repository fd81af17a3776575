"""A provider's published documents on a real socket, and who reads them; time passes when a test says so."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Final

import pytest

from bff.http import HttpClients
from bff.identity import TokenVerifier, published
from bff.identity.published import ProviderHttp, Published, from_discovery, from_jwks_url
from tests.fakes.http_server import Asked, Script, ScriptedServer, answers, scripted
from tests.identity.oidc.keys import AUDIENCE, jwks
from tests.patience import PATIENCE_SECONDS

METADATA = "/.well-known/openid-configuration"
KEYS = "/keys?for=cabinet"
PATIENT: Final = replace(published.LIMITS, total_seconds=PATIENCE_SECONDS, connect_seconds=PATIENCE_SECONDS)


def be_patient(patch: pytest.MonkeyPatch) -> None:
    """Let the service wait for providers as long as a busy machine takes."""
    patch.setattr(published, "LIMITS", PATIENT)


@dataclass(slots=True)
class Publisher:
    """A provider: `pages` says how each path answers."""

    server: ScriptedServer
    pages: dict[str, Script] = field(default_factory=dict)
    now: float = 1_000.0
    """Of the monotonic clock."""

    @property
    def issuer(self) -> str:
        """Its own address."""
        return self.server.address

    def publish(self, *names: str) -> None:
        """Publish these keys from now on."""
        self.pages[KEYS] = answers(jwks(*names))

    def describe(self, **changed: Any) -> None:
        """Publish metadata."""
        good = {"issuer": self.issuer, "jwks_uri": self.issuer + KEYS, **changed}
        self.pages[METADATA] = answers(json.dumps(good).encode())

    def fetches(self, path: str = KEYS) -> int:
        """How often a document was asked for."""
        return sum(asked.target == path for asked in self.server.asked)

    @asynccontextmanager
    async def published(self, *, discovery: bool = True, refresh_seconds: float = 3_600) -> AsyncIterator[Published]:
        """What the service has of it."""
        http = ProviderHttp(HttpClients(), "identity", address=self.issuer)

        async def fetch() -> Any:
            if discovery:
                return await from_discovery(http, self.issuer)
            return await from_jwks_url(http, self.issuer + KEYS)

        published = Published(http, fetch, refresh_seconds=refresh_seconds, monotonic=lambda: self.now)
        try:
            yield published
        finally:
            await published.close()

    @asynccontextmanager
    async def verifier(self, **more: Any) -> AsyncIterator[TokenVerifier]:
        """Who believes its tokens."""
        of_keys = {name: more.pop(name) for name in ("discovery", "refresh_seconds") if name in more}
        async with self.published(**of_keys) as published:
            yield TokenVerifier(published, issuer=self.issuer, audience=AUDIENCE, **more)


@asynccontextmanager
async def publisher() -> AsyncIterator[Publisher]:
    """A provider that publishes one key, `rsa-1`."""
    nothing = answers(b"", 404)

    async def script(asked: Asked, writer: asyncio.StreamWriter) -> None:
        await made.pages.get(asked.target, nothing)(asked, writer)

    async with scripted(script) as server:
        made = Publisher(server)
        made.publish("rsa-1")
        made.describe()
        yield made
