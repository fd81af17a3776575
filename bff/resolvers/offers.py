"""What the shop offers to the customer."""

from asyncio import gather
from dataclasses import dataclass
from datetime import datetime

from bff.domain import Offer, OfferList
from bff.errors import BackOfficeError, BadReply
from bff.resolvers.context import Context, Path
from bff.resolvers.paging import Page, page
from bff.sources import Answer
from bff.sources.answer import freshness


@dataclass(frozen=True, slots=True)
class SourcedOffer:
    """An offer and the back office that it came from: ids are unique only within one."""

    back_office: str
    offer: Offer


@dataclass(frozen=True, slots=True)
class OfferPage:
    """A page of the merged offers."""

    page: Page[SourcedOffer]
    as_of: datetime
    stale: bool


async def offers(context: Context, path: Path, *, first: int, after: str | None) -> OfferPage:
    """
    A page of all back offices' offers, personal ones of each before everybody's.

    One back office that fails costs only its items: an error beside the list tells of it. Where all fail, that is the
    section's error.
    """
    customer, today = context.customer, context.today()
    sources = context.loaders.offers
    waits = [(source.back_office, load) for source in sources for load in source.loads(customer)]
    outcomes = await gather(*(load for _, load in waits), return_exceptions=True)

    answers: list[Answer[OfferList]] = []
    errors: list[BackOfficeError] = []
    merged: list[SourcedOffer] = []
    for (back_office, _), outcome in zip(waits, outcomes, strict=True):
        if isinstance(outcome, BackOfficeError):
            errors.append(outcome)
        elif isinstance(outcome, BaseException):
            raise outcome
        else:
            answers.append(outcome)
            merged.extend(
                SourcedOffer(back_office, offer)
                for offer in outcome.value.offers
                if offer.ends_on is None or offer.ends_on >= today
            )
            if outcome.value.rejected:
                errors.append(BadReply(f"{outcome.value.rejected} offers could not be read", back_office=back_office))
    if not answers:
        raise errors[0]
    for error in errors:
        context.notice(path, error)
    as_of, stale = freshness(answers)
    chosen = page(merged, first=first, after=after, key=lambda sourced: f"{sourced.back_office}/{sourced.offer.id}")
    return OfferPage(chosen, as_of, stale)
