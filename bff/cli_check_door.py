"""`kabinet check`: what signing in needs. Senders, the store, and what identity providers publish about themselves."""

import asyncio
import os
from collections.abc import Awaitable, Mapping
from pathlib import Path
from typing import Any, Final

from bff.app import Cabinet
from bff.cli_check import Asked, advice_of, ask
from bff.config import IdentitySettings
from bff.errors import BadReply, KabinetError
from bff.http import HttpClients
from bff.identity.provider_settings import ProviderSettings
from bff.identity.published import Documents, ProviderHttp, from_discovery, from_jwks_url
from bff.identity.store import Store, StoreUnavailable

ENDPOINTS: Final = ("authorization_endpoint", "token_endpoint")


async def ask_door(cabinet: Cabinet) -> list[Asked]:
    """
    Everything that signing in needs and that may be away, side by side. No message is sent, and no customer asked for.

    A store that is good stays open: closing the cabinet closes it.
    """
    settings, door = cabinet.loaded.settings, cabinet.door
    made: list[Awaitable[Asked]] = []
    for kind, sender in door.senders.items():
        made.append(ask(f"senders.{kind.value}", str(settings.senders[kind]["adapter"]), sender.check))
    if door.store is not None:
        made.append(_ask_store(door.store, settings.store.path))
    if settings.identity is not None and (settings.identity.discovery or settings.identity.jwks_url):
        made.append(_ask_for_keys(settings.identity))
    for name, table in settings.providers.items():
        made.append(_ask_provider(name, table, f"{settings.server.public_address}/auth/callback/{name}"))
    return await asyncio.gather(*made)


async def _ask_store(store: Store, path: Path | None) -> Asked:
    async def check() -> str:
        if path is not None and not _is_there(path):
            # To make it would make it this user's, and the service may run as another.
            return "not there yet; the service makes it"
        await store.open()
        return "opened"

    return await ask("store", "redis" if path is None else "sqlite", check)


def _is_there(path: Path) -> bool:
    """Raises `StoreUnavailable` where it is not, and cannot be made."""
    if not path.exists() and not os.access(path.parent, os.W_OK):
        raise StoreUnavailable(f"{path.parent} cannot be written to by who runs this")
    return path.exists()


async def _ask_for_keys(identity: IdentitySettings) -> Asked:
    http = _http("identity", identity.jwks_url or identity.issuer, identity)

    async def check() -> str:
        url = identity.jwks_url
        documents = await (from_jwks_url(http, url) if url is not None else from_discovery(http, identity.issuer))
        return _keys(documents)

    try:
        return await ask("identity", "jwks_url" if identity.jwks_url else "discovery", check, advise=_advice)
    finally:
        await http.close()


async def _ask_provider(name: str, settings: ProviderSettings, redirect_uri: str) -> Asked:
    http = _http(name, settings.issuer, settings)

    async def check() -> str:
        documents = await from_discovery(http, settings.issuer)
        for endpoint in ENDPOINTS:
            url = documents.metadata.get(endpoint)
            if not isinstance(url, str) or not http.may_call(url):
                raise BadReply(f"its metadata has no {endpoint} that we call", back_office=name)
        said = f"{_keys(documents)}; redirect URI to register there: {redirect_uri}"
        return said if _knows_pkce(documents.metadata) else f"{said}; it does not say that it knows PKCE (S256)"

    try:
        return await ask(f"providers.{name}", "openid", check, advise=_advice)
    finally:
        await http.close()


def _http(name: str, address: str, settings: IdentitySettings | ProviderSettings) -> ProviderHttp:
    return ProviderHttp(
        HttpClients(),
        name,
        address=address,
        ca_file=settings.ca_file,
        allow_plain_http=settings.allow_plain_http,
    )


def _keys(documents: Documents) -> str:
    number = len(documents.keys.keys)
    return f"{number} key{'' if number == 1 else 's'}"


def _knows_pkce(metadata: Mapping[str, Any]) -> bool:
    methods = metadata.get("code_challenge_methods_supported")
    return isinstance(methods, list) and "S256" in methods


def _advice(error: KabinetError) -> str:
    if isinstance(error, BadReply):
        return "Compare the settings with what it publishes: the issuer, to the last slash, and the addresses."
    return advice_of(error)
