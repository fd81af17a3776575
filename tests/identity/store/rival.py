"""
Another process that uses the same store.

    python -m tests.identity.store.rival (sqlite|redis|cluster) ADDRESS (race|work) NAME

`race` says "ready", waits for a line, does what is in `race`, and prints what came of it as JSON. `work` counts and
swaps until it is killed, and prints a line for each answer that it has: it may die at any moment after it.
"""

import asyncio
import json
import sys
from pathlib import Path
from typing import TypeAlias

from bff.domain.clock import Clock, utc_now
from bff.identity.store import SqliteStore, Store

PATIENCE_SECONDS = 60.0
"""Long enough for a busy machine: where a call has so long, only its outcome is tested."""

TASKS = 50
ROUNDS = 6
STEPS = 10
LONG = 86_400.0

Won: TypeAlias = list[str]


def make_store(kind: str, address: str, *, clock: Clock = utc_now, limit: float = PATIENCE_SECONDS) -> Store:
    """A store of a kind; it is not open."""
    if kind == "sqlite":
        return SqliteStore(Path(address), clock=clock, limit_seconds=limit)
    # As the service does: only who has a Redis pays for its client library.
    from bff.identity.store.redis_store import RedisStore  # noqa: PLC0415
    from bff.sources.redis_url import open_client  # noqa: PLC0415

    return RedisStore(open_client(address, connections=4), shop="shop", limit_seconds=limit)


async def race(store: Store, name: str) -> Won:
    """Fight for the same keys as the others, count with them, and add to a number by swaps; gives the keys won."""
    won = [key for round_ in range(ROUNDS) for key in await _fight(store, f"prize {round_}", name)]
    await asyncio.gather(*(store.count("counted", window=LONG) for _ in range(TASKS)))
    for _ in range(STEPS):
        while True:
            old = await store.get("added")
            if await store.swap("added", old, b"%d" % (int(old or b"0") + 1), lifetime=LONG):
                break
    return won


async def _fight(store: Store, key: str, name: str) -> Won:
    """What of 50 tasks won the key: at the most one."""
    names = [f"{name}/{task}" for task in range(TASKS)]
    swapped = await asyncio.gather(*(store.swap(key, None, each.encode(), lifetime=LONG) for each in names))
    return [f"{key}={each}" for each, done in zip(names, swapped, strict=True) if done]


async def work(store: Store) -> None:
    """Count in several tasks, and swap a number for the next one, for ever."""

    async def count() -> None:
        while True:
            counted = await store.count("counted", window=LONG)
            print("count", counted.number, flush=True)  # noqa: T201

    async def swap() -> None:
        while True:
            old = await store.get("swapped")
            number = int(old or b"0") + 1
            assert await store.swap("swapped", old, b"%d" % number, lifetime=LONG)
            print("swap", number, flush=True)  # noqa: T201

    await asyncio.gather(*(count() for _ in range(TASKS // 10)), swap())


async def main(kind: str, address: str, what: str, name: str) -> None:
    """See above."""
    store = make_store(kind, address)
    await store.open()
    if what == "work":
        await work(store)
    print("ready", flush=True)  # noqa: T201
    sys.stdin.readline()
    won = await race(store, name)
    await store.close()
    print(json.dumps(won), flush=True)  # noqa: T201


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
