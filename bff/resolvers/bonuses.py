"""The customer's bonuses."""

from asyncio import gather
from collections.abc import Awaitable, Set
from dataclasses import dataclass, replace
from typing import Any

from bff.domain import BonusAccount
from bff.resolvers.context import Context
from bff.sources import Answer
from bff.sources.answer import freshness


@dataclass(frozen=True, slots=True)
class _Part:
    """A part of an account that may cost a call of its own."""

    field: str
    loader: str
    attribute: str


PARTS = (
    _Part("pending", "pending_bonuses", "amount"),
    _Part("lots", "bonus_expirations", "lots"),
)


async def bonuses(context: Context, wanted: Set[str]) -> Answer[BonusAccount] | None:
    """
    The account of the one who asks, with the `wanted` parts ("pending", "lots") filled; None where they take no part.

    A part that came with the account costs nothing; another costs a call, made only if it is wanted. What comes back
    is as old as its oldest part.
    """
    answer = await context.loaders.bonus_accounts.load(context.customer)
    account = answer.value
    if account is None:
        return None
    missing = [part for part in PARTS if part.field in wanted and getattr(account, part.field) is None]
    loads: list[Awaitable[Answer[Any]]] = [getattr(context.loaders, part.loader).load(account) for part in missing]
    found = await gather(*loads)
    filled = {part.field: getattr(each.value, part.attribute) for part, each in zip(missing, found, strict=True)}
    as_of, stale = freshness([answer, *found])
    return Answer(replace(account, **filled), as_of, stale)
