"""
The store in Redis, for several machines.

Keys, each after `kabinet:<shop>:id:`

    value:<key>     a value, dies with its lifetime
    count:<key>     a counter, dies with its window

Swaps and counts are scripts of one key each, so a cluster will do. Redis itself says when something ends (its TTL).

What is durable is what that Redis makes durable: with `appendonly yes` and `appendfsync always` all that was
acknowledged, with `everysec` all but the last second; without either a restart signs everybody out and forgets the
limits, and so may a failover, for what the replica had not yet. It must run with `maxmemory-policy noeviction`: one
that evicts would forget counters, which are limits, and sessions. So it should not be the cache's server, unless that
does not evict either.
"""

import asyncio
import math
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack, suppress
from typing import Any, Final, TypeVar
from urllib.parse import quote

from bff.identity.store.protocol import Count, StoreUnavailable, check_count, check_value, checked_key
from bff.sources import redis_url
from bff.sources.redis_url import RedisClient

T = TypeVar("T")

SWAP: Final = """
local found = redis.call('GET', KEYS[1])
if ARGV[1] == '0' then
  if found then return 0 end
elseif found ~= ARGV[2] then
  return 0
end
if ARGV[3] == '0' then
  redis.call('DEL', KEYS[1])
else
  redis.call('SET', KEYS[1], ARGV[4], 'PX', ARGV[3])
end
return 1
"""
"""Takes: whether a value is expected, which, milliseconds that the new one lives (0: there is none), the new one."""

COUNT: Final = """
local by, window = tonumber(ARGV[1]), tonumber(ARGV[2])
local left = redis.call('PTTL', KEYS[1])
if left == -2 and by == 0 then
  return {0, 0}
end
local number
if by == 0 then
  number = tonumber(redis.call('GET', KEYS[1]))
  if left < 0 or left > window then left = window end
else
  number = redis.call('INCRBY', KEYS[1], by)
  if left < 0 or left > window then
    redis.call('PEXPIRE', KEYS[1], ARGV[2])
    left = window
  end
end
return {number, left}
"""
"""Takes the step and the window in milliseconds; gives the number and the milliseconds that are left."""


class RedisStore:
    """
    A `Store` in Redis, for one shop. `limit_seconds` is for one call, with the wait for a connection in it.

    The client is the store's own from now on: `close` closes it.
    """

    def __init__(self, client: RedisClient, *, shop: str, limit_seconds: float = 0.5) -> None:
        self._client = client
        # Overloads of redis-py serve the blocking and the asynchronous client alike, and say "either" of answers.
        self._redis: Any = client.redis
        self._prefix = f"kabinet:{quote(shop, safe='')}:id:".encode()
        self._limit = limit_seconds
        self._slots = asyncio.Semaphore(client.connections)
        self._open = False

    async def open(self) -> None:
        """
        Connect, and see that Redis takes writes. Raises `StoreUnavailable` where it does not.

        The store may be used all the same, and works as soon as Redis does.
        """
        self._open = True
        # More time than a call has: connections are set up here, and a cluster's slots asked for.
        limit = max(self._limit, redis_url.CONNECT_SECONDS)
        # One that can be read but not written is of no use.
        await self._call(lambda: self._redis.set(self._prefix + b"probe", b"", px=1_000), limit)

    async def close(self) -> None:
        """See `Store.close`; calls under way have their limit to end in."""
        was_open, self._open = self._open, False
        if was_open:
            with suppress(TimeoutError):
                async with asyncio.timeout(self._limit), AsyncExitStack() as all_slots:
                    for _ in range(self._client.connections):
                        await all_slots.enter_async_context(self._slots)
        await self._client.close()

    async def get(self, key: str) -> bytes | None:
        """See `Store.get`."""
        name = self._prefix + b"value:" + checked_key(key)
        found: bytes | None = await self._call(lambda: self._redis.get(name))
        return found

    async def swap(self, key: str, old: bytes | None, new: bytes | None, *, lifetime: float = 0.0) -> bool:
        """See `Store.swap`, and above for what is durable."""
        check_value(new, lifetime)
        name = self._prefix + b"value:" + checked_key(key)
        lives_ms = 0 if new is None else _milliseconds(lifetime)
        arguments = (int(old is not None), old or b"", lives_ms, new or b"")
        return bool(await self._call(lambda: self._redis.eval(SWAP, 1, name, *arguments)))

    async def count(self, key: str, *, window: float, by: int = 1) -> Count:
        """See `Store.count`."""
        check_count(window, by)
        name = self._prefix + b"count:" + checked_key(key)
        number, left_ms = await self._call(lambda: self._redis.eval(COUNT, 1, name, by, _milliseconds(window)))
        return Count(number, left_ms / 1_000)

    async def _call(self, ask: Callable[[], Awaitable[T]], limit: float | None = None) -> T:
        limit = limit or self._limit
        where = f"the store {self._client.address}"
        # The client would quietly connect again.
        if not self._open:
            raise StoreUnavailable(f"{where} is not open")
        try:
            async with asyncio.timeout(limit), self._slots:
                return await ask()
        except TimeoutError:
            raise StoreUnavailable(
                f"{where}: no answer within {limit} s. Does it run, and can it be reached?"
            ) from None
        except Exception as error:  # noqa: BLE001 (whatever the client raises, there is no answer)
            # The type says enough, and a text might quote what was sent.
            raise StoreUnavailable(f"{where}: {type(error).__name__}. Look at that server and its log.") from None


def _milliseconds(seconds: float) -> int:
    """As many as Redis takes: at least one."""
    return math.ceil(seconds * 1_000)
