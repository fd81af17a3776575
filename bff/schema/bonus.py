"""Bonuses."""

from datetime import date
from decimal import Decimal

import strawberry

from bff import domain
from bff.schema.interfaces import Section
from bff.schema.money import Money
from bff.sources import Answer


@strawberry.type(description="Points that burn together.")
class BonusExpiration:
    """A lot."""

    amount: Decimal = strawberry.field(description="How many points.")
    expires_on: date = strawberry.field(description="The last day on which they can be spent.")


@strawberry.type(description="The customer's level in the loyalty programme.")
class Tier:
    """A tier."""

    name: str = strawberry.field(description="What the level is called.")
    next_name: str | None = strawberry.field(description="What the next one is called; null on the last, or unknown.")
    remaining_to_next: Money | None = strawberry.field(
        description="What is still to be bought for the next level; null on the last, or unknown."
    )

    @classmethod
    def of(cls, tier: domain.Tier) -> "Tier":
        """Show a tier."""
        remaining = Money.of(tier.remaining_to_next) if tier.remaining_to_next else None
        return cls(name=tier.name, next_name=tier.next_name, remaining_to_next=remaining)


@strawberry.type(description="The customer's account in the loyalty programme. Amounts are points.")
class BonusAccount(Section):
    """An account."""

    balance: Decimal = strawberry.field(description="May be spent now.")
    pending: Decimal = strawberry.field(description="Granted, and not active yet.")
    expirations: list[BonusExpiration] = strawberry.field(description="What will burn, soonest first.")
    tier: Tier | None = strawberry.field(description="The level; null where the programme has none.")

    @classmethod
    def of(cls, answer: Answer[domain.BonusAccount]) -> "BonusAccount":
        """Show an account, whose parts are filled as far as they were asked for."""
        account = answer.value
        return cls(
            balance=account.balance,
            pending=account.pending if account.pending is not None else Decimal(0),
            expirations=[BonusExpiration(amount=lot.amount, expires_on=lot.expires_on) for lot in account.lots or ()],
            tier=Tier.of(account.tier) if account.tier else None,
            as_of=answer.as_of,
            stale=answer.stale,
        )
