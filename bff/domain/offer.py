"""What the shop offers: to everybody, or to one customer."""

from dataclasses import dataclass
from datetime import date
from enum import Enum

from bff.domain.customer import CustomerId


class OfferKind(Enum):
    """What an offer is."""

    PROMOTION = "PROMOTION"
    PERSONAL = "PERSONAL"
    COUPON = "COUPON"


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """An offer. `id` is the back office's own; `starts_on` and `ends_on` are whole days, both included."""

    id: str
    kind: OfferKind
    title: str
    description: str | None = None
    image_url: str | None = None
    url: str | None = None
    promo_code: str | None = None
    starts_on: date | None = None
    ends_on: date | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferList:
    """
    Offers of one back office. `customer` is None for what is offered to everybody.

    `rejected` counts the offers that the back office sent and that could not be read: they cost only themselves,
    and the customer's page is told.
    """

    offers: tuple[Offer, ...] = ()
    customer: CustomerId | None = None
    rejected: int = 0
