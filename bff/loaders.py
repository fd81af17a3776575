"""
The loaders of one request: each key is asked for once, and a key's failure is its own.

They are made inside the request and die with it: a loader shared by requests would show one customer's data to
another. Where a request has many keys of a kind, those of one turn of the loop become one call.

Products are asked for by favorites and by order lines, which come at different times. Their loader follows the reads
that they come from, so that one call fetches them all. An answer goes out when its last section is done, so this
delays nothing; and it waits for half of the request's time at the most, so that a back office that hangs takes no
other section with it.
"""

from abc import ABC, abstractmethod
from asyncio import Future, Task, create_task, gather, get_running_loop, shield, sleep, wait
from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar, cast

from aiodataloader import DataLoader, dispatch_queue
from aiodataloader import Loader as Queued

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
from bff.errors import BackOfficeError, NotSupported, TimedOut
from bff.sources import EVERYBODY, Answer, Read, Sources

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


QUIET_TURNS = 10
"""Turns of the event loop without a new key, after which nobody will bring one: from an answer that has come to the
fields below it that ask for more are three to six."""


class _Batches(DataLoader[K, Answer[V]]):
    """
    The keys of one turn as one read.

    It knows nothing of the `Loader` that it is for: else both would live, and every answer with them, until the garbage
    collector comes by.
    """

    get_cache_key = staticmethod(lambda key: key)

    def __init__(self, read: Read[K, V], deadline: float) -> None:
        self._read = read
        self._deadline = deadline
        super().__init__()

    async def batch_load_fn(self, keys: list[K]) -> list[Any]:
        """Never raise: a key's failure stands in its place."""
        if get_running_loop().time() >= self._deadline:
            return [_too_late(self._read)] * len(keys)
        found = await self._read(keys, deadline=self._deadline)
        return [each.anew() if isinstance(each := found[key], BackOfficeError) else each for key in keys]

    def do_resolve_reject(self, key: K, future: "Future[Answer[V]]") -> None:
        """Queue a key. The library begins a task only to begin another one, for the batch, in it."""
        self._queue.append(Queued(key, future))
        if len(self._queue) == 1:
            self.loop.call_soon(dispatch_queue, self)


class Loader(ABC, Generic[K, V]):
    """One read, within one request."""

    def __init__(self) -> None:
        self.under_way: set[Future[Any]] | None = None
        """What has been asked for and has not come; None where no other loader follows this one."""

    @abstractmethod
    async def load(self, key: K) -> Answer[V]:
        """One key's answer. Raises that key's `BackOfficeError`."""

    def _note_under_way(self, future: "Future[Any]") -> None:
        if self.under_way is not None:
            self.under_way.add(future)
            future.add_done_callback(self.under_way.discard)


class SectionLoader(Loader[K, V]):
    """
    What has one key a dashboard: a section.

    There is little to batch within the request. Behind it, different requests' keys become one call, and who is given
    up harms nobody.
    """

    def __init__(self, read: Read[K, V], deadline: float) -> None:
        super().__init__()
        self._read = read
        self._deadline = deadline
        self._found: dict[K, Answer[V] | BackOfficeError] = {}
        self._asking: dict[K, Future[None]] = {}

    async def load(self, key: K) -> Answer[V]:
        """One key's answer. Raises that key's `BackOfficeError`."""
        while (outcome := self._found.get(key)) is None:
            if (asking := self._asking.get(key)) is None:
                await self._ask(key)
            else:
                # Whoever asks may be given up; then it is this one's turn.
                await shield(asking)
        if isinstance(outcome, BackOfficeError):
            raise outcome.anew()
        return outcome

    async def _ask(self, key: K) -> None:
        loop = get_running_loop()
        if loop.time() >= self._deadline:
            self._found[key] = _too_late(self._read)
            return
        done = self._asking[key] = loop.create_future()
        self._note_under_way(done)
        try:
            found = await self._read([key], deadline=self._deadline)
            self._found[key] = found[key]
        finally:
            del self._asking[key]
            done.set_result(None)


class BatchLoader(Loader[K, V]):
    """What has many keys: those of one turn are one call. It may follow others."""

    def __init__(self, read: Read[K, V], started: float, seconds: float) -> None:
        super().__init__()
        self._after: set[Loader[Any, Any]] = set()
        self._wait_until = started + seconds / 2
        self._gate: Task[None] | None = None
        self._asked = 0
        self._batches = _Batches(read, started + seconds)

    def follow(self, loader: Loader[Any, Any]) -> None:
        """Wait for what that loader has under way: its answers will bring keys for this one."""
        self._after.add(loader)
        if loader.under_way is None:
            loader.under_way = set()

    async def load(self, key: K) -> Answer[V]:
        """One key's answer. Raises that key's `BackOfficeError`."""
        await self._turn()
        # Shielded: one field that is given up must not cancel the future that others wait on.
        return await shield(self._future(key))

    async def load_each(self, keys: Iterable[K]) -> dict[K, Answer[V] | BackOfficeError]:
        """Many keys, in one call: each one's answer, or error."""
        await self._turn()
        futures = {key: self._future(key) for key in keys}
        found = await shield(gather(*futures.values(), return_exceptions=True))
        for outcome in found:
            if isinstance(outcome, BaseException) and not isinstance(outcome, BackOfficeError):
                raise outcome
        return dict(zip(futures, cast("list[Answer[V] | BackOfficeError]", found), strict=True))

    def _future(self, key: K) -> "Future[Answer[V]]":
        future = self._batches.load(key)
        if not future.done():
            future.add_done_callback(_take_note)
            self._note_under_way(future)
        return future

    async def _turn(self) -> None:
        """Wait for those that this one follows."""
        self._asked += 1
        if self._after:
            if self._gate is None:
                self._gate = create_task(self._until_others_are_done())
            await shield(self._gate)

    async def _until_others_are_done(self) -> None:
        quiet = 0
        while quiet < QUIET_TURNS:
            waiting = [future for loader in self._after for future in loader.under_way or ()]
            left = self._wait_until - get_running_loop().time()
            if waiting and left > 0:
                await wait(waiting, timeout=left)
                quiet = 0
                continue
            asked = self._asked
            await sleep(0)
            quiet = quiet + 1 if asked == self._asked else 0
        self._gate = None


def _take_note(future: "Future[Any]") -> None:
    """Look at its error: it is none that nobody saw, even if all who waited for it have been given up."""
    if not future.cancelled():
        future.exception()


def _too_late(read: Read[Any, Any]) -> TimedOut:
    return TimedOut("the request's time was up before the call", back_office=read.back_office)


@dataclass(frozen=True, slots=True)
class OfferLoader:
    """One back office's offers, within one request."""

    back_office: str
    promotions: Loader[str, OfferList] | None
    personal: Loader[CustomerId, OfferList] | None

    def loads(self, customer: CustomerId) -> list[Any]:
        """What is to be awaited for a customer: personal offers come before everybody's."""
        loads: list[Any] = []
        if self.personal is not None:
            loads.append(self.personal.load(customer))
        if self.promotions is not None:
            loads.append(self.promotions.load(EVERYBODY))
        return loads


class Loaders:
    """All loaders of one request. A section that is switched off raises `NotSupported` when its loader is asked for."""

    def __init__(self, sources: Sources, seconds: float) -> None:
        self._sources = sources
        self._started = get_running_loop().time()
        self._seconds = seconds
        self._sections: dict[str, SectionLoader[Any, Any]] = {}
        self._batches: dict[str, BatchLoader[Any, Any]] = {}

    @property
    def profiles(self) -> Loader[CustomerId, Profile]:
        """Profiles by customer."""
        return self._loader("profiles")

    @property
    def latest_orders(self) -> Loader[CustomerId, Order | None]:
        """Last orders by customer."""
        return self._loader("latest_orders")

    @property
    def orders(self) -> BatchLoader[OrderId, Order]:
        """Orders by id, whoever's."""
        return self._batch_loader("orders")

    @property
    def bonus_accounts(self) -> Loader[CustomerId, BonusAccount | None]:
        """Bonus accounts by customer."""
        return self._loader("bonus_accounts")

    @property
    def pending_bonuses(self) -> Loader[BonusAccount, PendingBonuses]:
        """Points not active yet, by account."""
        return self._loader("pending_bonuses")

    @property
    def bonus_expirations(self) -> Loader[BonusAccount, BonusExpirations]:
        """Lots that will burn, by account."""
        return self._loader("bonus_expirations")

    @property
    def favorites(self) -> Loader[CustomerId, FavoriteList]:
        """Favorites by customer."""
        return self._loader("favorites")

    @property
    def products(self) -> BatchLoader[ProductId, Product]:
        """Products by id."""
        return self._batch_loader("products")

    def expect_products(self, source: Loader[Any, Any]) -> None:
        """Say, before `source` is asked, that its answer will name products whose data is wanted, too."""
        if self._sources.products is not None:
            self.products.follow(source)

    @property
    def offers(self) -> list[OfferLoader]:
        """Offers, a loader a back office, in the order of the settings."""
        if not self._sources.offers:
            raise NotSupported("no back office serves offers")
        return [
            OfferLoader(
                source.back_office,
                self._of_offers(source.promotions, f"promotions of {source.back_office}"),
                self._of_offers(source.personal, f"personal offers of {source.back_office}"),
            )
            for source in self._sources.offers
        ]

    def _loader(self, name: str) -> Loader[Any, Any]:
        return self._of(self._served(name), name)

    def _batch_loader(self, name: str) -> BatchLoader[Any, Any]:
        read = self._served(name)
        if name not in self._batches:
            self._batches[name] = BatchLoader(read, self._started, self._seconds)
        return self._batches[name]

    def _served(self, name: str) -> Read[Any, Any]:
        read: Read[Any, Any] | None = getattr(self._sources, name)
        if read is None:
            raise NotSupported(f"no back office serves {name}")
        return read

    def _of_offers(self, read: Read[K, OfferList] | None, name: str) -> Loader[K, OfferList] | None:
        return None if read is None else self._of(read, name)

    def _of(self, read: Read[K, V], name: str) -> Loader[K, V]:
        if name not in self._sections:
            self._sections[name] = SectionLoader(read, self._started + self._seconds)
        return self._sections[name]
