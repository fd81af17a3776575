"""What the customer bought."""

from typing import cast

from bff.domain import Order, OrderId
from bff.errors import NotFound, Unknown
from bff.resolvers.context import Context
from bff.sources import Answer


async def last_order(context: Context, *, with_products: bool = True) -> Answer[Order] | None:
    """The last order of the one who asks; None where there is none yet. `with_products`: its lines' will be wanted."""
    customer = context.customer
    loader = context.loaders.latest_orders
    if with_products:
        context.loaders.expect_products(loader)
    answer = await loader.load(customer)
    return None if answer.value is None else cast("Answer[Order]", answer)


async def order(context: Context, order_id: OrderId, *, with_products: bool = True) -> Answer[Order]:
    """An order of the one who asks, by id. Raises `NotFound`, for another customer's order exactly as for none."""
    customer = context.customer
    loader = context.loaders.orders
    if with_products:
        context.loaders.expect_products(loader)
    try:
        answer = await loader.load(order_id)
    except Unknown:
        raise NotFound("there is no such order") from None
    if answer.value.customer != customer or answer.value.id != order_id:
        raise NotFound("there is no such order")
    return answer
