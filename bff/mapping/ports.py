"""The ports of a back office that a mapping file describes, over one function that makes a call."""

from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, TypeAlias, TypedDict

from bff.domain import (
    BonusAccount,
    Contact,
    CustomerId,
    FavoriteList,
    OfferList,
    Order,
    OrderId,
    Product,
    ProductId,
    Profile,
    Registration,
)
from bff.errors import BackOfficeError, BadReply, IntegrityViolation
from bff.mapping.batches import side_by_side, split
from bff.mapping.reading import ONE_PER_ID
from bff.mapping.writes import fit
from bff.ports import Batch, Bonuses, Customers, Favorites, Orders, PersonalOffers, Products, Profiles, Promotions

Ask: TypeAlias = Callable[[str, Sequence[str]], Awaitable[Any]]
"""
Makes one call: the read's name and the keys (none for `promotions`) → what its `Reading.decode` gives.

It raises errors of `bff.errors`, and keeps the number of calls in flight within the pool.
"""

Do: TypeAlias = Callable[[str, Mapping[str, str | None]], Awaitable[Any]]
"""The same for a write: its name and its arguments. It must not be made again once it may have been sent."""


class ServedPorts(TypedDict):
    """The ports of an `Adapter` that come from a mapping file, None where the read is not mapped."""

    profiles: Profiles | None
    orders: Orders | None
    bonuses: Bonuses | None
    favorites: Favorites | None
    products: Products | None
    promotions: Promotions | None
    personal_offers: PersonalOffers | None
    customers: Customers | None
    batches: Mapping[str, int]


class MappedPorts:
    """
    Turns the methods of ports into calls: many keys become calls of at most a batch, side by side.

    `batches` says for each mapped read how many keys one call takes; `do` makes `writes`, where some are mapped.
    Errors without a back office's name, raised or in the place of values, get `back_office`: what decodes replies does
    not know whose they are.
    """

    def __init__(
        self,
        ask: Ask,
        batches: Mapping[str, int],
        back_office: str = "",
        *,
        do: Do | None = None,
        writes: Iterable[str] = (),
    ) -> None:
        self._ask = ask
        self._batches = batches
        self._back_office = back_office
        self._do = do
        self._writes = frozenset(writes)

    def served(self) -> ServedPorts:
        """What can be served, for `Adapter(**…)`."""
        has = self._batches.keys()
        return ServedPorts(
            profiles=self if "profiles" in has else None,
            orders=self if {"latest_orders", "orders"} <= has else None,
            bonuses=self if "bonus_accounts" in has else None,
            favorites=self if "favorites" in has else None,
            products=self if "products" in has else None,
            promotions=self if "promotions" in has else None,
            personal_offers=self if "personal_offers" in has else None,
            customers=self if "find" in has and "register" in self._writes else None,
            batches=self._batches,
        )

    async def profiles(self, customers: Sequence[CustomerId]) -> Batch[CustomerId, Profile]:
        """Profiles by customer."""
        return await self._many("profiles", customers)

    async def latest_orders(self, customers: Sequence[CustomerId]) -> Batch[CustomerId, Order | None]:
        """The last order of each customer."""
        return await self._many("latest_orders", customers)

    async def orders(self, ids: Sequence[OrderId]) -> Batch[OrderId, Order]:
        """Orders by id."""
        return await self._many("orders", ids)

    async def bonus_accounts(self, customers: Sequence[CustomerId]) -> Batch[CustomerId, BonusAccount | None]:
        """Accounts by customer."""
        return await self._many("bonus_accounts", customers)

    async def favorites(self, customers: Sequence[CustomerId]) -> Batch[CustomerId, FavoriteList]:
        """Favorites by customer."""
        return await self._many("favorites", customers)

    async def products(self, ids: Sequence[ProductId]) -> Batch[ProductId, Product]:
        """Products by id."""
        return await self._many("products", ids)

    async def promotions(self) -> OfferList:
        """Offers for everybody."""
        with self._named_errors():
            offers: OfferList = await self._ask("promotions", ())
        return offers

    async def personal_offers(self, customers: Sequence[CustomerId]) -> Batch[CustomerId, OfferList]:
        """Offers by customer."""
        return await self._many("personal_offers", customers)

    async def find(self, contacts: Sequence[Contact]) -> Batch[Contact, CustomerId]:
        """Ids of customers by contact. An answer about a contact that was not asked for is an `IntegrityViolation`."""

        async def ask(part: Sequence[Contact]) -> Mapping[Contact, Any]:
            texts = list(dict.fromkeys(contact.value for contact in part))
            return _by_contact("find", part, await self._ask("find", texts))

        found: dict[Contact, Any] = await self._merged("find", contacts, ask)
        return found

    async def register(self, registration: Registration) -> CustomerId:
        """Make a customer, or find the one who has the contact."""
        contact = registration.contact
        names = {"first_name": registration.first_name, "last_name": registration.last_name}
        arguments = fit("register", {"contact": contact.value, **names})
        if self._do is None:
            raise RuntimeError("no write is mapped: `served` gives no port that has one")
        with self._named_errors():
            customer = _by_contact("register", [contact], await self._do("register", arguments)).get(contact)
            if isinstance(customer, BackOfficeError):
                raise customer
            if customer is None:
                raise BadReply("register: the answer names no customer")
        return customer

    async def _many(self, read: str, keys: Sequence[str]) -> dict[Any, Any]:
        async def ask(part: Sequence[str]) -> Mapping[str, Any]:
            answer: Mapping[str, Any] = await self._ask(read, part)
            return answer

        return await self._merged(read, keys, ask)

    async def _merged(
        self, read: str, keys: Sequence[Any], ask: Callable[[Sequence[Any]], Awaitable[Mapping[Any, Any]]]
    ) -> dict[Any, Any]:
        with self._named_errors():
            answer = await side_by_side(
                split(list(dict.fromkeys(keys)), self._batches[read]), ask, owned=read not in ONE_PER_ID
            )
        for value in answer.values():
            if isinstance(value, BackOfficeError):
                self._name(value)
        return answer

    @contextmanager
    def _named_errors(self) -> Iterator[None]:
        try:
            yield
        except BackOfficeError as error:
            self._name(error)
            raise

    def _name(self, error: BackOfficeError) -> None:
        error.back_office = error.back_office or self._back_office


def _by_contact(
    name: str, asked: Sequence[Contact], answer: Mapping[str, CustomerId | BackOfficeError]
) -> dict[Contact, CustomerId | BackOfficeError]:
    """
    What an answer says of the contacts that were asked for. Addresses are the same in any case of letters.

    Raises `IntegrityViolation` where it names another contact: one customer's id must not be taken for another's.
    """
    by_text: dict[str, list[Contact]] = {}
    for contact in asked:
        by_text.setdefault(contact.value.casefold(), []).append(contact)
    found: dict[Contact, CustomerId | BackOfficeError] = {}
    for text, customer in answer.items():
        contacts = by_text.get(text.casefold())
        if contacts is None:
            raise IntegrityViolation(f"{name}: the answer names a contact that was not asked for")
        for contact in contacts:
            if found.setdefault(contact, customer) != customer:
                found[contact] = BadReply(f"{name}: several customers have the same contact")
    return found
