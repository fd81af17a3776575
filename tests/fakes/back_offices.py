"""Back offices in memory: each port answers as a test says, and keeps what it was asked."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from bff.domain import (
    BonusAccount,
    BonusExpirations,
    Contact,
    CurrencyCode,
    CustomerId,
    FavoriteList,
    Money,
    Offer,
    OfferKind,
    OfferList,
    Order,
    OrderId,
    OrderLine,
    OrderStatus,
    PendingBonuses,
    Product,
    ProductId,
    Profile,
    Registration,
)
from bff.plugins import Adapter, BackOfficeSettings, GuardSettings
from tests.patience import PATIENT

NOW = datetime(2026, 11, 21, 10, 0, tzinfo=UTC)


def now() -> datetime:
    """The clock of tests: it stands still."""
    return NOW


def rub(amount: str) -> Money:
    """An amount of roubles."""
    return Money(Decimal(amount), CurrencyCode("RUB"))


def profile(customer: str, name: str = "Анна") -> Profile:
    """A profile."""
    return Profile(customer=CustomerId(customer), display_name=name)


def order(customer: str, order_id: str = "o-1", *, products: Sequence[str] = ()) -> Order:
    """An order with a line for each product."""
    lines = tuple(
        OrderLine(name=name, quantity=Decimal(1), price=rub("10.00"), total=rub("10.00"), product=ProductId(name))
        for name in products
    )
    return Order(
        customer=CustomerId(customer),
        id=OrderId(order_id),
        number=order_id.upper(),
        placed_at=NOW,
        status=OrderStatus.NEW,
        status_label="Новый",
        total=rub("10.00"),
        lines=lines,
    )


def account(customer: str, balance: str = "100", **parts: Any) -> BonusAccount:
    """A bonus account."""
    return BonusAccount(customer=CustomerId(customer), id=f"a-{customer}", balance=Decimal(balance), **parts)


def product(product_id: str) -> Product:
    """A product."""
    return Product(id=ProductId(product_id), name=f"Товар {product_id}")


def favorites(customer: str, *products: str, rejected: int = 0) -> FavoriteList:
    """A list of favorites."""
    return FavoriteList(
        customer=CustomerId(customer), products=tuple(ProductId(each) for each in products), rejected=rejected
    )


def offers(*ids: str, customer: str | None = None, rejected: int = 0) -> OfferList:
    """Offers, personal where a customer is named."""
    owner = None if customer is None else CustomerId(customer)
    kind = OfferKind.PROMOTION if customer is None else OfferKind.PERSONAL
    return OfferList(
        offers=tuple(Offer(id=each, kind=kind, title=f"Акция {each}") for each in ids),
        customer=owner,
        rejected=rejected,
    )


def one_call_at_a_time() -> BackOfficeSettings:
    """Settings by which what comes in one turn is one call, and what fails is not tried again. They are patient."""
    guard = GuardSettings(retry_share=0)
    return BackOfficeSettings(adapter="fake", address="https://back-office.invalid", pool=1, guard=guard, **PATIENT)


Reply = Callable[[Sequence[Any]], Any]
"""Gets the keys of a call; gives the answer, raises, or gives something to await."""


class FakeBackOffice:
    """
    Every port at once. A method answers from `replies` by its name: a mapping, an error to raise, or a function of the
    keys; `calls` has the keys of each call. What is not set knows nobody.
    """

    def __init__(self, **replies: Any) -> None:
        self.replies: dict[str, Any] = replies
        self.calls: list[tuple[str, list[Any]]] = []
        self.closed = 0

    def asked(self, method: str) -> list[list[Any]]:
        """The keys of each call of a method."""
        return [keys for name, keys in self.calls if name == method]

    async def _answer(self, method: str, keys: Sequence[Any]) -> Any:
        self.calls.append((method, list(keys)))
        reply = self.replies.get(method, {})
        if isinstance(reply, BaseException):
            raise reply
        if callable(reply):
            reply = reply(keys)
        return await reply if hasattr(reply, "__await__") else reply

    async def profiles(self, customers: Sequence[CustomerId]) -> Mapping[CustomerId, Profile]:
        """See `bff.ports`."""
        return await self._answer("profiles", customers)  # type: ignore[no-any-return]  # as the test says

    async def latest_orders(self, customers: Sequence[CustomerId]) -> Mapping[CustomerId, Order | None]:
        """See `bff.ports`."""
        return await self._answer("latest_orders", customers)  # type: ignore[no-any-return]  # as above

    async def orders(self, ids: Sequence[OrderId]) -> Mapping[OrderId, Order]:
        """See `bff.ports`."""
        return await self._answer("orders", ids)  # type: ignore[no-any-return]  # as above

    async def bonus_accounts(self, customers: Sequence[CustomerId]) -> Mapping[CustomerId, BonusAccount]:
        """See `bff.ports`."""
        return await self._answer("bonus_accounts", customers)  # type: ignore[no-any-return]  # as above

    async def pending_bonuses(self, accounts: Sequence[BonusAccount]) -> Mapping[CustomerId, PendingBonuses]:
        """See `bff.ports`."""
        return await self._answer("pending_bonuses", accounts)  # type: ignore[no-any-return]  # as above

    async def bonus_expirations(self, accounts: Sequence[BonusAccount]) -> Mapping[CustomerId, BonusExpirations]:
        """See `bff.ports`."""
        return await self._answer("bonus_expirations", accounts)  # type: ignore[no-any-return]  # as above

    async def favorites(self, customers: Sequence[CustomerId]) -> Mapping[CustomerId, FavoriteList]:
        """See `bff.ports`."""
        return await self._answer("favorites", customers)  # type: ignore[no-any-return]  # as above

    async def products(self, ids: Sequence[ProductId]) -> Mapping[ProductId, Product]:
        """See `bff.ports`."""
        return await self._answer("products", ids)  # type: ignore[no-any-return]  # as above

    async def promotions(self) -> OfferList:
        """See `bff.ports`."""
        return await self._answer("promotions", ())  # type: ignore[no-any-return]  # as above

    async def personal_offers(self, customers: Sequence[CustomerId]) -> Mapping[CustomerId, OfferList]:
        """See `bff.ports`."""
        return await self._answer("personal_offers", customers)  # type: ignore[no-any-return]  # as above

    async def find(self, contacts: Sequence[Contact]) -> Mapping[Contact, CustomerId]:
        """See `bff.ports`."""
        return await self._answer("find", contacts)  # type: ignore[no-any-return]  # as above

    async def register(self, registration: Registration) -> CustomerId:
        """See `bff.ports`."""
        return await self._answer("register", [registration])  # type: ignore[no-any-return]  # as above

    async def check(self) -> str:
        """Say that it is there."""
        return "fine"

    async def close(self) -> None:
        """Count."""
        self.closed += 1

    def adapter(self, *ports: str) -> Adapter:
        """An adapter that serves these ports; all of them where none is named."""
        served: dict[str, Any] = dict.fromkeys(ports or Adapter.PORTS, self)
        return Adapter(check=self.check, close=self.close, **served)
