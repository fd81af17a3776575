"""Offers."""

from datetime import date
from enum import Enum

import strawberry

from bff.resolvers.offers import OfferPage, SourcedOffer
from bff.schema.ids import global_id
from bff.schema.interfaces import PageInfo, Section


@strawberry.enum(description="What an offer is.")
class OfferKind(Enum):
    """The names are those of `bff.domain.OfferKind`."""

    PROMOTION = strawberry.enum_value("PROMOTION", description="For everybody.")
    PERSONAL = strawberry.enum_value("PERSONAL", description="For this customer.")
    COUPON = strawberry.enum_value("COUPON", description="With a code to enter.")


@strawberry.type(description="Something that the shop offers.")
class Offer:
    """An offer."""

    id: strawberry.ID = strawberry.field(description="An opaque id.")
    kind: OfferKind = strawberry.field(description="What it is.")
    title: str = strawberry.field(description="A headline.")
    description: str | None = strawberry.field(description="A sentence or two.")
    image_url: str | None = strawberry.field(description="A picture.")
    url: str | None = strawberry.field(description="Its page in the shop.")
    promo_code: str | None = strawberry.field(description="The code to enter at the checkout.")
    starts_on: date | None = strawberry.field(description="The first day; null where it has begun or nobody knows.")
    ends_on: date | None = strawberry.field(description="The last day; null where it has no end or nobody knows.")

    @classmethod
    def of(cls, sourced: SourcedOffer) -> "Offer":
        """Show an offer."""
        offer = sourced.offer
        return cls(
            id=strawberry.ID(global_id("Offer", f"{sourced.back_office}/{offer.id}")),
            kind=OfferKind[offer.kind.name],
            title=offer.title,
            description=offer.description,
            image_url=offer.image_url,
            url=offer.url,
            promo_code=offer.promo_code,
            starts_on=offer.starts_on,
            ends_on=offer.ends_on,
        )


@strawberry.type(description="An offer and its place in the list.")
class OfferEdge:
    """Relay's edge."""

    cursor: str = strawberry.field(description="Where it stands: give it as `after` to get what is behind it.")
    node: Offer = strawberry.field(description="The offer.")


@strawberry.type(description="What the shop offers: to this customer, then to everybody.")
class OfferConnection(Section):
    """Relay's connection."""

    edges: list[OfferEdge] = strawberry.field(description="The page's offers with their cursors.")
    nodes: list[Offer] = strawberry.field(description="The page's offers.")
    page_info: PageInfo = strawberry.field(description="Where this page stands.")
    total_count: int = strawberry.field(description="How many there are in all.")

    @classmethod
    def of(cls, answer: OfferPage) -> "OfferConnection":
        """Show a page of offers."""
        edges = [OfferEdge(cursor=cursor, node=Offer.of(sourced)) for cursor, sourced in answer.page.items]
        return cls(
            edges=edges,
            nodes=[edge.node for edge in edges],
            page_info=PageInfo.around(
                [edge.cursor for edge in edges], has_previous=answer.page.has_previous, has_next=answer.page.has_next
            ),
            total_count=answer.page.total,
            as_of=answer.as_of,
            stale=answer.stale,
        )
