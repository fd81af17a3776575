"""
What RetailCRM sends, and the domain objects that it becomes.

Names and shapes are those of the vendor's reference (https://docs.retailcrm.ru/Developers/API/APIv5) and of its public
Go client. Members that are not named here are ignored.
"""

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, TypeVar

import msgspec

from bff.domain import BonusAccount, BonusLot, CurrencyCode, CustomerId, Money, Offer, OfferKind, OfferList, Tier
from bff.errors import BackOfficeError, BadReply
from bff.mapping.paths import Misfit
from bff.mapping.values import Wording, amount

_ISO_CURRENCY = re.compile(r"[A-Z]{3}", re.ASCII)

T = TypeVar("T")


class Amount(Decimal):
    """A JSON number, read from its own digits; a text, NaN or more than any shop has is refused."""


class Struct(msgspec.Struct, rename="camel"):
    """What all that comes over the wire has in common."""


class Pagination(Struct):
    """Which page an answer is. Absent where there is only one."""

    current_page: int = 1
    total_page_count: int = 1


class Answer(Struct):
    """What every answer begins with."""

    success: bool


class Page(Answer):
    """One page of a list."""

    pagination: Pagination | None = None


class Owner(Struct):
    """A customer; `external_id` is the shop's own id and may be missing."""

    external_id: str | None = None


class Owned(Struct):
    """As much of an account as says whose it is."""

    id: int
    customer: Owner


class Level(Struct):
    """A level of the programme."""

    name: str | None = None


class Loyalty(Struct):
    """A programme."""

    id: int
    currency: str | None = None


class Account(Owned):
    """A customer's account in a programme. Sums of orders are in the programme's currency, `amount` is points."""

    amount: Amount
    active: bool
    orders_sum: Amount | None = None
    next_level_sum: Amount | None = None
    """The sum of orders at which the next level begins."""
    level: Level | None = None
    loyalty: Loyalty | None = None


class Accounts(Page, kw_only=True):
    """`GET /api/v5/loyalty/accounts`. Each account is decoded by itself: a bad one costs only its owner."""

    loyalty_accounts: list[msgspec.Raw]


class Statistic(Struct):
    """Of all the lots of a list, whatever the page."""

    total_amount: Amount


class Lot(Struct):
    """Points and the day on which they come or burn."""

    date: str
    amount: Amount


class BonusLots(Page, kw_only=True):
    """`GET /api/v5/loyalty/account/{id}/bonus/{status}/details`."""

    statistic: Statistic
    bonuses: list[Lot] = []


class Customer(Owner):
    """A customer with the percentage of a discount that is his or hers alone; 0 is none."""

    personal_discount: Amount | None = None


class Customers(Page, kw_only=True):
    """`GET /api/v5/customers`."""

    customers: list[msgspec.Raw]


class Credentials(Answer):
    """`GET /api/credentials`: the methods that a key may call, by path or (newer accounts) by scope."""

    credentials: list[Any] = []
    scopes: list[Any] = []


def _amount(wanted: type, value: object) -> Any:
    """Read what msgspec has no type for. Raises `ValueError`, of which it makes a `ValidationError` with the place."""
    if wanted is not Amount:
        raise NotImplementedError
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise ValueError("Expected a number")  # noqa: TRY004 - a TypeError would not become a ValidationError
    try:
        return Amount(amount(Decimal(value)))
    except Misfit as misfit:
        raise ValueError(str(misfit)) from None


def decode(body: bytes | msgspec.Raw, wanted: type[T]) -> T:
    """Decode a whole JSON text. Raises `BadReply`, which names the place and the fault, and nothing of the body."""
    try:
        return msgspec.json.Decoder(wanted, dec_hook=_amount, float_hook=Decimal).decode(body)
    except msgspec.ValidationError as error:
        raise BadReply(f"{wanted.__name__}: {error}") from None
    except (msgspec.DecodeError, ValueError, ArithmeticError, RecursionError):
        raise BadReply(f"the answer of {len(bytes(body))} bytes is not whole JSON") from None


def bonus_account(account: Account, owner: str, currency: str) -> BonusAccount:
    """Make an account of the domain. What comes and what burns are asked for elsewhere, and None here."""
    return BonusAccount(
        customer=CustomerId(owner), id=str(account.id), balance=Decimal(account.amount), tier=_tier(account, currency)
    )


def _tier(account: Account, currency: str) -> Tier | None:
    if account.level is None or not account.level.name:
        return None
    remaining = None
    if account.next_level_sum is not None and account.orders_sum is not None:
        named = (account.loyalty.currency or "").upper() if account.loyalty else ""
        money = CurrencyCode(named if _ISO_CURRENCY.fullmatch(named) else currency)
        remaining = Money(max(Decimal(0), account.next_level_sum - account.orders_sum), money)
    return Tier(name=account.level.name, remaining_to_next=remaining)


def choose(accounts: Sequence[Account], loyalty_id: int | None) -> Account | BadReply | None:
    """
    Choose the one account that is shown of a customer's.

    Only those of the programme `loyalty_id`, where it is set. Of these the active one, else the newest. Several active
    ones are an error that names the setting: showing either could be showing the wrong balance.
    """
    by_id: dict[int, Account] = {}
    for account in accounts:
        if by_id.setdefault(account.id, account) != account:
            return BadReply("an account was sent twice, and the two differ")
    fitting = [
        a for a in by_id.values() if loyalty_id is None or (a.loyalty is not None and a.loyalty.id == loyalty_id)
    ]
    active = [account for account in fitting if account.active]
    if len(active) > 1:
        return BadReply("a customer has several active accounts; set `loyalty_id` to the programme that is meant")
    return active[0] if active else max(fitting, key=lambda account: account.id, default=None)


def bonus_lots(lots: Sequence[Lot], wording: Wording) -> tuple[BonusLot, ...]:
    """Lots that burn, soonest first. Raises `BadReply`."""
    found = []
    for lot in lots:
        try:
            day = wording.day(lot.date)
        except Misfit as misfit:
            raise BadReply(f"bonuses: date: {misfit}") from None
        if day is None:
            raise BadReply("bonuses: date: is missing")
        found.append(BonusLot(amount=Decimal(lot.amount), expires_on=day))
    return tuple(sorted(found, key=lambda lot: lot.expires_on))


def personal_offers(raws: Sequence[msgspec.Raw]) -> Mapping[CustomerId, OfferList | BackOfficeError]:
    """Make the offers of the customers of an answer. Raises `BadReply` where one does not say who it is."""
    found: dict[CustomerId, OfferList | BackOfficeError] = {}
    for raw in raws:
        owner = decode(raw, Owner).external_id
        if owner is None:
            raise BadReply("customers: one has no externalId")
        customer = CustomerId(owner)
        offers = _offers(raw, customer)
        if customer in found and found[customer] != offers:
            offers = BadReply("customers: an externalId was sent twice, and the two differ; set `site`")
        found[customer] = offers
    return found


def _offers(raw: msgspec.Raw, customer: CustomerId) -> OfferList | BackOfficeError:
    try:
        discount = decode(raw, Customer).personal_discount or Decimal(0)
    except BadReply as error:
        return error
    if not 0 <= discount <= 100:
        return BadReply("customers: personalDiscount is not between 0 and 100")
    if not discount:
        return OfferList(customer=customer)
    percent = f"{format(discount.normalize(), 'f').replace('.', ',')} %"
    offer = Offer(
        id="personal-discount",
        kind=OfferKind.PERSONAL,
        title=f"Персональная скидка {percent}",
        description=f"Ваша персональная скидка на покупки в магазине — {percent}.",
    )
    return OfferList(offers=(offer,), customer=customer)
