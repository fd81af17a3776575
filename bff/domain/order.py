"""An order, its lines and the stages it goes through."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import Enum
from typing import NewType

from bff.domain.customer import CustomerId
from bff.domain.money import Money
from bff.domain.product import ProductId

OrderId = NewType("OrderId", str)
"""The back office's id of an order."""


class OrderStatus(Enum):
    """The closed set that every shop's own words are mapped to; `UNKNOWN` where a back office surprises us."""

    NEW = "NEW"
    CONFIRMED = "CONFIRMED"
    ASSEMBLING = "ASSEMBLING"
    SHIPPED = "SHIPPED"
    READY_FOR_PICKUP = "READY_FOR_PICKUP"
    DELIVERED = "DELIVERED"
    CANCELLED = "CANCELLED"
    RETURNED = "RETURNED"
    UNKNOWN = "UNKNOWN"


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderStage:
    """A step of the order's way; `reached_at` is None while it lies ahead."""

    name: str
    reached_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderLine:
    """What was bought. `product` is None where the back office names goods only by words."""

    name: str
    quantity: Decimal
    price: Money
    total: Money
    product: ProductId | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """An order of one customer. `placed_at` has an offset; `status_label` is the shop's own wording."""

    customer: CustomerId
    id: OrderId
    number: str
    placed_at: datetime
    status: OrderStatus
    status_label: str
    total: Money
    lines: tuple[OrderLine, ...] = ()
    stages: tuple[OrderStage, ...] = ()
