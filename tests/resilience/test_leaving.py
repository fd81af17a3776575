"""Clients that go away in the middle of a request: nothing is left of them, and nobody else is hurt."""

import asyncio
import gc
import os
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from random import Random
from typing import Any

import pytest

from bff.app import Cabinet, assemble, create_app
from bff.demo.data.world import World, moscow_today
from bff.demo.launch import DemoOffices, demo_offices
from bff.demo.run import demo_settings
from bff.errors import Unavailable
from bff.loaders import Loaders
from bff.serving import Server, listen
from bff.sources import Freshness, Read, Sections, route
from tests.fakes.back_offices import FakeBackOffice, now, one_call_at_a_time
from tests.patience import PATIENCE_SECONDS, patient
from tests.resilience.crowd import Phone, crowd, fresh_tokens
from tests.sources.virtual_time import in_virtual_time, turns

LEAVERS = 1_000
AT_ONCE = 25
ANSWERS = 30
"""What those who stay see at the least: while the others leave, and after that, where the machine is busy."""

SHORT = {"fresh_seconds": 0.1, "stale_seconds": 0.2, "on_error_seconds": 5}
"""So that both what is kept and what is asked for is left behind."""

OVER: dict[str, Any] = patient(freshness=dict.fromkeys(Freshness.model_fields, SHORT))


@contextmanager
def slow_offices(world: World) -> Iterator[DemoOffices]:
    """Back offices that take their time, so that there is a middle to leave in."""
    with demo_offices(today=world.today, erp={"call_ms": 15, "pool": 100}) as offices:
        for office in (offices.loyalty, offices.cms):
            office.faults(latency_ms=10)
        yield offices


@asynccontextmanager
async def served(cabinet: Cabinet) -> AsyncIterator[str]:
    """Serve it from this very loop: its tasks can be counted then."""
    ready = asyncio.Event()
    with listen("127.0.0.1", 0) as listening:
        server = Server(create_app(cabinet), drain_seconds=1, announce=ready.set)
        serving = asyncio.create_task(server.serve([listening]))
        await ready.wait()
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            server.should_exit = True
            await serving


def in_use(cabinet: Cabinet) -> dict[str, int]:
    """What requests take: none of it may be kept by those who have gone."""
    slots = cabinet.sources.slots
    lanes = [lane for each in slots for lane in each._lanes]
    return {
        "slots": sum(each.calls - each.free for each in slots),
        "calls": sum(len(each._tasks) for each in slots),
        "waiting": sum(each.waiting for each in slots),
        "under way": sum(each.under_way for each in slots),
        "keys": sum(len(lane.waiting) + len(lane._groups) + len(lane._under_way) for lane in lanes),
        "refreshing": sum(len(read._refreshing) for read in cabinet.sources.made if isinstance(read, Read)),
        "tasks": len(asyncio.all_tasks()),
    }


def open_files(offices: DemoOffices) -> tuple[int, dict[str, int]]:
    """Descriptors of this process: connections to each back office, and all the others."""
    ports: dict[int, str] = {office.port: office.name for office in offices}
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    peers = {f"socket:[{row[9]}]": ports.get(int(row[2].partition(":")[2], 16)) for row in rows}
    others, pools = 0, dict.fromkeys(ports.values(), 0)
    for descriptor in Path("/proc/self/fd").iterdir():
        try:
            office = peers.get(os.readlink(descriptor))  # noqa: PTH115 (it is no path)
        except FileNotFoundError:
            continue  # the listing's own
        if office is None:
            others += 1
        else:
            pools[office] += 1
    return others, pools


async def settled(cabinet: Cabinet) -> dict[str, int]:
    """What is in use when nothing is: the server's own tasks, the same for a while."""
    seen: list[dict[str, int]] = []
    async with asyncio.timeout(PATIENCE_SECONDS):
        while len(seen) < 5 or any(sum(each.values()) != seen[-1]["tasks"] for each in seen[-5:]):
            await asyncio.sleep(0.05)
            seen.append(in_use(cabinet))
    return seen[-1]


async def until_settled(cabinet: Cabinet, before: dict[str, int], offices: DemoOffices, files: int) -> None:
    """Everything comes back to what it was, or patience to its end."""
    until = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < until and (in_use(cabinet) != before or open_files(offices)[0] > files):  # noqa: ASYNC110 (no event)
        await asyncio.sleep(0.1)
    assert in_use(cabinet) == before
    others, pools = open_files(offices)
    assert others <= files
    assert all(count <= cabinet.sources.slots[0].calls for count in pools.values()), pools


@pytest.mark.skipif(not Path("/proc/net/tcp").is_file(), reason="descriptors are counted as Linux shows them")
def test_of_a_thousand_who_leave_nothing_is_left_and_nobody_else_is_hurt() -> None:
    world = World(moscow_today())
    customers = crowd(world, 60)
    tokens = fresh_tokens(range(min(customers), max(customers) + 1))
    dice = Random(1)  # noqa: S311 (a test that can be run again)
    seen: Counter[str] = Counter()
    left = iter(range(LEAVERS))

    async def leave(address: str) -> None:
        phone = Phone(address)
        for _ in left:
            # Some in the middle of their own request, most while it is being answered.
            part = dice.random() if dice.random() < 0.1 else 1.0
            await phone.ask_and_leave(
                tokens[dice.choice(list(customers))], after_seconds=dice.uniform(0, 0.06), part=part
            )
            seen["left"] += 1

    async def stay(address: str) -> None:
        phone = Phone(address)
        while seen["left"] < LEAVERS or seen["answered"] < ANSWERS:
            number = dice.choice(list(customers))
            answer = await phone.ask(tokens[number])
            assert "errors" not in answer, answer["errors"]
            assert customers[number].foreign(answer["data"]["dashboard"]) == {}
            seen["answered"] += 1
        phone.hang_up()

    async def whole(offices: DemoOffices) -> None:
        cabinet = assemble(demo_settings(offices, over=OVER))
        async with served(cabinet) as address:
            phone = Phone(address)
            for number in list(customers)[:8]:
                assert "errors" not in await phone.ask(tokens[number])
            phone.hang_up()
            before, files = await settled(cabinet), open_files(offices)[0]
            async with asyncio.TaskGroup() as group:
                for _ in range(AT_ONCE):
                    group.create_task(leave(address))
                for _ in range(3):
                    group.create_task(stay(address))
            gc.collect()
            await until_settled(cabinet, before, offices, files)
            answer = await phone.ask(tokens[1001])
            assert "errors" not in answer
            phone.hang_up()

    with slow_offices(world) as offices:
        asyncio.run(whole(offices))
    assert seen["left"] == LEAVERS
    assert seen["answered"] >= ANSWERS


@in_virtual_time
async def test_a_request_that_is_given_up_leaves_no_error_that_nobody_saw() -> None:
    """The loop complains of errors in futures that nobody looks at."""
    release = asyncio.Event()

    async def fail(_: Any) -> Any:
        await release.wait()
        raise Unavailable("away")

    office = FakeBackOffice(profiles=fail)
    sources = route(Sections(profile="erp"), {"erp": office.adapter()}, now, settings={"erp": one_call_at_a_time()})
    for _ in range(3):
        loaders = Loaders(sources, 10.0)
        requests = [asyncio.create_task(loaders.profiles.load(name)) for name in ("c-1", "c-2", "c-1")]  # type: ignore[arg-type]  # ids
        await turns()
        for task in requests:
            task.cancel()
        await asyncio.wait(requests)
        release.set()
        await turns()
        release.clear()
        del loaders, requests, task
        gc.collect()
    await sources.close()
