"""Where answers are kept, and how long."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from pydantic import SecretStr

from bff.domain.clock import Clock
from bff.sources.ages import Freshness
from bff.sources.cache import Cache
from bff.sources.memory import MemoryTier


async def _nothing() -> None:
    pass


@dataclass(frozen=True, slots=True)
class Storage:
    """The cache and the ages of what is in it. `shop` keeps shops apart that share a Redis."""

    cache: Cache
    freshness: Freshness
    shop: str = "shop"
    open: Callable[[], Awaitable[None]] = _nothing
    """Connect to what is outside this process; to be called in the event loop that serves. It never fails."""


def make_storage(
    freshness: Freshness,
    *,
    shop: str,
    max_entries: int,
    max_bytes: int,
    redis_url: SecretStr | None,
    redis_connections: int,
    redis_limit_seconds: float,
    clock: Clock,
) -> Storage:
    """Memory, and Redis behind it where there is a URL. Raises `ValueError` for one that is not good."""
    memory = MemoryTier(max_entries=max_entries, max_bytes=max_bytes, clock=clock)
    if redis_url is None:
        return Storage(Cache([memory], clock), freshness, shop)
    # The client library costs a third of a second to import: only who has a Redis pays.
    from bff.sources.redis_tier import RedisTier  # noqa: PLC0415
    from bff.sources.redis_url import open_client  # noqa: PLC0415

    client = open_client(redis_url.get_secret_value(), connections=redis_connections)
    redis = RedisTier(client, shop=shop, clock=clock, limit_seconds=redis_limit_seconds)

    async def connect() -> None:
        await redis.open()
        # What other processes drop goes from here too; where drops may have been missed, everything does.
        redis.listen(memory.drop, memory.clear)

    return Storage(Cache([memory, redis], clock), freshness, shop, connect)
