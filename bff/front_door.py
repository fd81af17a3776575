"""The front door, put together: store, senders, sessions, identity providers, and who is believed."""

import secrets
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from pydantic import SecretStr, ValidationError
from starlette.requests import Request
from starlette.routing import BaseRoute

from bff.config import LoadedSettings, faults_of
from bff.domain import Contact, ContactKind, CustomerId, Registration
from bff.domain.clock import Clock
from bff.errors import NotSupported
from bff.http import HttpClients
from bff.identity.attempts import Seal
from bff.identity.audit import Audit
from bff.identity.contact import load as load_contacts
from bff.identity.providers import IdentityProvider, ProviderSubject
from bff.identity.sessions import Mode, Session
from bff.identity.sign_in import SignIn
from bff.identity.store import SqliteStore, Store
from bff.identity.subkeys import Subkeys
from bff.plugins import SettingsFault
from bff.ports import Customers
from bff.resolvers.sessions import cookie_of
from bff.resolvers.shop import Shop, SignInKind, SignInWay
from bff.senders import Sender, discover_senders, open_sender
from bff.web.networks import Networks
from bff.web.sign_in_pages import SignedIn, SignInPages

REGISTRATION = "registration_ticket"
"""The parameter of the return address that holds a ticket: the shop does not know who signed in at a provider."""

WAYS: Mapping[ContactKind, SignInKind] = {
    ContactKind.PHONE: SignInKind.PHONE_CODE,
    ContactKind.EMAIL: SignInKind.EMAIL_CODE,
}


@dataclass(frozen=True, slots=True)
class FrontDoor:
    """
    How customers get in here. Without `sign_in` they do not: tokens are the shop's own provider's.

    `audit` is always there, for what the staff look at and for alarms.
    """

    audit: Audit = field(default_factory=lambda: Audit(secrets.token_bytes(32)))
    sign_in: SignIn | None = None
    store: Store | None = None
    senders: Mapping[ContactKind, Sender] = field(default_factory=dict)
    providers: Mapping[str, IdentityProvider] = field(default_factory=dict)
    pages: Sequence[BaseRoute] = ()
    folder: TemporaryDirectory[str] | None = None
    """Of a demo's store, which is forgotten with it."""

    @property
    def ways(self) -> tuple[SignInWay, ...]:
        """The ways in that there are."""
        kinds = self.sign_in.kinds if self.sign_in else frozenset()
        codes = [SignInWay(WAYS[kind]) for kind in ContactKind if kind in kinds]
        paths = [SignInWay(SignInKind.PROVIDER, name, f"/auth/login/{name}") for name in self.providers]
        return (*codes, *paths)

    async def open(self) -> None:
        """Open the store. Raises `StoreUnavailable` where it cannot be used."""
        if self.store is not None:
            await self.store.open()

    def forget(self) -> None:
        """Take away a demo's store: for a door that is not opened after all."""
        if self.folder is not None:
            self.folder.cleanup()

    async def close(self) -> None:
        """Let codes go that are on their way, then close everything."""
        async with AsyncExitStack() as stack:
            stack.callback(self.forget)
            if self.store is not None:
                stack.push_async_callback(self.store.close)
            for sender in self.senders.values():
                stack.push_async_callback(sender.close)
            for provider in self.providers.values():
                stack.push_async_callback(provider.close)
            if self.sign_in is not None:
                await self.sign_in.close()


class _NobodyKnown:
    """For a shop where identity providers say who the customer is, and no back office is asked."""

    async def find(self, contacts: Sequence[Contact]) -> Mapping[Contact, CustomerId]:
        """Not here."""
        raise NotSupported("no back office knows customers by contact; see sections.customers")

    async def register(self, registration: Registration) -> CustomerId:
        """Not here."""
        raise NotSupported("no back office knows customers by contact; see sections.customers")


def open_front_door(loaded: LoadedSettings, customers: Customers | None, faults: list[str], clock: Clock) -> FrontDoor:
    """Build the front door; talks to nobody. What is wrong with the settings goes to `faults`."""
    settings = loaded.settings
    if settings.sessions is None:
        faults += [
            f"{table}: needs [sessions], which switches signing in on"
            for table in ("senders", "providers")
            if getattr(settings, table)
        ]
        return FrontDoor()
    keys = Subkeys(settings.sessions.secret.get_secret_value())
    clients = HttpClients(clock)
    senders = _senders(loaded, clients, faults, clock)
    faults += _unknown_customers(loaded, customers)
    folder = None
    store: Store | None = None
    if loaded.demo and settings.store.path is None and settings.store.redis_url is None:
        folder = TemporaryDirectory(prefix="kabinet-demo-")
        store = SqliteStore(Path(folder.name) / "kabinet.sqlite", clock=clock)
    else:
        store = _store(loaded, faults, clock)
    if store is None:
        return FrontDoor(Audit(keys.key("audit")))
    load_contacts()
    sign_in = SignIn(store, senders, customers or _NobodyKnown(), settings.sign_in, settings.sessions, clock=clock)
    providers = _providers(loaded, clients, faults, clock)
    pages = SignInPages(
        providers,
        Seal(keys.key("providers"), clock=clock),
        finish=_Finish(sign_in, Networks(settings.server.forwarded_from)),
        site=settings.server.site or "",
    )
    return FrontDoor(sign_in.audit, sign_in, store, senders, providers, pages.routes() if providers else (), folder)


def shop_of(loaded: LoadedSettings, door: FrontDoor) -> Shop:
    """What a guest may see."""
    sections = loaded.settings.sections
    on = {
        "profile": sections.profile,
        "lastOrder": sections.orders,
        "bonuses": sections.bonuses,
        "favorites": sections.favorites,
        "offers": sections.offers,
    }
    return Shop(loaded.settings.shop.name, tuple(name for name, office in on.items() if office), door.ways)


class _Finish:
    """Makes a session of who signed in at a provider: a browser's, in a cookie."""

    def __init__(self, sign_in: SignIn, networks: Networks) -> None:
        self._sign_in = sign_in
        self._networks = networks

    async def __call__(self, _: str, subject: ProviderSubject, request: Request) -> SignedIn:
        forwarded = request.headers.get("x-forwarded-for")
        client = request.client.host if request.client else None
        network = self._networks.of(client, forwarded.encode("latin-1") if forwarded else None)
        outcome = await self._sign_in.sign_in_by_provider(subject, network.name, Mode.COOKIE)
        if isinstance(outcome, Session):
            return SignedIn((cookie_of(outcome) or "",))
        return SignedIn(parameters={REGISTRATION: outcome.ticket})


def _senders(
    loaded: LoadedSettings, clients: HttpClients, faults: list[str], clock: Clock
) -> dict[ContactKind, Sender]:
    specs: Mapping[str, Any] = discover_senders()
    found: dict[ContactKind, Sender] = {}
    for kind, table in loaded.settings.senders.items():
        prefix = f"senders.{kind.value}"
        try:
            found[kind] = open_sender(
                kind, table, loaded.folder, specs=specs, clients=clients, clock=clock, demo=loaded.demo
            )
        except ValidationError as error:
            faults += faults_of(error, prefix)
        except SettingsFault as fault:
            faults += [f"{prefix}.{line}" for line in fault.faults]
    return found


def _store(loaded: LoadedSettings, faults: list[str], clock: Clock) -> Store | None:
    settings = loaded.settings.store
    if settings.path is not None:
        return SqliteStore(settings.path, clock=clock, limit_seconds=(settings.limit_ms or 5_000) / 1000)
    if settings.redis_url is None:
        if "store" not in loaded.wrong:
            faults.append("store: set path, a file that outlives restarts, or redis_url")
        return None
    return _redis_store(loaded, settings.redis_url, faults)


def _redis_store(loaded: LoadedSettings, url: SecretStr, faults: list[str]) -> Store | None:
    # The client library costs a third of a second to import: only who has a Redis pays.
    from bff.identity.store.redis_store import RedisStore  # noqa: PLC0415
    from bff.sources.redis_url import open_client  # noqa: PLC0415

    settings = loaded.settings.store
    try:
        client = open_client(url.get_secret_value(), connections=settings.redis_connections)
    except ValueError as error:
        faults.append(f"store.redis_url: {error}")
        return None
    return RedisStore(client, shop=loaded.settings.shop.name, limit_seconds=(settings.limit_ms or 500) / 1000)


def _providers(
    loaded: LoadedSettings, clients: HttpClients, faults: list[str], clock: Clock
) -> dict[str, IdentityProvider]:
    address = loaded.settings.server.public_address
    if loaded.settings.providers and address is None:
        faults.append("server.public_address: is missing; identity providers send browsers back there")
        return {}
    return {
        name: IdentityProvider(name, table, clients, redirect_uri=f"{address}/auth/callback/{name}", clock=clock)
        for name, table in loaded.settings.providers.items()
    }


def _unknown_customers(loaded: LoadedSettings, customers: Customers | None) -> list[str]:
    """Who signs in by a contact must be known by it to a back office."""
    settings = loaded.settings
    by_contact = settings.senders or any(each.customer_claim is None for each in settings.providers.values())
    if not by_contact or customers is not None or settings.sections.customers:
        return []
    return ["sections.customers: is missing: say which back office knows customers by phone and mail"]
