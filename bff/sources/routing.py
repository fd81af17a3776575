"""Which back office serves which section."""

from collections.abc import Callable, Hashable, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, field_validator

from bff.domain import (
    BonusAccount,
    BonusExpirations,
    CustomerId,
    FavoriteList,
    OfferList,
    Order,
    OrderId,
    PendingBonuses,
    Product,
    ProductId,
    Profile,
    Registration,
)
from bff.domain.clock import Clock
from bff.plugins import Adapter, BackOfficeSettings, SettingsFault
from bff.ports import Promotions
from bff.sources.breaker import Breaker
from bff.sources.customers import CustomerDirectory, only_asked
from bff.sources.fetching import Fetcher
from bff.sources.guard import Courtesy, Guard
from bff.sources.outage import OutageLog
from bff.sources.read import EVERYBODY, Keeping, Read
from bff.sources.sharing import Lane, Slots
from bff.sources.storage import Storage
from bff.sources.tier import Place
from bff.sources.write import Write


def _listed(value: object) -> object:
    """Let `a,b` from the environment, or one name, stand for a list."""
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


class Sections(BaseModel):
    """Which back office serves which section. A section that is not named is switched off."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    customers: str | None = None
    """Who knows customers by phone and mail, and registers new ones; only for signing in by code."""
    profile: str | None = None
    orders: str | None = None
    bonuses: str | None = None
    favorites: str | None = None
    products: str | None = None
    """The catalogue behind favorites and order lines; not named: where the favorites come from, if it has one."""
    offers: Annotated[tuple[str, ...], BeforeValidator(_listed)] = ()
    """Several back offices' offers are merged, in this order."""

    @field_validator("offers")
    @classmethod
    def _each_once(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(names)) != len(names):
            raise ValueError("a back office is named twice")
        return names


@dataclass(frozen=True, slots=True)
class OfferSource:
    """One back office's offers; at least one of the two is there."""

    back_office: str
    promotions: Read[str, OfferList] | None
    personal: Read[CustomerId, OfferList] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """Every read there is, and who writes; None where the section is off or the back office does not have it."""

    profiles: Read[CustomerId, Profile] | None = None
    latest_orders: Read[CustomerId, Order | None] | None = None
    orders: Read[OrderId, Order] | None = None
    bonus_accounts: Read[CustomerId, BonusAccount | None] | None = None
    pending_bonuses: Read[BonusAccount, PendingBonuses] | None = None
    bonus_expirations: Read[BonusAccount, BonusExpirations] | None = None
    favorites: Read[CustomerId, FavoriteList] | None = None
    products: Read[ProductId, Product] | None = None
    offers: tuple[OfferSource, ...] = ()
    customers: CustomerDirectory | None = None
    made: tuple[Read[Any, Any] | Write[Any, Any], ...] = ()
    slots: tuple[Slots, ...] = ()
    storage: Storage | None = None

    async def close(self) -> None:
        """Give up what is under way, and let go of what is kept."""
        for made in self.made:
            await made.close()
        for slots in self.slots:
            await slots.close()
        if self.storage is not None:
            await self.storage.cache.close()


def _everybody(port: Promotions) -> Callable[[Sequence[str]], Any]:
    async def ask(_: Sequence[str]) -> dict[str, OfferList]:
        return {EVERYBODY: await port.promotions()}

    return ask


def _account_owner(account: BonusAccount) -> CustomerId:
    return account.customer


@dataclass(frozen=True, slots=True)
class _Method:
    """
    A port's method that a section reads by.

    `key` gives the key under which an answer stands; `value_type` is None for what is not kept: orders by id are
    found under tags of their owner only once they are here, so a drop could not keep an old one out.
    """

    name: str
    port: str
    value_type: Any
    owned: bool = True
    key: Callable[[Any], Hashable] = lambda key: key
    stale_for_bad_values: bool = True


SECTIONS: Mapping[str, tuple[_Method, ...]] = {
    "profile": (_Method("profiles", "profiles", Profile),),
    "orders": (
        _Method("latest_orders", "orders", Order | None),
        _Method("orders", "orders", None, owned=False),
    ),
    "bonuses": (
        # An old balance beside one that cannot be read would be shown as if it were still so.
        _Method("bonus_accounts", "bonuses", BonusAccount | None, stale_for_bad_values=False),
        _Method("pending_bonuses", "bonus_details", PendingBonuses, key=_account_owner, stale_for_bad_values=False),
        _Method("bonus_expirations", "bonus_details", BonusExpirations, key=_account_owner, stale_for_bad_values=False),
    ),
    "favorites": (_Method("favorites", "favorites", FavoriteList),),
    "products": (_Method("products", "products", Product, owned=False),),
}
"""The reads of each section; its back office must have the port of the first."""

# Not kept: who is unknown now may be registered the next moment. Who was asked for is compared where it is asked.
FIND = _Method("find", "customers", None, owned=False)

PROMOTIONS = _Method("promotions", "promotions", OfferList, owned=False)
PERSONAL_OFFERS = _Method("personal_offers", "personal_offers", OfferList)


class _Office:
    """A back office on the road: its slots and courtesy are shared by all its reads."""

    def __init__(self, name: str, adapter: Adapter, settings: BackOfficeSettings) -> None:
        self.name = name
        self.adapter = adapter
        self.settings = settings
        self.slots = Slots(settings.pool, settings.guard.queue, name)
        self.courtesy = Courtesy(settings.guard.retry_share)

    def guard(self, *, writes: bool = False) -> Guard:
        guard = self.settings.guard
        milliseconds = self.settings.write_timeout_ms if writes else self.settings.timeout_ms
        breaker = Breaker(
            window_seconds=guard.breaker_window_seconds,
            least_calls=guard.breaker_least_calls,
            failure_share=guard.breaker_failure_share,
            open_seconds=guard.breaker_open_seconds,
        )
        return Guard(milliseconds / 1000, breaker, self.courtesy, self.name)


class _Router:
    def __init__(
        self,
        adapters: Mapping[str, Adapter],
        clock: Clock,
        settings: Mapping[str, BackOfficeSettings],
        storage: Storage | None,
        broken: Set[str],
    ) -> None:
        self._broken = broken
        self._offices = {
            name: _Office(name, adapter, settings.get(name) or _DEFAULTS) for name, adapter in adapters.items()
        }
        self._clock = clock
        self._storage = storage
        self._outages = OutageLog()
        self.faults: list[str] = []
        self.made: list[Read[Any, Any] | Write[Any, Any]] = []

    @property
    def slots(self) -> list[Slots]:
        return [office.slots for office in self._offices.values()]

    def serving(self, section: str, back_office: str, ports: tuple[str, ...]) -> _Office | None:
        """The back office of a section, if it is there and has one of the ports; else a fault is noted."""
        office = self._offices.get(back_office)
        if back_office in self._broken:
            # What it has can be said only when it could be built; why it could not has been said.
            return None
        if office is None:
            known = ", ".join(sorted(self._offices.keys() | self._broken)) or "none"
            self.faults.append(f"sections.{section}: there is no back office {back_office!r}; configured: {known}")
        elif not office.adapter.ports.intersection(ports):
            has = ", ".join(sorted(office.adapter.ports)) or "nothing"
            self.faults.append(
                f"sections.{section}: back office {back_office!r} lacks the port {' or '.join(ports)}; it serves {has}"
            )
        else:
            return office
        return None

    def read(self, section: str, office: _Office, method: _Method, ask: Callable[[Any], Any]) -> Read[Any, Any]:
        keeping = self._keeping(section, office, method)
        guard = office.guard()
        fetcher: Fetcher[Any, Any] = Fetcher(
            office.name,
            method.name,
            ask,
            owned=method.owned,
            key=method.key,
            guard=guard,
            keeper=keeping,
            clock=self._clock,
            outages=self._outages,
        )
        batch = office.adapter.batches.get(method.name, office.settings.batch)
        lane: Lane[Any, Any] = Lane(office.slots, fetcher, batch=batch, refusal=guard.refusal)
        made: Read[Any, Any] = Read(
            office.name, method.name, lane, keeping=keeping, clock=self._clock, refresh_seconds=2 * guard.seconds
        )
        self.made.append(made)
        return made

    def section(self, section: str, back_office: str) -> dict[str, Read[Any, Any]]:
        methods = SECTIONS[section]
        office = self.serving(section, back_office, (methods[0].port,))
        return {
            method.name: self.read(section, office, method, getattr(port, method.name))
            for method in methods
            if office is not None and (port := getattr(office.adapter, method.port)) is not None
        }

    def customers(self, back_office: str) -> CustomerDirectory | None:
        office = self.serving("customers", back_office, ("customers",))
        port = office.adapter.customers if office is not None else None
        if office is None or port is None:
            return None
        registering: Write[Registration, CustomerId] = Write(
            office.name,
            "register",
            port.register,
            key=lambda registration: registration.contact,
            guard=office.guard(writes=True),
            outages=self._outages,
        )
        self.made.append(registering)
        finding = self.read("customers", office, FIND, only_asked(port))
        return CustomerDirectory(finding, registering, seconds=2 * office.settings.timeout_ms / 1000)

    def offers(self, back_office: str) -> OfferSource | None:
        office = self.serving("offers", back_office, ("promotions", "personal_offers"))
        if office is None:
            return None
        promotions, personal = office.adapter.promotions, office.adapter.personal_offers
        return OfferSource(
            back_office,
            self.read("offers", office, PROMOTIONS, _everybody(promotions)) if promotions else None,
            self.read("offers", office, PERSONAL_OFFERS, personal.personal_offers) if personal else None,
        )

    def _keeping(self, section: str, office: _Office, method: _Method) -> Keeping[Any, Any] | None:
        if self._storage is None or method.value_type is None:
            return None
        shop, name = self._storage.shop, method.name
        # The narrowest tag stands last: see `Read`.

        def own(key: Any) -> Place:
            owner = str(method.key(key))
            kept = f"{owner}:{key.id}" if isinstance(key, BonusAccount) else owner
            return Place(f"{shop}:{name}:{office.name}:{kept}", (f"customer:{owner}", f"{section}:{owner}"))

        def shared(key: Any) -> Place:
            return Place(f"{shop}:{name}:{office.name}:{key}", (section, f"{section}:{key}"))

        return Keeping(
            self._storage.cache,
            getattr(self._storage.freshness, section),
            method.value_type,
            place=own if method.owned else shared,
            owner=(lambda key: str(method.key(key))) if method.owned else (lambda _: ""),
            clock=self._clock,
            stale_for_bad_values=method.stale_for_bad_values,
        )


_DEFAULTS = BackOfficeSettings(adapter="", address="https://back-office.invalid")


def route(
    sections: Sections,
    adapters: Mapping[str, Adapter],
    clock: Clock,
    *,
    settings: Mapping[str, BackOfficeSettings] = {},
    storage: Storage | None = None,
    broken: Set[str] = frozenset(),
) -> Sources:
    """
    Make the reads of every section. `settings` are the back offices'; without `storage` nothing is kept. `broken`
    names back offices that are configured and could not be built.

    Raises `SettingsFault` with every fault: a section whose back office is not configured, or lacks the port.
    """
    router = _Router(adapters, clock, settings, storage, broken)
    reads: dict[str, Any] = {}
    for section in SECTIONS:
        back_office = getattr(sections, section)
        if section == "products":
            back_office = back_office or _own_catalogue(sections.favorites, adapters)
        if back_office:
            reads |= router.section(section, back_office)
    offers = [source for name in sections.offers if (source := router.offers(name)) is not None]
    customers = router.customers(sections.customers) if sections.customers else None
    if router.faults:
        raise SettingsFault(router.faults)
    return Sources(
        **reads,
        offers=tuple(offers),
        customers=customers,
        made=tuple(router.made),
        slots=tuple(router.slots),
        storage=storage,
    )


def _own_catalogue(favorites: str | None, adapters: Mapping[str, Adapter]) -> str | None:
    adapter = adapters.get(favorites or "")
    return favorites if adapter is not None and adapter.products is not None else None
