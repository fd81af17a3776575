"""Who the customer is."""

from bff.domain import Profile
from bff.resolvers.context import Context
from bff.sources import Answer


async def profile(context: Context) -> Answer[Profile]:
    """The profile of the one who asks."""
    return await context.loaders.profiles.load(context.customer)
