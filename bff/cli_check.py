"""
`kabinet check`: each back office is asked something harmless. (`bff.cli_check_door` asks what signing in needs.)

With a customer, every read of the sections is really made, once; what comes is counted, never shown.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Hashable, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Final, TypeVar

from bff.app import Cabinet
from bff.domain import BonusAccount, CustomerId, FavoriteList, OfferList, Order, OrderStatus, Product, Profile
from bff.errors import BackOfficeError, BadReply, KabinetError, Unknown
from bff.sources import EVERYBODY, Read, Sources

SECONDS: Final = 60.0
"""What a read may take; its back office's own `timeout_ms` ends it before."""

MAX_PRODUCTS: Final = 20

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


@dataclass(frozen=True, slots=True)
class Asked:
    """
    What was asked, and what came of it.

    `part` is a back office, or the settings' table of what else there is; `what` its adapter, or a read.
    """

    part: str
    what: str
    good: bool
    said: str
    advice: str
    milliseconds: int


def advice_of(error: KabinetError) -> str:
    """What the error itself advises."""
    return error.advice if isinstance(error, BackOfficeError) else ""


async def ask(
    part: str, what: str, check: Callable[[], Awaitable[str]], *, advise: Callable[[KabinetError], str] = advice_of
) -> Asked:
    """Make one check, which says in a few words what it found; `advise` says what to do about its errors."""
    started = time.perf_counter()
    try:
        said = await check()
    except KabinetError as error:
        return replace(_asked(part, what, "", error, started), advice=advise(error))
    return _asked(part, what, said, None, started)


async def ask_each(cabinet: Cabinet) -> list[Asked]:
    """Every back office's own check, side by side."""
    tables = cabinet.loaded.settings.back_offices
    return await asyncio.gather(
        *(ask(name, str(tables[name]["adapter"]), adapter.check) for name, adapter in cabinet.adapters.items())
    )


async def make_reads(sources: Sources, customer: CustomerId) -> list[Asked]:
    """Read each section of a customer. `sources` must keep nothing, or what is kept may answer."""
    trial = _Trial()
    await trial.one(sources.profiles, customer, _profile)
    orders = await trial.orders(sources, customer)
    await trial.bonuses(sources, customer)
    favorites = await trial.one(sources.favorites, customer, _favorites)
    products = [line.product for order in orders for line in order.lines if line.product]
    products += favorites.products if favorites else ()
    await trial.many(sources.products, list(dict.fromkeys(products))[:MAX_PRODUCTS], _products)
    for source in sources.offers:
        await trial.one(source.promotions, EVERYBODY, _offers)
        await trial.one(source.personal, customer, _offers)
    return trial.made


class _Trial:
    def __init__(self) -> None:
        self.made: list[Asked] = []

    async def one(self, read: Read[K, V] | None, key: K, say: Callable[[V], str]) -> V | None:
        """Read one key's value, and note what came; None where nothing did."""
        values = await self.many(read, [key], lambda found: say(found[0]))
        return values[0] if values else None

    async def orders(self, sources: Sources, customer: CustomerId) -> list[Order]:
        """The last order, and the same one by its id: two reads, which must agree."""
        last = await self.one(sources.latest_orders, customer, _order)
        if last is None:
            return []
        await self.one(sources.orders, last.id, lambda order: _same_order(last, order))
        return [last]

    async def bonuses(self, sources: Sources, customer: CustomerId) -> None:
        """The account, and the parts of it that cost a call of their own."""
        account = await self.one(sources.bonus_accounts, customer, _account)
        if account is not None and account.pending is None:
            await self.one(sources.pending_bonuses, account, lambda _: "pending points")
        if account is not None and account.lots is None:
            await self.one(sources.bonus_expirations, account, lambda found: _count(found.lots, "lot"))

    async def many(self, read: Read[K, V] | None, keys: Sequence[K], say: Callable[[list[V]], str]) -> list[V]:
        """Read values; `say` tells what came, or raises `BadReply` where it cannot be right."""
        if read is None or not keys:
            return []
        started = time.perf_counter()
        outcomes = await read(keys, deadline=asyncio.get_running_loop().time() + SECONDS)
        errors = [outcome for outcome in outcomes.values() if isinstance(outcome, BackOfficeError)]
        values = [outcome.value for outcome in outcomes.values() if not isinstance(outcome, BackOfficeError)]
        said = ""
        if values:
            try:
                said = say(values)
            except BadReply as error:
                errors.append(error)
            if unknown := [error for error in errors if isinstance(error, Unknown)]:
                # Some of many: a product that is sold no longer is nobody's mistake.
                said += f"; {len(unknown)} more not known"
                errors = [error for error in errors if not isinstance(error, Unknown)]
        self.made.append(_asked(read.back_office, read.name, said, errors[0] if errors else None, started))
        return values


def _asked(part: str, what: str, said: str, error: KabinetError | None, started: float) -> Asked:
    milliseconds = round((time.perf_counter() - started) * 1000)
    if error is None:
        return Asked(part, what, True, said, "", milliseconds)
    return Asked(part, what, False, f"{error.public_code.value}: {error}", advice_of(error), milliseconds)


def _profile(profile: Profile) -> str:
    return "a profile" + _without([profile])


def _order(order: Order | None) -> str:
    if order is None:
        return "no order"
    said = f"an order of {_count(order.lines, 'line')} and {_count(order.stages, 'stage')}"
    if order.status is OrderStatus.UNKNOWN:
        said += ", of a status that the mapping does not know"
    return said


def _same_order(last: Order, order: Order) -> str:
    different = [each.name for each in fields(Order) if getattr(last, each.name) != getattr(order, each.name)]
    if different:
        raise BadReply(f"orders: not what latest_orders says of the same order: {', '.join(different)}")
    return _order(order)


def _account(account: BonusAccount | None) -> str:
    if account is None:
        return "no account"
    lots = "" if account.lots is None else f" with {_count(account.lots, 'lot')}"
    return f"an account{lots}"


def _favorites(favorites: FavoriteList) -> str:
    return _count(_readable(favorites, favorites.products), "product")


def _products(products: Sequence[Product]) -> str:
    return _count(products, "product") + _without(products)


def _offers(offers: OfferList) -> str:
    return _count(_readable(offers, offers.offers), "offer") + _without(offers.offers)


def _readable(found: FavoriteList | OfferList, entries: Sequence[V]) -> Sequence[V]:
    if found.rejected:
        raise BadReply(f"{found.rejected} of {found.rejected + len(entries)} entries could not be read")
    return entries


def _count(things: Sequence[Any], name: str) -> str:
    return f"{len(things)} {name}" if len(things) == 1 else f"{len(things)} {name}s"


def _without(things: Sequence[Any]) -> str:
    """Name the fields that are empty throughout: so are those that are mapped from the wrong place."""
    if not things:
        return ""
    empty = [each.name for each in fields(things[0]) if all(getattr(thing, each.name) is None for thing in things)]
    return f" without {', '.join(empty)}" if empty else ""
