"""What a cabinet is made of. Frozen, slotted, standard library only; knows no back office and no GraphQL."""

from bff.domain.bonus import BonusAccount, BonusExpirations, BonusLot, PendingBonuses, Tier
from bff.domain.contact import Contact, ContactKind, Registration
from bff.domain.customer import CustomerId, Profile
from bff.domain.favorite import FavoriteList
from bff.domain.money import CurrencyCode, Money
from bff.domain.offer import Offer, OfferKind, OfferList
from bff.domain.order import Order, OrderId, OrderLine, OrderStage, OrderStatus
from bff.domain.product import Product, ProductId

__all__ = [
    "BonusAccount",
    "BonusExpirations",
    "BonusLot",
    "Contact",
    "ContactKind",
    "CurrencyCode",
    "CustomerId",
    "FavoriteList",
    "Money",
    "Offer",
    "OfferKind",
    "OfferList",
    "Order",
    "OrderId",
    "OrderLine",
    "OrderStage",
    "OrderStatus",
    "PendingBonuses",
    "Product",
    "ProductId",
    "Profile",
    "Registration",
    "Tier",
]
