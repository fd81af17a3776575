"""The root, and the main screen."""

from typing import Annotated

import strawberry

from bff.domain import OrderId
from bff.resolvers import bonuses, favorites, offers, orders, profile
from bff.schema.bonus import BonusAccount
from bff.schema.favorite import FavoriteConnection
from bff.schema.ids import local_id
from bff.schema.info import Info, path_of, selected
from bff.schema.interfaces import Node
from bff.schema.offer import OfferConnection
from bff.schema.order import Order
from bff.schema.profile import Profile

First = Annotated[int, strawberry.argument(description="How many, 100 at the most.")]
After = Annotated[str | None, strawberry.argument(description="The cursor behind which the page starts.")]


@strawberry.type(
    description="The customer's main screen. Its sections come side by side, and each fails alone: null here, and an "
    "entry in `errors` with its `path` and `extensions.code`."
)
class Dashboard:
    """Everything on the main screen."""

    @strawberry.field(description="Who the customer is.")
    async def profile(self, info: Info) -> Profile | None:
        """The profile section."""
        return Profile.of(await profile.profile(info.context))

    @strawberry.field(description="The last order; null without an error where there is none yet.")
    async def last_order(self, info: Info) -> Order | None:
        """The last order's section."""
        answer = await orders.last_order(info.context, with_products="product" in selected(info, "lines"))
        return None if answer is None else Order.of(answer)

    @strawberry.field(description="Bonuses, and when they burn; null without an error for who is not in the programme.")
    async def bonuses(self, info: Info) -> BonusAccount | None:
        """The bonus section. Parts that cost a call of their own are asked for only if they are selected."""
        asked = selected(info)
        wanted = {part for part, name in (("pending", "pending"), ("lots", "expirations")) if name in asked}
        answer = await bonuses.bonuses(info.context, wanted)
        return None if answer is None else BonusAccount.of(answer)

    @strawberry.field(description="Marked products, newest first.")
    async def favorites(
        self, info: Info, first: First = 12, after: After = strawberry.UNSET
    ) -> FavoriteConnection | None:
        """The favorites' section. Without nodes and edges it costs no call for products."""
        with_products = not selected(info).isdisjoint({"nodes", "edges"})
        return FavoriteConnection.of(
            await favorites.favorites(
                info.context, path_of(info), first=first, after=after or None, with_products=with_products
            )
        )

    @strawberry.field(description="Personal offers and promotions.")
    async def offers(self, info: Info, first: First = 12, after: After = strawberry.UNSET) -> OfferConnection | None:
        """The offers' section."""
        return OfferConnection.of(await offers.offers(info.context, path_of(info), first=first, after=after or None))


@strawberry.type(description="What can be asked.")
class Query:
    """The root."""

    @strawberry.field(description="The main screen of the customer whose token it is.")
    async def dashboard(self, info: Info) -> Dashboard:
        """The main screen; for a guest, UNAUTHENTICATED."""
        _ = info.context.customer
        return Dashboard()

    @strawberry.field(
        description="Something of the customer's own by its id; NOT_FOUND for anything else, whoever's it is."
    )
    async def node(
        self,
        info: Info,
        id: Annotated[strawberry.ID, strawberry.argument(description="An id that this API gave.")],  # noqa: A002
    ) -> Node | None:
        """Relay's refetch: orders, for now."""
        _ = info.context.customer
        with_products = "product" in selected(info, "lines")
        order_id = OrderId(local_id(id, "Order"))
        return Order.of(await orders.order(info.context, order_id, with_products=with_products))
