"""Favorites."""

import strawberry

from bff.resolvers.favorites import FavoritePage
from bff.schema.interfaces import PageInfo, Section
from bff.schema.product import Product
from bff.sources import Answer


@strawberry.type(description="A favorite and its place in the list.")
class FavoriteEdge:
    """Relay's edge."""

    cursor: str = strawberry.field(description="Where it stands: give it as `after` to get what is behind it.")
    node: Product = strawberry.field(description="The product.")


@strawberry.type(description="The products that the customer has marked, newest first.")
class FavoriteConnection(Section):
    """Relay's connection."""

    edges: list[FavoriteEdge] = strawberry.field(description="The page's products with their cursors.")
    nodes: list[Product] = strawberry.field(description="The page's products.")
    page_info: PageInfo = strawberry.field(description="Where this page stands.")
    total_count: int = strawberry.field(description="How many there are in all.")

    @classmethod
    def of(cls, answer: Answer[FavoritePage]) -> "FavoriteConnection":
        """Show a page of favorites."""
        chosen = answer.value.page
        edges = [FavoriteEdge(cursor=cursor, node=Product.of(product)) for cursor, product in answer.value.products]
        return cls(
            edges=edges,
            nodes=[edge.node for edge in edges],
            # The page's own cursors, not those of the products that are known: the next page starts behind them all.
            page_info=PageInfo.around(
                [cursor for cursor, _ in chosen.items], has_previous=chosen.has_previous, has_next=chosen.has_next
            ),
            total_count=chosen.total,
            as_of=answer.as_of,
            stale=answer.stale,
        )
