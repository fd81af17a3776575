"""Typed values in the store, changed by compare-and-set: of many who change one at once, each sees the others' work."""

import asyncio
from collections.abc import Callable
from typing import Generic, TypeVar
from weakref import WeakValueDictionary

import msgspec
import structlog

from bff.identity.store import Store

log = structlog.get_logger("kabinet.identity")

R = TypeVar("R")
A = TypeVar("A")


class Records(Generic[R]):
    """
    Values of one type, by name; `prefix` keeps types apart.

    `lifetime` says how many seconds from now a value is kept. Every method raises `StoreUnavailable`. A value that
    cannot be read counts as absent, and the log says so.
    """

    def __init__(self, store: Store, prefix: str, kind: type[R], lifetime: Callable[[R], float]) -> None:
        self._store = store
        self._prefix = prefix
        self._lifetime = lifetime
        # A lock lives while somebody waits for it.
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._encode = msgspec.msgpack.Encoder().encode
        self._decode = msgspec.msgpack.Decoder(kind).decode

    async def get(self, name: str) -> R | None:
        """The value; None where there is none."""
        return self._read(await self._store.get(self._prefix + name))

    async def add(self, name: str, value: R) -> bool:
        """Put a value where there is none; False where there is one already."""
        return await self._store.swap(self._prefix + name, None, self._encode(value), lifetime=self._lifetime(value))

    async def change(self, name: str, step: Callable[[R | None], tuple[R | None, A]]) -> A:
        """
        Put what `step` makes of the value in its place, durably, and return what it says besides.

        `step` gets None where there is no value and gives None to remove it; where it gives back what it got, nothing
        is written. Where somebody else was first, it is called again with what they left: it must not do anything.
        """
        key = self._prefix + name
        # Within a process one after the other: ten thousand who want one value keep no others from the store.
        lock = self._locks.setdefault(name, asyncio.Lock())
        async with lock:
            while True:
                raw = await self._store.get(key)
                before = self._read(raw)
                after, answer = step(before)
                if after is before:
                    return answer
                new = None if after is None else self._encode(after)
                lifetime = 0.0 if after is None else self._lifetime(after)
                if await self._store.swap(key, raw, new, lifetime=lifetime):
                    return answer

    def _read(self, raw: bytes | None) -> R | None:
        if raw is None:
            return None
        try:
            return self._decode(raw)
        except (msgspec.MsgspecError, ValueError):
            log.error("record cannot be read", kind=self._prefix)  # noqa: TRY400 (a traceback may hold the value)
            return None
