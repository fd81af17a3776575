"""The one place where the parts are put together."""

from asyncio import gather
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import structlog
from pydantic import ValidationError
from starlette.applications import Starlette
from starlette.middleware import Middleware

from bff.config import LoadedSettings, SettingsError, faults_of
from bff.domain.clock import Clock, utc_now
from bff.http import HttpClients
from bff.identity import TokenVerifier, read_jwks, shared_secret
from bff.loaders import Loaders
from bff.plugins import Adapter, AdapterSpec, BackOfficeSettings, SettingsFault, discover
from bff.schema import graphql_schema
from bff.sources import Cache, MemoryTier, Sources, Storage, route
from bff.web.graphiql_page import GraphiqlPage
from bff.web.graphql import GraphQLEndpoint
from bff.web.routes import NotStored, routes

log = structlog.get_logger("kabinet.app")


@dataclass(frozen=True, slots=True)
class Cabinet:
    """The parts of a service, built and not yet serving."""

    loaded: LoadedSettings
    adapters: Mapping[str, Adapter]
    sources: Sources
    verifier: TokenVerifier
    clock: Clock = utc_now

    async def close(self) -> None:
        """Let go of the back offices: sessions are ended, connections closed. One that fails holds up no other."""
        await self.sources.close()
        closed = await gather(*(adapter.close() for adapter in self.adapters.values()), return_exceptions=True)
        for name, outcome in zip(self.adapters, closed, strict=True):
            if isinstance(outcome, Exception):
                log.warning("back office not closed", back_office=name, error=type(outcome).__name__)


def assemble(loaded: LoadedSettings, *, clock: Clock = utc_now) -> Cabinet:
    """
    Build every part from the settings. Nobody is talked to.

    Raises `SettingsError` with every fault in the back offices' tables, their files, the sections and the keys.
    """
    settings = loaded.settings
    faults: list[str] = []
    adapters, of_back_offices = open_back_offices(loaded, discover(), faults, clock)
    storage = _storage(loaded, clock)
    verifier = _verifier(loaded, faults, clock)
    sources = Sources()
    try:
        sources = route(
            settings.sections,
            adapters,
            clock,
            settings=of_back_offices,
            storage=storage,
            broken=settings.back_offices.keys() - adapters.keys(),
        )
    except SettingsFault as fault:
        faults += fault.faults
    if faults or verifier is None:
        raise SettingsError(faults)
    return Cabinet(loaded, adapters, sources, verifier, clock)


def open_back_offices(
    loaded: LoadedSettings, specs: Mapping[str, AdapterSpec[Any]], faults: list[str], clock: Clock
) -> tuple[dict[str, Adapter], dict[str, BackOfficeSettings]]:
    """
    Build the adapter of each back office that can be built, and give it with its settings.

    What is wrong with the others goes to `faults`.
    """
    clients = HttpClients(clock)
    adapters: dict[str, Adapter] = {}
    settings: dict[str, BackOfficeSettings] = {}
    for name, table in loaded.settings.back_offices.items():
        prefix = f"back_offices.{name}"
        spec = specs.get(str(table.get("adapter")))
        if spec is None:
            known = ", ".join(sorted(specs))
            faults.append(f"{prefix}.adapter: there is no adapter {table.get('adapter')!r}; installed: {known}")
            continue
        try:
            settings[name] = spec.settings_from(table, loaded.folder)
            adapters[name] = spec.build(name, settings[name], clients)
        except ValidationError as error:
            faults += faults_of(error, prefix)
        except SettingsFault as fault:
            faults += [f"{prefix}: {line}" for line in fault.faults]
    return adapters, settings


def _storage(loaded: LoadedSettings, clock: Clock) -> Storage | None:
    cache = loaded.settings.cache
    if not cache.enabled:
        return None
    memory = MemoryTier(max_entries=cache.max_entries, max_bytes=cache.max_megabytes * 1_000_000, clock=clock)
    return Storage(Cache([memory], clock), loaded.settings.freshness, loaded.settings.shop.name)


def _verifier(loaded: LoadedSettings, faults: list[str], clock: Clock) -> TokenVerifier | None:
    identity = loaded.settings.identity
    try:
        if identity.jwks_file is not None:
            key: Any = read_jwks(identity.jwks_file)
        else:
            assert identity.secret is not None  # noqa: S101 (the settings insist on one of the two)
            key = shared_secret(identity.secret.get_secret_value())
    except ValueError as error:
        faults.append(f"identity.jwks_file: {error}")
        return None
    return TokenVerifier(
        key,
        issuer=identity.issuer,
        audience=identity.audience,
        customer_claim=identity.customer_claim,
        leeway_seconds=identity.leeway_seconds,
        clock=clock,
    )


def create_app(cabinet: Cabinet, *, graphiql_headers: Callable[[], Mapping[str, str]] = dict) -> Starlette:
    """The ASGI application. It closes the cabinet when it shuts down."""
    server = cabinet.loaded.settings.server
    endpoint = GraphQLEndpoint(
        graphql_schema(),
        verifier=cabinet.verifier,
        loaders=lambda: Loaders(cabinet.sources, server.dashboard_ms / 1000),
        today=lambda: cabinet.clock().astimezone(cabinet.loaded.settings.shop.time_zone).date(),
        introspection=server.introspection,
    )
    graphiql = GraphiqlPage(graphiql_headers) if server.graphiql else None

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        yield
        await cabinet.close()

    return Starlette(
        routes=routes(endpoint, graphiql, cabinet.adapters), middleware=[Middleware(NotStored)], lifespan=lifespan
    )
