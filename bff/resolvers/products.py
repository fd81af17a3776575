"""Things that the shop sells."""

from bff.domain import Product, ProductId
from bff.resolvers.context import Context


async def product(context: Context, product_id: ProductId) -> Product:
    """A product by id."""
    return (await context.loaders.products.load(product_id)).value
