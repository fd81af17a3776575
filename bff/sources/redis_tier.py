"""
The cache's tier in Redis, for all processes of a shop.

Keys, each after `kabinet:<format>:<shop>:`

    entry:<place's key>    an entry and the marks its tags had before its read, in msgpack; dies with the entry
    mark:<tag>             a random number, made by the first read that asks for it, removed by a drop
    lease:<place's key>    somebody refreshes the place
    drops                  the channel on which drops are told to other processes' memory (see `redis_listener`)

An entry counts only while every one of its marks stands as it was. A mark that is gone for any reason (a drop, its
expiry, an eviction, an emptied server) makes entries void, and the next one is another random number: no accident
revives an old entry. A counter that began at 0 could do so.

Redis away is not the cabinet away. A call has a time limit of its own; whatever goes wrong, its answer is that of an
empty tier. After a few failures in a row Redis is left alone for a while, and then tried by a task that no customer
waits for; where the subscription comes to stand again, at once. Drops that could not be told are owed: until they are
paid this process reads nothing from Redis. They are paid as soon as can be, whether or not anybody asks.
"""

import asyncio
import secrets
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from functools import partial
from itertools import islice
from typing import Any, Final, TypeVar
from urllib.parse import quote

import msgspec
import structlog
from redis.exceptions import ResponseError

from bff.domain.clock import Clock
from bff.sources.redis_listener import OnDrop, OnLost, RedisListener, dropped
from bff.sources.redis_url import CONNECT_SECONDS, RedisClient
from bff.sources.tier import Entry, Marks, Place

log = structlog.get_logger("kabinet.sources")

T = TypeVar("T")

FORMAT: Final = 1
"""Of keys and values; a process with another one sees nothing of ours."""

EVERYTHING: Final = ""
"""The tag that every entry carries."""

MARK_MS: Final = 30 * 86_400_000
"""How long a mark lives; its end costs one miss of what carries the tag."""

FAILURES: Final = 3
"""So many in a row of one kind of call, and Redis is left alone."""

PAUSE_SECONDS: Final = 1.0
LONGEST_PAUSE_SECONDS: Final = 30.0
"""How long it is left alone: at first, and at the most (doubled after each look that finds it away)."""

TAGS_AT_ONCE: Final = 1_000
"""Tags dropped in one call: with more it would not keep its time limit."""

MAX_OWED: Final = 10_000
"""Owed drops that are remembered one by one; with more, everything is dropped."""


class _Kept(msgspec.Struct, frozen=True, array_like=True):
    key: bytes
    """Its own: a reply that belongs to another call must not pass for this one's."""
    marks: list[int]
    """Of `EVERYTHING`, then of the place's tags in their order."""
    entry: Entry


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(_Kept).decode


class RedisTier:
    """
    Entries of all processes of a shop. `limit_seconds` is for one call, with the wait for a connection in it.

    `monotonic` gives seconds, for the pauses in which Redis is left alone.
    """

    def __init__(
        self,
        client: RedisClient,
        *,
        shop: str,
        clock: Clock,
        limit_seconds: float = 0.05,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client = client
        # Overloads of redis-py serve the blocking and the asynchronous client alike, and say "either" of answers.
        self._redis: Any = client.redis
        self._prefix = f"kabinet:{FORMAT}:{quote(shop, safe='')}:".encode()
        self._clock = clock
        self._limit = limit_seconds
        self._monotonic = monotonic
        self._slots = asyncio.Semaphore(client.connections)
        self._sender = secrets.token_hex(8)
        self._owed: dict[str, object] = {}
        self._failures: dict[str, int] = {}
        self._failing: set[str] = set()
        self._pause = 0.0
        self._away_until: float | None = None
        self._look: asyncio.Task[None] | None = None
        self._listener: RedisListener | None = None
        self._closed = False

    async def open(self) -> None:
        """
        Connect, for a second at the most; whether it worked shows in the log only.

        Without it the first call connects, within its own limit: enough for one server, too little for a cluster.
        """
        await self._look_again()

    async def get(self, places: Sequence[Place]) -> list[Entry | None]:
        """What stands at each place and is not dead."""
        tags = dict.fromkeys(tag for place in places for tag in _tags(place))
        keys = [self._key("entry", place.key) for place in places] + [self._key("mark", tag) for tag in tags]
        found = await self._call("get", lambda: self._read(keys)) if places else None
        if found is None:
            return [None] * len(places)
        marks = dict(zip(tags, map(_mark, found[len(places) :]), strict=True))
        return [
            self._entry(key, raw, [marks[tag] for tag in _tags(place)])
            for place, key, raw in zip(places, keys, found, strict=False)
        ]

    async def marks(self, tags: Sequence[str]) -> Marks | None:
        """The tags' marks, before a read; None where they cannot be had: then nothing may be stored."""
        wanted = dict.fromkeys((EVERYTHING, *tags))
        return await self._call("marks", lambda: self._marks(wanted))

    async def put(self, entries: Mapping[Place, Entry], marks: Marks | None) -> None:
        """
        Store what was read, with the marks its tags had before.

        Where a tag has been dropped since, what is stored counts for nothing, nor does what stood there.
        """
        if marks is None or not entries:
            return
        await self._call("put", lambda: self._store(entries, marks))

    async def drop(self, tags: Sequence[str]) -> None:
        """Drop all entries that carry one of the tags, and tell the other processes."""
        done = 0
        try:
            while done < len(tags) and await self._call(
                "drop", partial(self._forget, tags[done : done + TAGS_AT_ONCE])
            ):
                done += TAGS_AT_ONCE
        finally:
            self._owe(tags[done:])
            # One lost connection, or a moment in which this process was busy, must not leave the others with old
            # answers until somebody asks here.
            self._pay_soon()

    async def lease(self, place: Place, seconds: float) -> bool:
        """Ask for the right to refresh a place; while Redis is away everybody has it."""
        key, life_ms = self._key("lease", place.key), max(1, int(seconds * 1_000))
        granted = await self._call("lease", lambda: self._take(key, life_ms))
        return granted is not False

    def listen(self, on_drop: OnDrop, on_lost: OnLost) -> None:
        """
        Hear from now on what other processes drop, until `close`.

        `on_drop` gets the tags. `on_lost` is called where drops may have been missed (see `RedisListener`), and where
        everything is dropped.
        """

        async def heard(tags: Sequence[str]) -> None:
            await (on_lost() if EVERYTHING in tags else on_drop(tags))

        self._listener = RedisListener(
            self._redis,
            self._prefix + b"drops",
            self._sender,
            on_drop=heard,
            on_lost=on_lost,
            on_standing=self._stands,
            on_failing=partial(self._went, "subscription"),
            on_beat=self._pay_soon,
        )

    async def close(self) -> None:
        """Let go."""
        self._closed = True
        if self._look is not None:
            self._look.cancel()
            await asyncio.gather(self._look, return_exceptions=True)
        if self._listener is not None:
            await self._listener.close()
        await self._client.close()

    def _stands(self) -> None:
        self._is_back("subscription")
        if self._away_until is not None:
            # Others may read already what is owed here as dropped: the pause is over.
            self._away_until = self._monotonic()
            self._may_call()

    def _key(self, kind: str, name: str) -> bytes:
        # JSON may smuggle half a surrogate pair into an id; that is no reason to call Redis away.
        return self._prefix + f"{kind}:{name}".encode(errors="surrogatepass")

    async def _call(self, kind: str, ask: Callable[[], Awaitable[T]]) -> T | None:
        """What `ask` brings; None where Redis is away or the call fails."""
        if not self._may_call():
            return None
        try:
            async with asyncio.timeout(self._limit), self._slots:
                if self._owed:
                    await self._pay()
                if self._owed:
                    return None
                answer = await ask()
        except Exception as error:  # noqa: BLE001 (whatever the client raises, the cabinet goes on without)
            self._failed(kind, error)
            return None
        self._failures.pop(kind, None)
        return answer

    def _entry(self, key: bytes, raw: bytes | None, marks: list[int | None]) -> Entry | None:
        if raw is None:
            return None
        try:
            kept = _decode(raw)
        except msgspec.DecodeError:
            return None
        if kept.key != key:
            log.error("integrity violation", address=self._client.address, part="calls")
            return None
        return kept.entry if kept.marks == marks and kept.entry.dead_at > self._clock().timestamp() else None

    async def _read(self, keys: Sequence[bytes]) -> list[bytes | None]:
        if not self._client.clustered:
            found: list[bytes | None] = await self._redis.mget(keys)
            return found
        return await self._pipeline(("GET", key) for key in keys)

    async def _marks(self, wanted: Iterable[str]) -> Marks | None:
        keys = {tag: self._key("mark", tag) for tag in wanted}
        raws = await self._read(list(keys.values()))
        marks = {tag: _mark(raw) for tag, raw in zip(keys, raws, strict=True)}
        missing = [tag for tag, mark in marks.items() if mark is None]
        if missing:
            commands: list[tuple[Any, ...]] = []
            for tag, raw in zip(keys, raws, strict=True):
                if tag in missing:
                    # Another process may do the same now, so the one that came first counts; garbage does not.
                    first = ("NX",) if raw is None else ()
                    commands += [("SET", keys[tag], secrets.randbits(62), "PX", MARK_MS, *first), ("GET", keys[tag])]
            made = await self._pipeline(commands)
            marks |= {tag: _mark(raw) for tag, raw in zip(missing, made[1::2], strict=True)}
        taken = {tag: mark for tag, mark in marks.items() if mark is not None}
        return taken if len(taken) == len(marks) else None

    async def _store(self, entries: Mapping[Place, Entry], marks: Marks) -> None:
        now = self._clock().timestamp()
        commands: list[tuple[Any, ...]] = []
        for place, entry in entries.items():
            commands.append(("DEL", self._key("lease", place.key)))
            taken = [marks[tag] for tag in _tags(place) if tag in marks]
            life_ms = int((entry.dead_at - now) * 1_000)
            if life_ms > 0 and len(taken) == len(_tags(place)):
                key = self._key("entry", place.key)
                commands.append(("SET", key, _encode(_Kept(key, taken, entry)), "PX", life_ms))
        await self._pipeline(commands)

    async def _forget(self, tags: Sequence[str]) -> bool:
        keys = [self._key("mark", tag) for tag in tags]
        tell = ("PUBLISH", self._prefix + b"drops", dropped(self._sender, tags))
        # Told last: who hears it must not find the dropped entries here. One server does what one connection brings in
        # its order, so that it goes in one round trip; of a cluster each has to answer first.
        if self._client.clustered:
            await self._pipeline(("DEL", key) for key in keys)
            await self._redis.execute_command(*tell)
        else:
            await self._pipeline([("DEL", *keys), tell])
        return True

    async def _take(self, key: bytes, life_ms: int) -> bool:
        return await self._redis.set(key, b"", nx=True, px=life_ms) is not None

    async def _pipeline(self, commands: Iterable[tuple[Any, ...]]) -> list[Any]:
        pipeline = self._redis.pipeline(transaction=False)
        for command in commands:
            pipeline.execute_command(*command)
        # The client's own error would quote the command, which may be a customer's data.
        answers = await pipeline.execute(raise_on_error=False)
        return [_checked(answer) for answer in answers]

    def _owe(self, tags: Iterable[str]) -> None:
        self._owed.update((tag, object()) for tag in tags)
        if len(self._owed) > MAX_OWED:
            self._owed = {EVERYTHING: object()}

    async def _pay(self) -> None:
        debts = dict(islice(self._owed.items(), TAGS_AT_ONCE))
        await self._forget(list(debts))
        for tag, debt in debts.items():
            # Dropped once more meanwhile, it is owed once more.
            if self._owed.get(tag) is debt:
                del self._owed[tag]

    def _pay_soon(self) -> None:
        """Let a task pay what is owed: it has more time than a call, and nobody waits for it."""
        if self._owed and self._may_call() and (self._look is None or self._look.done()):
            self._look = asyncio.get_running_loop().create_task(self._pay_all())

    async def _pay_all(self) -> None:
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                while self._owed:
                    await self._pay()
        except Exception as error:  # noqa: BLE001 (see `_call`)
            self._failed("drop", error)
        else:
            self._failures.pop("drop", None)

    def _may_call(self) -> bool:
        if self._closed:
            return False
        if self._away_until is None:
            return True
        if self._monotonic() >= self._away_until and (self._look is None or self._look.done()):
            self._look = asyncio.get_running_loop().create_task(self._look_again())
        return False

    def _failed(self, kind: str, error: Exception) -> None:
        self._failures[kind] = self._failures.get(kind, 0) + 1
        if self._failures[kind] >= FAILURES and self._away_until is None:
            self._leave_alone(error)

    def _leave_alone(self, error: Exception) -> None:
        self._went("calls", error)
        self._pause = min(max(self._pause * 2, PAUSE_SECONDS), LONGEST_PAUSE_SECONDS)
        self._away_until = self._monotonic() + self._pause

    async def _look_again(self) -> None:
        try:
            # More time than a call has: connections are set up here, and a cluster's slots asked for.
            async with asyncio.timeout(CONNECT_SECONDS):
                while self._owed:
                    await self._pay()
                # A Redis that can be read but not written would keep what was dropped: it is away.
                await self._redis.set(self._prefix + b"probe", b"", px=1_000)
        except Exception as error:  # noqa: BLE001 (see `_call`)
            self._leave_alone(error)
        else:
            self._away_until = None
            self._pause = 0.0
            self._failures.clear()
            self._is_back("calls")

    def _went(self, part: str, error: Exception) -> None:
        if not self._failing:
            # The type says enough, and a text might quote what was sent.
            log.warning("redis failing", address=self._client.address, part=part, error=type(error).__name__)
        self._failing.add(part)

    def _is_back(self, part: str) -> None:
        if part in self._failing:
            self._failing.discard(part)
            if not self._failing:
                log.warning("redis answers again", address=self._client.address)


def _tags(place: Place) -> tuple[str, ...]:
    return (EVERYTHING, *place.tags)


def _mark(raw: bytes | None) -> int | None:
    return int(raw) if raw is not None and raw.isdigit() and len(raw) < 20 else None


def _checked(answer: Any) -> Any:
    if isinstance(answer, ResponseError) and str(answer).startswith("WRONGTYPE"):
        return None
    if isinstance(answer, Exception):
        raise answer
    return answer
