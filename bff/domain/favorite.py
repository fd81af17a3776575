"""What a customer has marked to come back to."""

from dataclasses import dataclass

from bff.domain.customer import CustomerId
from bff.domain.product import ProductId


@dataclass(frozen=True, slots=True, kw_only=True)
class FavoriteList:
    """
    The products that a customer has marked, newest first, each once.

    `rejected` counts entries that the back office sent and that could not be read.
    """

    customer: CustomerId
    products: tuple[ProductId, ...] = ()
    rejected: int = 0
