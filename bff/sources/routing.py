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
)
from bff.domain.clock import Clock
from bff.plugins import Adapter, SettingsFault
from bff.ports import Promotions
from bff.sources.outage import OutageLog
from bff.sources.read import EVERYBODY, Read


def _listed(value: object) -> object:
    """Let `a,b` from the environment, or one name, stand for a list."""
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


class Sections(BaseModel):
    """Which back office serves which section. A section that is not named is switched off."""

    model_config = ConfigDict(extra="forbid", frozen=True)

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
    """Every read there is; None where the section is switched off or the back office does not have it."""

    profiles: Read[CustomerId, Profile] | None = None
    latest_orders: Read[CustomerId, Order | None] | None = None
    orders: Read[OrderId, Order] | None = None
    bonus_accounts: Read[CustomerId, BonusAccount | None] | None = None
    pending_bonuses: Read[BonusAccount, PendingBonuses] | None = None
    bonus_expirations: Read[BonusAccount, BonusExpirations] | None = None
    favorites: Read[CustomerId, FavoriteList] | None = None
    products: Read[ProductId, Product] | None = None
    offers: tuple[OfferSource, ...] = ()


def _everybody(port: Promotions) -> Callable[[Sequence[str]], Any]:
    async def ask(_: Sequence[str]) -> dict[str, OfferList]:
        return {EVERYBODY: await port.promotions()}

    return ask


def _account_owner(account: BonusAccount) -> CustomerId:
    return account.customer


@dataclass(frozen=True, slots=True)
class _Method:
    """A port's method that a section reads by, and how its answers are keyed."""

    name: str
    port: str
    owned: bool = True
    key: Callable[[Any], Hashable] = lambda key: key


SECTIONS: Mapping[str, tuple[_Method, ...]] = {
    "profile": (_Method("profiles", "profiles"),),
    "orders": (_Method("latest_orders", "orders"), _Method("orders", "orders", owned=False)),
    "bonuses": (
        _Method("bonus_accounts", "bonuses"),
        _Method("pending_bonuses", "bonus_details", key=_account_owner),
        _Method("bonus_expirations", "bonus_details", key=_account_owner),
    ),
    "favorites": (_Method("favorites", "favorites"),),
    "products": (_Method("products", "products", owned=False),),
}
"""The reads of each section; its back office must have the port of the first."""


class _Router:
    def __init__(self, adapters: Mapping[str, Adapter], clock: Clock, broken: Set[str]) -> None:
        self._adapters = adapters
        self._broken = broken
        self._clock = clock
        self._outages = OutageLog()
        self.faults: list[str] = []

    def serving(self, section: str, back_office: str, ports: tuple[str, ...]) -> Adapter | None:
        """The back office of a section, if it is there and has one of the ports; else a fault is noted."""
        adapter = self._adapters.get(back_office)
        if back_office in self._broken:
            # What it has can be said only when it could be built; why it could not has been said.
            return None
        if adapter is None:
            known = ", ".join(sorted(self._adapters.keys() | self._broken)) or "none"
            self.faults.append(f"sections.{section}: there is no back office {back_office!r}; configured: {known}")
        elif not adapter.ports.intersection(ports):
            has = ", ".join(sorted(adapter.ports)) or "nothing"
            self.faults.append(
                f"sections.{section}: back office {back_office!r} lacks the port {' or '.join(ports)}; it serves {has}"
            )
        else:
            return adapter
        return None

    def read(self, back_office: str, method: _Method, ask: Callable[[Any], Any]) -> Read[Any, Any]:
        return Read(
            back_office,
            method.name,
            ask,
            owned=method.owned,
            key=method.key,
            clock=self._clock,
            outages=self._outages,
        )

    def section(self, section: str, back_office: str) -> dict[str, Read[Any, Any]]:
        methods = SECTIONS[section]
        adapter = self.serving(section, back_office, (methods[0].port,))
        return {
            method.name: self.read(back_office, method, getattr(port, method.name))
            for method in methods
            if adapter is not None and (port := getattr(adapter, method.port)) is not None
        }

    def offers(self, back_office: str) -> OfferSource | None:
        adapter = self.serving("offers", back_office, ("promotions", "personal_offers"))
        if adapter is None:
            return None
        promotions, personal = adapter.promotions, adapter.personal_offers
        return OfferSource(
            back_office,
            self.read(back_office, _Method("promotions", "promotions", owned=False), _everybody(promotions))
            if promotions
            else None,
            self.read(back_office, _Method("personal_offers", "personal_offers"), personal.personal_offers)
            if personal
            else None,
        )


def route(
    sections: Sections, adapters: Mapping[str, Adapter], clock: Clock, *, broken: Set[str] = frozenset()
) -> Sources:
    """
    Make the reads of every section. `broken` names back offices that are configured and could not be built.

    Raises `SettingsFault` with every fault: a section whose back office is not configured, or lacks the port.
    """
    router = _Router(adapters, clock, broken)
    reads: dict[str, Any] = {}
    for section in SECTIONS:
        back_office = getattr(sections, section)
        if section == "products":
            back_office = back_office or _own_catalogue(sections.favorites, adapters)
        if back_office:
            reads |= router.section(section, back_office)
    offers = [source for name in sections.offers if (source := router.offers(name)) is not None]
    if router.faults:
        raise SettingsFault(router.faults)
    return Sources(**reads, offers=tuple(offers))


def _own_catalogue(favorites: str | None, adapters: Mapping[str, Adapter]) -> str | None:
    adapter = adapters.get(favorites or "")
    return favorites if adapter is not None and adapter.products is not None else None
