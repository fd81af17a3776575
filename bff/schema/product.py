"""Products."""

import strawberry

from bff import domain
from bff.schema.ids import global_id
from bff.schema.money import Money


@strawberry.type(description="A thing that the shop sells.")
class Product:
    """A product card."""

    id: strawberry.ID = strawberry.field(description="An opaque id.")
    name: str = strawberry.field(description="What it is called.")
    url: str | None = strawberry.field(description="Its page in the shop.")
    image_url: str | None = strawberry.field(description="A picture.")
    price: Money | None = strawberry.field(description="What it costs now.")
    available: bool | None = strawberry.field(description="Whether it can be bought now; null where nobody knows.")

    @classmethod
    def of(cls, product: domain.Product) -> "Product":
        """Show a product."""
        return cls(
            id=strawberry.ID(global_id("Product", product.id)),
            name=product.name,
            url=product.url,
            image_url=product.image_url,
            price=Money.of(product.price) if product.price else None,
            available=product.available,
        )
