"""Orders."""

from collections.abc import Collection
from datetime import datetime
from decimal import Decimal
from enum import Enum

import strawberry

from bff import domain
from bff.resolvers import products
from bff.schema.ids import global_id
from bff.schema.info import Info
from bff.schema.interfaces import Node, Section
from bff.schema.money import Money
from bff.schema.product import Product
from bff.sources import Answer


@strawberry.enum(
    description="Where an order stands, the same words for every shop. The shop's own wording is `statusLabel`."
)
class OrderStatus(Enum):
    """The names are those of `bff.domain.OrderStatus`."""

    NEW = strawberry.enum_value("NEW", description="Placed, and not looked at yet.")
    CONFIRMED = strawberry.enum_value("CONFIRMED", description="The shop has accepted it.")
    ASSEMBLING = strawberry.enum_value("ASSEMBLING", description="Being put together.")
    SHIPPED = strawberry.enum_value("SHIPPED", description="On its way.")
    READY_FOR_PICKUP = strawberry.enum_value("READY_FOR_PICKUP", description="Waiting to be fetched.")
    DELIVERED = strawberry.enum_value("DELIVERED", description="The customer has it.")
    CANCELLED = strawberry.enum_value("CANCELLED", description="Called off, by either side.")
    RETURNED = strawberry.enum_value("RETURNED", description="Sent back.")
    UNKNOWN = strawberry.enum_value("UNKNOWN", description="A status that has no name here: show `statusLabel`.")


@strawberry.type(description="A step on an order's way.")
class OrderStage:
    """A stage."""

    name: str = strawberry.field(description="The shop's name for the step.")
    reached_at: datetime | None = strawberry.field(description="When it was reached; null while it lies ahead.")


@strawberry.type(description="A line of an order.")
class OrderLine:
    """What was bought."""

    product_id: strawberry.Private[domain.ProductId | None]
    name: str = strawberry.field(description="What it was called when it was bought.")
    quantity: Decimal = strawberry.field(description="How many, or how much.")
    price: Money = strawberry.field(description="What one cost.")
    total: Money = strawberry.field(description="What the line cost.")

    @strawberry.field(
        description="The product as the catalogue has it today; null where it is not known, or the catalogue is away."
    )
    async def product(self, info: Info) -> Product | None:
        """Ask the catalogue, for all lines at once."""
        if self.product_id is None:
            return None
        product = await products.product(info.context, self.product_id)
        return None if product is None else Product.of(product)

    @classmethod
    def of(cls, line: domain.OrderLine) -> "OrderLine":
        """Show a line."""
        return cls(
            product_id=line.product,
            name=line.name,
            quantity=line.quantity,
            price=Money.of(line.price),
            total=Money.of(line.total),
        )


@strawberry.type(description="An order of the customer.")
class Order(Node, Section):
    """An order."""

    number: str = strawberry.field(description="The number that the customer knows it by.")
    placed_at: datetime = strawberry.field(description="When it was placed.")
    status: OrderStatus = strawberry.field(description="Where it stands.")
    status_label: str = strawberry.field(description="Where it stands, in the shop's own words.")
    stages: list[OrderStage] = strawberry.field(description="The steps of its way, in their order.")
    total: Money = strawberry.field(description="What it costs.")
    lines: list[OrderLine] = strawberry.field(description="What was bought.")

    @classmethod
    def of(cls, answer: Answer[domain.Order], asked: Collection[str]) -> "Order":
        """Show an order, with those of its lists that are among the fields that are asked for."""
        order = answer.value
        return cls(
            id=strawberry.ID(global_id("Order", order.id)),
            number=order.number,
            placed_at=order.placed_at,
            status=OrderStatus[order.status.name],
            status_label=order.status_label,
            stages=[OrderStage(name=stage.name, reached_at=stage.reached_at) for stage in order.stages]
            if "stages" in asked
            else [],
            total=Money.of(order.total),
            lines=[OrderLine.of(line) for line in order.lines] if "lines" in asked else [],
            as_of=answer.as_of,
            stale=answer.stale,
        )
