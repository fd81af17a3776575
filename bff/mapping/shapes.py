"""
What each domain object is made of: the names that a mapping file may give paths for, and how they come together.

A shape's `build` gets the values by name (None where nothing is said, and for a list that is not mapped; a required
one is never None).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from bff.domain import (
    BonusAccount,
    BonusLot,
    CurrencyCode,
    CustomerId,
    Money,
    Offer,
    OfferKind,
    Order,
    OrderId,
    OrderLine,
    OrderStage,
    Product,
    ProductId,
    Profile,
    Tier,
)
from bff.mapping.making import maker
from bff.mapping.values import Kind

Values = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Field:
    """A value of a shape."""

    kind: Kind
    required: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """Fields, lists of other shapes, and the function that makes a domain object of them."""

    fields: Mapping[str, Field]
    lists: Mapping[str, "Shape"] = field(default_factory=dict)
    build: Callable[[Values], Any]


TEXT, NUMBER, DAY, INSTANT = Field(Kind.TEXT), Field(Kind.NUMBER), Field(Kind.DAY), Field(Kind.INSTANT)
NEEDED_TEXT, NEEDED_NUMBER = Field(Kind.TEXT, required=True), Field(Kind.NUMBER, required=True)
CURRENCY = Field(Kind.CURRENCY)

DEFAULT_CURRENCY = "default_currency"
"""`build` finds the mapping's own currency under this name."""


# `Wording` lets no number through that is not finite, nor a currency that is not three letters; the mapping file names
# the other. So `Money` need not check them.
_make_money = maker(Money)
_make_profile, _make_product, _make_offer = maker(Profile), maker(Product), maker(Offer)
_make_order, _make_order_line, _make_order_stage = maker(Order), maker(OrderLine), maker(OrderStage)


def _money(values: Values, name: str) -> Money:
    currency: CurrencyCode = values["currency"] or values[DEFAULT_CURRENCY]
    return _make_money(amount=values[name], currency=currency)


def _profile(values: Values) -> Profile:
    names = " ".join(part for part in (values["first_name"], values["last_name"]) if part)
    display_name = values["display_name"] or names or values["phone"] or values["email"] or values["customer"]
    return _make_profile(
        customer=CustomerId(values["customer"]),
        display_name=display_name,
        first_name=values["first_name"],
        last_name=values["last_name"],
        middle_name=values["middle_name"],
        phone=values["phone"],
        email=values["email"],
        birth_date=values["birth_date"],
    )


PROFILE = Shape(
    fields={
        "customer": NEEDED_TEXT,
        "display_name": TEXT,
        "first_name": TEXT,
        "last_name": TEXT,
        "middle_name": TEXT,
        "phone": TEXT,
        "email": TEXT,
        "birth_date": DAY,
    },
    build=_profile,
)


def _order_line(values: Values) -> OrderLine:
    return _make_order_line(
        name=values["name"],
        quantity=values["quantity"],
        price=_money(values, "price"),
        total=_money(values, "total"),
        product=ProductId(values["product"]) if values["product"] else None,
    )


ORDER_LINE = Shape(
    fields={
        "name": NEEDED_TEXT,
        "quantity": NEEDED_NUMBER,
        "price": NEEDED_NUMBER,
        "total": NEEDED_NUMBER,
        "currency": CURRENCY,
        "product": TEXT,
    },
    build=_order_line,
)

ORDER_STAGE = Shape(
    fields={"name": NEEDED_TEXT, "reached_at": INSTANT},
    build=lambda values: _make_order_stage(name=values["name"], reached_at=values["reached_at"]),
)


def _order(values: Values) -> Order:
    return _make_order(
        customer=CustomerId(values["customer"]),
        id=OrderId(values["id"]),
        number=values["number"],
        placed_at=values["placed_at"],
        status=values["status"],
        status_label=values["status_label"],
        total=_money(values, "total"),
        lines=values["lines"] or (),
        stages=values["stages"] or (),
    )


ORDER = Shape(
    fields={
        "customer": NEEDED_TEXT,
        "id": NEEDED_TEXT,
        "number": NEEDED_TEXT,
        "placed_at": Field(Kind.INSTANT, required=True),
        "status": Field(Kind.ORDER_STATUS, required=True),
        "status_label": NEEDED_TEXT,
        "total": NEEDED_NUMBER,
        "currency": CURRENCY,
    },
    lists={"lines": ORDER_LINE, "stages": ORDER_STAGE},
    build=_order,
)

FAVORITE = Shape(fields={"product": NEEDED_TEXT}, build=lambda values: ProductId(values["product"]))


def _product(values: Values) -> Product:
    return _make_product(
        id=ProductId(values["id"]),
        name=values["name"],
        url=values["url"],
        image_url=values["image_url"],
        price=None if values["price"] is None else _money(values, "price"),
        available=values["available"],
    )


PRODUCT = Shape(
    fields={
        "id": NEEDED_TEXT,
        "name": NEEDED_TEXT,
        "url": TEXT,
        "image_url": TEXT,
        "price": NUMBER,
        "currency": CURRENCY,
        "available": Field(Kind.FLAG),
    },
    build=_product,
)


def _offer(values: Values) -> Offer:
    return _make_offer(
        id=values["id"],
        kind=values["kind"] or OfferKind.PROMOTION,
        title=values["title"],
        description=values["description"],
        image_url=values["image_url"],
        url=values["url"],
        promo_code=values["promo_code"],
        starts_on=values["starts_on"],
        ends_on=values["ends_on"],
    )


OFFER = Shape(
    fields={
        "id": NEEDED_TEXT,
        "kind": Field(Kind.OFFER_KIND),
        "title": NEEDED_TEXT,
        "description": TEXT,
        "image_url": TEXT,
        "url": TEXT,
        "promo_code": TEXT,
        "starts_on": DAY,
        "ends_on": DAY,
    },
    build=_offer,
)

BONUS_LOT = Shape(
    fields={"amount": NEEDED_NUMBER, "expires_on": Field(Kind.DAY, required=True)},
    build=lambda values: BonusLot(amount=values["amount"], expires_on=values["expires_on"]),
)


def _bonus_account(values: Values) -> BonusAccount:
    tier = None
    if values["tier"]:
        remaining = None if values["tier_remaining"] is None else _money(values, "tier_remaining")
        tier = Tier(name=values["tier"], next_name=values["next_tier"], remaining_to_next=remaining)
    lots = values["lots"]
    return BonusAccount(
        customer=CustomerId(values["customer"]),
        id=values["id"] or values["customer"],
        balance=values["balance"],
        tier=tier,
        pending=values["pending"],
        # Not mapped: nobody knows what will burn. That differs from knowing that nothing will.
        lots=None if lots is None else tuple(sorted(lots, key=lambda lot: lot.expires_on)),
    )


BONUS_ACCOUNT = Shape(
    fields={
        "customer": NEEDED_TEXT,
        "id": TEXT,
        "balance": NEEDED_NUMBER,
        "pending": NEEDED_NUMBER,
        "tier": TEXT,
        "next_tier": TEXT,
        "tier_remaining": NUMBER,
        "currency": CURRENCY,
    },
    lists={"lots": BONUS_LOT},
    build=_bonus_account,
)

FOUND_CUSTOMER = Shape(
    fields={"contact": NEEDED_TEXT, "customer": NEEDED_TEXT},
    build=lambda values: CustomerId(values["customer"]),
)

SHAPES: Mapping[str, Shape] = {
    "profiles": PROFILE,
    "latest_orders": ORDER,
    "orders": ORDER,
    "bonus_accounts": BONUS_ACCOUNT,
    "favorites": FAVORITE,
    "products": PRODUCT,
    "promotions": OFFER,
    "personal_offers": OFFER,
    "find": FOUND_CUSTOMER,
}
"""The shape that each read's entries have, by the name of the port's method."""

WRITE_SHAPES: Mapping[str, Shape] = {"register": FOUND_CUSTOMER}
"""The same of what each write answers."""
