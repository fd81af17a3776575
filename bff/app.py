"""The one place where the parts are put together."""

from asyncio import gather
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import structlog
from pydantic import ValidationError
from starlette.applications import Starlette

from bff.config import IdentitySettings, LoadedSettings, SettingsError, faults_of, no_adapter
from bff.domain.clock import Clock, utc_now
from bff.front_door import FrontDoor, open_front_door, shop_of
from bff.http import HttpClients
from bff.identity import TokenVerifier, read_jwks, shared_secret
from bff.identity.keys import Keys, SigningKeys
from bff.identity.published import ProviderHttp, Published, from_discovery, from_jwks_url
from bff.loaders import Loaders
from bff.plugins import Adapter, AdapterSpec, BackOfficeSettings, Secret, SettingsFault, discover
from bff.resolvers.context import Services
from bff.schema import graphql_schema
from bff.sources import Sections, Sources, Storage, make_storage, route
from bff.web.bearer import who_asks
from bff.web.graphiql_page import GraphiqlPage
from bff.web.graphql import GraphQLEndpoint
from bff.web.hooks import Hooks
from bff.web.networks import Networks
from bff.web.operations import Operations, UnusableDocuments
from bff.web.origins import Origins
from bff.web.persisted import read_documents
from bff.web.routes import CabinetApp, routes

log = structlog.get_logger("kabinet.app")


@dataclass(frozen=True, slots=True)
class Cabinet:
    """The parts of a service, built and not yet serving."""

    loaded: LoadedSettings
    adapters: Mapping[str, Adapter]
    sources: Sources
    verifier: TokenVerifier | None
    """Of the shop's own identity provider, where it has one."""
    clock: Clock = utc_now
    hook_secrets: Mapping[str, Secret] = field(default_factory=dict)
    """By back office, what its webhooks are signed with."""
    operations: Operations | None = None
    """With the front ends' own documents, where the settings name a folder of them."""
    door: FrontDoor = field(default_factory=FrontDoor)

    async def open(self) -> None:
        """Connect to what is to be connected before the first request; to be called where the cabinet serves."""
        if self.sources.storage is not None:
            await self.sources.storage.open()
        await self.door.open()

    async def close(self) -> None:
        """Let go of the back offices: sessions are ended, connections closed. One that fails holds up no other."""
        await self.door.close()
        await self.sources.close()
        if self.verifier is not None:
            await self.verifier.close()
        closed = await gather(*(adapter.close() for adapter in self.adapters.values()), return_exceptions=True)
        for name, outcome in zip(self.adapters, closed, strict=True):
            if isinstance(outcome, Exception):
                log.warning("back office not closed", back_office=name, error=type(outcome).__name__)


def assemble(loaded: LoadedSettings, *, clock: Clock = utc_now) -> Cabinet:
    """
    Build every part from the settings. Nobody is talked to.

    Raises `SettingsError` with every fault: those that were found when the settings were read, then those in the back
    offices' tables, their files, the sections and the keys.
    """
    settings = loaded.settings
    faults = [*loaded.faults]
    adapters, of_back_offices = open_back_offices(loaded, discover(), faults, clock)
    storage = _storage(loaded, faults, clock)
    verifier = None if "identity" in loaded.wrong else _verifier(loaded, faults, clock)
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
    faults += _no_catalogue(settings.sections, adapters)
    door = open_front_door(loaded, sources.customers, faults, clock)
    operations = None if {"server", "limits"} & loaded.wrong else _operations(loaded, faults)
    if faults:
        door.forget()
        raise SettingsError(faults)
    secrets = {name: table.hook_secret for name, table in of_back_offices.items() if table.hook_secret is not None}
    return Cabinet(loaded, adapters, sources, verifier, clock, secrets, operations, door)


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
            faults.append(f"{prefix}.adapter: {no_adapter(table.get('adapter'), specs)}")
            continue
        try:
            settings[name] = spec.settings_from(table, loaded.folder)
            adapters[name] = spec.build(name, settings[name], clients)
        except ValidationError as error:
            faults += faults_of(error, prefix)
        except SettingsFault as fault:
            faults += [f"{prefix}: {line}" for line in fault.faults]
    return adapters, settings


def _no_catalogue(sections: Sections, adapters: Mapping[str, Adapter]) -> list[str]:
    """Favorites are ids of products: without a catalogue there is nothing to show. (One that is named is checked.)"""
    adapter = adapters.get(sections.favorites or "")
    if sections.products or adapter is None or adapter.products is not None:
        return []
    return ["sections.favorites: no back office serves products, which favorites are made of; set sections.products"]


def _storage(loaded: LoadedSettings, faults: list[str], clock: Clock) -> Storage | None:
    cache = loaded.settings.cache
    if not cache.enabled:
        return None
    try:
        return make_storage(
            loaded.settings.freshness,
            shop=loaded.settings.shop.name,
            max_entries=cache.max_entries,
            max_bytes=cache.max_megabytes * 1_000_000,
            redis_url=cache.redis_url,
            redis_connections=cache.redis_connections,
            redis_limit_seconds=cache.redis_limit_ms / 1000,
            clock=clock,
        )
    except ValueError as error:
        faults.append(f"cache.redis_url: {error}")
        return None


def _operations(loaded: LoadedSettings, faults: list[str]) -> Operations | None:
    """The operations with those of the folder; None where there is none, or where it cannot be used."""
    server, limits = loaded.settings.server, loaded.settings.limits
    if server.operations is None:
        return None
    documents = read_documents(server.operations, limits)
    faults += [f"server.operations: {fault}" for fault in documents.faults]
    try:
        return Operations(
            graphql_schema(),
            limits,
            introspection=server.introspection,
            known=documents.texts,
            only_known=server.operations_mode == "known-only",
        )
    except UnusableDocuments as unusable:
        # One document in several forms is one fault.
        found = {documents.places[text]: refusal for text, refusal in unusable.refusals.items()}
        for place, refusal in sorted(found.items()):
            faults.append(f"server.operations: {place}: {refusal.code.value}: {refusal.errors[0].message}")
        return None


def _verifier(loaded: LoadedSettings, faults: list[str], clock: Clock) -> TokenVerifier | None:
    identity = loaded.settings.identity
    if identity is None:
        return None
    try:
        keys = _keys(identity, clock)
    except ValueError as error:
        faults.append(f"identity.jwks_file: {error}")
        return None
    return TokenVerifier(
        keys,
        issuer=identity.issuer,
        audience=identity.audience,
        customer_claim=identity.customer_claim,
        scopes_claim=identity.scopes_claim,
        token_type=identity.token_type,
        leeway_seconds=identity.leeway_seconds,
        clock=clock,
    )


def _keys(identity: IdentitySettings, clock: Clock) -> SigningKeys | Keys:
    if identity.jwks_file is not None:
        return read_jwks(identity.jwks_file)
    if identity.secret is not None:
        return shared_secret(identity.secret.get_secret_value())
    url, issuer = identity.jwks_url, identity.issuer
    http = ProviderHttp(
        HttpClients(clock),
        "identity",
        address=url or issuer,
        ca_file=identity.ca_file,
        allow_plain_http=identity.allow_plain_http,
    )
    return Published(
        http,
        (lambda: from_discovery(http, issuer)) if url is None else (lambda: from_jwks_url(http, url)),
        refresh_seconds=identity.keys_refresh_seconds,
    )


def create_app(cabinet: Cabinet, *, graphiql_headers: Callable[[], Mapping[str, str]] = dict) -> Starlette:
    """The ASGI application. It closes the cabinet when it shuts down."""
    server = cabinet.loaded.settings.server
    limits, identity = cabinet.loaded.settings.limits, cabinet.loaded.settings.identity
    endpoint = GraphQLEndpoint(
        operations=cabinet.operations or Operations(graphql_schema(), limits, introspection=server.introspection),
        who=who_asks(cabinet.verifier, cabinet.door.sign_in),
        services=Services(
            shop=shop_of(cabinet.loaded, cabinet.door),
            sign_in=cabinet.door.sign_in,
            audit=cabinet.door.audit,
            staff_scope=identity.staff_scope if identity else None,
        ),
        loaders=lambda: Loaders(cabinet.sources, server.dashboard_ms / 1000),
        today=lambda: cabinet.clock().astimezone(cabinet.loaded.settings.shop.time_zone).date(),
        limits=limits,
        networks=Networks(server.forwarded_from),
        origins=Origins(server.origins, methods=("GET", "POST") if server.get_queries else ("POST",)),
        get_queries=server.get_queries,
    )
    graphiql = GraphiqlPage(graphiql_headers) if server.graphiql else None
    storage = cabinet.sources.storage
    hooks = Hooks(cabinet.hook_secrets, cache=storage.cache if storage else None, clock=cabinet.clock)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        await cabinet.open()
        yield
        await cabinet.close()

    return CabinetApp(
        endpoint, graphiql, routes=[*routes(graphiql, hooks, cabinet.adapters), *cabinet.door.pages], lifespan=lifespan
    )
