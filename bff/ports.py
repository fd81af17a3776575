"""
What a back office can be asked for: the whole contract of an adapter.

One port a capability, batch-first: a read takes many keys and answers with a mapping by key.

- A key that is absent from the answer means "the back office does not know it". That differs from an empty list, from
  an order that is None, from a balance of zero.
- A value may be a `BackOfficeError`: this key failed and the others did not.
- An exception (always of `bff.errors`) fails the whole call.
- Every object of a customer names its owner, as the *reply* says, not as the request did. Adapters pass on what
  came; the road above them refuses the whole answer when an owner was not asked for.

Calls may be cancelled. Deadlines are kept by the caller; an adapter adds none but its HTTP client's own.
"""

from collections.abc import Mapping, Sequence
from typing import Protocol, TypeAlias, TypeVar, runtime_checkable

from bff.domain import (
    BonusAccount,
    BonusExpirations,
    Contact,
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
from bff.errors import BackOfficeError

K = TypeVar("K")
V = TypeVar("V")

Batch: TypeAlias = Mapping[K, V | BackOfficeError]
"""The answer to a batch: by key, a value or that key's own error."""


@runtime_checkable
class Profiles(Protocol):
    """Who customers are."""

    async def profiles(self, customers: Sequence[CustomerId]) -> Batch[CustomerId, Profile]:
        """Profiles by customer."""
        ...


@runtime_checkable
class Orders(Protocol):
    """What customers bought."""

    async def latest_orders(self, customers: Sequence[CustomerId]) -> Batch[CustomerId, Order | None]:
        """The last order of each customer; None for one who has never ordered."""
        ...

    async def orders(self, ids: Sequence[OrderId]) -> Batch[OrderId, Order]:
        """Orders by id, whoever's they are: the caller compares `Order.customer` with the principal."""
        ...


@runtime_checkable
class Bonuses(Protocol):
    """Accounts in the loyalty programme."""

    async def bonus_accounts(self, customers: Sequence[CustomerId]) -> Batch[CustomerId, BonusAccount | None]:
        """
        Accounts by customer; None for one who is known not to take part in the programme.

        Parts of an account that cost further calls may be None: see `BonusDetails`.
        """
        ...


@runtime_checkable
class BonusDetails(Protocol):
    """What some loyalty systems tell of an account only when asked again."""

    async def pending_bonuses(self, accounts: Sequence[BonusAccount]) -> Batch[CustomerId, PendingBonuses]:
        """Points not active yet, by customer."""
        ...

    async def bonus_expirations(self, accounts: Sequence[BonusAccount]) -> Batch[CustomerId, BonusExpirations]:
        """Lots that will burn, soonest first, by customer."""
        ...


@runtime_checkable
class Favorites(Protocol):
    """What customers marked."""

    async def favorites(self, customers: Sequence[CustomerId]) -> Batch[CustomerId, FavoriteList]:
        """Favorites by customer, newest first."""
        ...


@runtime_checkable
class Products(Protocol):
    """The catalogue."""

    async def products(self, ids: Sequence[ProductId]) -> Batch[ProductId, Product]:
        """Products by id."""
        ...


@runtime_checkable
class Promotions(Protocol):
    """What is offered to everybody."""

    async def promotions(self) -> OfferList:
        """The offers that run now, in the order in which the back office wants them shown."""
        ...


@runtime_checkable
class PersonalOffers(Protocol):
    """What is offered to one customer."""

    async def personal_offers(self, customers: Sequence[CustomerId]) -> Batch[CustomerId, OfferList]:
        """Offers by customer."""
        ...


@runtime_checkable
class Customers(Protocol):
    """Who a customer is before they are signed in: found by what reaches them, or made."""

    async def find(self, contacts: Sequence[Contact]) -> Batch[Contact, CustomerId]:
        """
        Ids by contact; a contact that is absent belongs to nobody. Letters of a mail address match in any case.

        A contact that several customers have is that key's `BadReply`: nobody is guessed.
        """
        ...

    async def register(self, registration: Registration) -> CustomerId:
        """
        Make a customer, who has an empty cabinet; a contact that is known already gives its customer's id.

        So it may be repeated, which is the only way to learn how one ended whose answer never came. One call must not
        send it twice, unless the back office surely turned the first away before it began.

        Raises `BadUserInput` for names that the back office could not be told, before anything is sent; `Refused`
        where it says no; `BadReply` where several customers have the contact.
        """
        ...


@runtime_checkable
class CodeSender(Protocol):
    """Brings short messages, with codes in them, to a phone or a mailbox. It is no back office and has no batches."""

    async def send(self, to: Contact, text: str) -> None:
        """
        Hand a message over for delivery: `text` is printable, and may have several lines.

        That it returns means "taken", not "read". Raises `Refused` where this address cannot be written to, at once
        and without asking where that can be seen; else `Unavailable`, `TimedOut` (it may be on its way all the
        same), `Busy`, `SignInRefused`, `Upstream` or `BadReply`. No error and no log holds the address or the text.
        """
        ...

    async def close(self) -> None:
        """Close what is open; twice is once."""
        ...
