"""Money."""

from decimal import Decimal

import strawberry

from bff import domain


@strawberry.type(description="An amount in a currency.")
class Money:
    """Money as the front end sees it."""

    amount: Decimal = strawberry.field(description="How much, exactly.")
    currency: domain.CurrencyCode = strawberry.field(description="Of what.")

    @classmethod
    def of(cls, money: domain.Money) -> "Money":
        """Show a domain amount."""
        return cls(amount=money.amount, currency=money.currency)
