"""
What other processes of a shop drop: they tell it on a channel of Redis, and it must go from this process's memory too.

A message is pushed to everybody who is subscribed, at once; nothing is polled. What is told while a process is not
subscribed it never hears: whenever its subscription stands, it takes everything for dropped. A connection that has died
without a word is found out by asking after each silence whether Redis is still there.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import aclosing
from typing import Any, Final

import msgspec

from bff.sources.redis_url import CONNECT_SECONDS

HEARTBEAT_SECONDS: Final = 2.0
"""After so long a silence the listener asks whether Redis is still there."""

LISTEN_AGAIN_SECONDS: Final = 0.1
LISTEN_AGAIN_AT_LAST_SECONDS: Final = 5.0
"""Pauses between attempts to listen: the first, and the longest."""

OnDrop = Callable[[Sequence[str]], Awaitable[None]]
OnLost = Callable[[], Awaitable[None]]


class _Dropped(msgspec.Struct, frozen=True, array_like=True):
    sender: str
    tags: list[bytes]


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(_Dropped).decode


def dropped(sender: str, tags: Iterable[str]) -> bytes:
    """A message: the tags, and the process that has dropped them."""
    return _encode(_Dropped(sender, [tag.encode(errors="surrogatepass") for tag in tags]))


class RedisListener:
    """
    Hears a channel until `close`, in a task of its own, but for what `sender` says: nobody need hear of its own drops.

    `on_drop` gets the tags. `on_lost` is called where drops may have been missed: whenever the subscription stands
    again, the first time included, and on a message that makes no sense. After it `on_standing` is called, `on_failing`
    where the subscription is lost or does not come to be, and `on_beat` after each message and each silence.
    """

    def __init__(
        self,
        redis: Any,
        channel: bytes,
        sender: str,
        *,
        on_drop: OnDrop,
        on_lost: OnLost,
        on_standing: Callable[[], None],
        on_failing: Callable[[Exception], None],
        on_beat: Callable[[], None],
    ) -> None:
        self._redis = redis
        self._channel = channel
        self._sender = sender
        self._on_drop = on_drop
        self._on_lost = on_lost
        self._on_standing = on_standing
        self._on_failing = on_failing
        self._on_beat = on_beat
        self._task = asyncio.get_running_loop().create_task(self._listen())

    async def close(self) -> None:
        """Hear nothing any more."""
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def _listen(self) -> None:
        pause = LISTEN_AGAIN_SECONDS
        while True:
            try:
                async with aclosing(self._redis.pubsub()) as subscription:
                    async with asyncio.timeout(CONNECT_SECONDS):
                        await self._redis.initialize()
                        await subscription.subscribe(self._channel)
                        await subscription.get_message(timeout=None)
                    await self._on_lost()
                    self._on_standing()
                    pause = LISTEN_AGAIN_SECONDS
                    while True:
                        await self._hear(subscription)
                        self._on_beat()
            except Exception as error:  # noqa: BLE001 (a listener that ended would miss drops for ever)
                self._on_failing(error)
            await asyncio.sleep(pause)
            pause = min(pause * 2, LISTEN_AGAIN_AT_LAST_SECONDS)

    async def _hear(self, subscription: Any) -> None:
        heard = await subscription.get_message(timeout=HEARTBEAT_SECONDS)
        message = heard or await self._ask_whether_it_lives(subscription)
        if message["type"] != "message":
            return
        try:
            told = _decode(message["data"])
        except msgspec.DecodeError:
            await self._on_lost()
            return
        if told.sender != self._sender:
            await self._on_drop([tag.decode(errors="surrogatepass") for tag in told.tags])

    @staticmethod
    async def _ask_whether_it_lives(subscription: Any) -> Any:
        async with asyncio.timeout(CONNECT_SECONDS):
            await subscription.ping()
            return await subscription.get_message(timeout=None)
