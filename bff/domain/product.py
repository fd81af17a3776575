"""A thing that the shop sells."""

from dataclasses import dataclass
from typing import NewType

from bff.domain.money import Money

ProductId = NewType("ProductId", str)
"""The shop's own id of a product, the same in every back office."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Product:
    """What is shown of a product. `available` is None where the back office does not say."""

    id: ProductId
    name: str
    url: str | None = None
    image_url: str | None = None
    price: Money | None = None
    available: bool | None = None
