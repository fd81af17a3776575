"""What the customer has marked."""

from dataclasses import dataclass

from bff.domain import Product, ProductId
from bff.errors import BackOfficeError, BadReply, Unknown
from bff.resolvers.context import Context, Path
from bff.resolvers.paging import Page, page
from bff.sources import Answer
from bff.sources.answer import freshness


@dataclass(frozen=True, slots=True)
class FavoritePage:
    """A page of favorites: those whose products are known, in the list's order."""

    products: tuple[tuple[str, Product], ...]
    page: Page[ProductId]


async def favorites(
    context: Context, path: Path, *, first: int, after: str | None, with_products: bool = True
) -> Answer[FavoritePage]:
    """
    A page of the customer's favorites, newest first; their products, if wanted, come in one call. It is as old as the
    oldest of what it shows.

    A product that cannot be had costs only itself: one error beside the list tells of it. Where none can be had, that
    is the section's error; but products that the catalogue no longer knows are merely gone.
    """
    customer = context.customer
    loader = context.loaders.favorites
    if with_products:
        context.loaders.expect_products(loader)
    answer = await loader.load(customer)
    listed = answer.value
    chosen = page(listed.products, first=first, after=after, key=str)
    if listed.rejected:
        context.notice(path, BadReply(f"favorites: {listed.rejected} entries could not be read"))
    if not chosen.items or not with_products:
        return Answer(FavoritePage((), chosen), answer.as_of, answer.stale)

    found = await context.loaders.products.load_each([product_id for _, product_id in chosen.items])
    good: list[tuple[str, Product]] = []
    parts: list[Answer[object]] = [answer]
    errors: list[BackOfficeError] = []
    for cursor, product_id in chosen.items:
        outcome = found[product_id]
        if isinstance(outcome, BackOfficeError):
            errors.append(outcome)
        else:
            good.append((cursor, outcome.value))
            parts.append(outcome)
    failures = [error for error in errors if not isinstance(error, Unknown)]
    if failures and not good:
        raise failures[0]
    for error in errors:
        context.notice(path, error)
    as_of, stale = freshness(parts)
    return Answer(FavoritePage(tuple(good), chosen), as_of, stale)
