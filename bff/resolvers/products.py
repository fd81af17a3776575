"""Things that the shop sells."""

from bff.domain import Product, ProductId
from bff.errors import NotSupported
from bff.resolvers.context import Context


async def product(context: Context, product_id: ProductId) -> Product | None:
    """A product by id; None where there is no catalogue at all."""
    try:
        loader = context.loaders.products
    except NotSupported:
        return None
    return (await loader.load(product_id)).value
