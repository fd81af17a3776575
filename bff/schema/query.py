"""The root, and the main screen."""

from typing import Annotated

import strawberry

from bff.domain import CustomerId, OrderId
from bff.resolvers import bonuses, favorites, offers, orders, profile
from bff.resolvers.context import Context
from bff.schema.bonus import BonusAccount
from bff.schema.favorite import FavoriteConnection
from bff.schema.ids import local_id
from bff.schema.info import Info, path_of, selected
from bff.schema.interfaces import Node
from bff.schema.offer import OfferConnection
from bff.schema.order import Order
from bff.schema.profile import Profile
from bff.schema.shop import Shop

First = Annotated[int, strawberry.argument(description="How many, 100 at the most.")]
After = Annotated[str | None, strawberry.argument(description="The cursor behind which the page starts.")]


@strawberry.type(
    description="The customer's main screen. Its sections come side by side, and each fails alone: null here, and an "
    "entry in `errors` with its `path` and `extensions.code`."
)
class Dashboard:
    """Everything on the main screen."""

    viewed: strawberry.Private[Context | None] = None
    """Whose it is, where that is not the one who asks."""

    def context(self, info: Info) -> Context:
        """The request, as the customer's whose dashboard it is."""
        return self.viewed or info.context

    @strawberry.field(description="Who the customer is.")
    async def profile(self, info: Info) -> Profile | None:
        """The profile section."""
        return Profile.of(await profile.profile(self.context(info)))

    @strawberry.field(description="The last order; null without an error where there is none yet.")
    async def last_order(self, info: Info) -> Order | None:
        """The last order's section."""
        asked = selected(info)
        with_products = "lines" in asked and "product" in selected(info, "lines")
        answer = await orders.last_order(self.context(info), with_products=with_products)
        return None if answer is None else Order.of(answer, asked)

    @strawberry.field(description="Bonuses, and when they burn; null without an error for who is not in the programme.")
    async def bonuses(self, info: Info) -> BonusAccount | None:
        """The bonus section. Parts that cost a call of their own are asked for only if they are selected."""
        asked = selected(info)
        wanted = {part for part, name in (("pending", "pending"), ("lots", "expirations")) if name in asked}
        answer = await bonuses.bonuses(self.context(info), wanted)
        return None if answer is None else BonusAccount.of(answer)

    @strawberry.field(description="Marked products, newest first.")
    async def favorites(
        self, info: Info, first: First = 12, after: After = strawberry.UNSET
    ) -> FavoriteConnection | None:
        """The favorites' section. Without nodes and edges it costs no call for products."""
        with_products = not selected(info).isdisjoint({"nodes", "edges"})
        return FavoriteConnection.of(
            await favorites.favorites(
                self.context(info), path_of(info), first=first, after=after or None, with_products=with_products
            )
        )

    @strawberry.field(description="Personal offers and promotions.")
    async def offers(self, info: Info, first: First = 12, after: After = strawberry.UNSET) -> OfferConnection | None:
        """The offers' section."""
        return OfferConnection.of(
            await offers.offers(self.context(info), path_of(info), first=first, after=after or None)
        )


@strawberry.type(description="What can be asked.")
class Query:
    """The root."""

    @strawberry.field(description="The main screen of the customer whose token it is.")
    def dashboard(self, info: Info) -> Dashboard:
        """The main screen; for a guest, UNAUTHENTICATED."""
        _ = info.context.customer
        return Dashboard()

    @strawberry.field(description="What a guest may see: which sections there are, and how to sign in.")
    def shop(self, info: Info) -> Shop:
        """The shop."""
        return Shop.of(info.context.services.shop)

    @strawberry.field(
        description="A customer's main screen, for the shop's staff: it needs their scope, and every look is in the "
        "audit log."
    )
    async def customer_dashboard(
        self,
        info: Info,
        id: Annotated[strawberry.ID, strawberry.argument(description="The id that the shop has for them.")],  # noqa: A002
    ) -> Dashboard:
        """Somebody else's main screen; FORBIDDEN for who is not staff."""
        return Dashboard(viewed=info.context.seen_by_staff(CustomerId(id), info.field_name))

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
        return Order.of(await orders.order(info.context, order_id, with_products=with_products), selected(info))
