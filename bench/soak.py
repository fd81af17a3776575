"""
A soak: back offices that come and go under steady load. Memory must not grow; tasks, calls, file descriptors and
sessions must be back where they began.

    python -m bench.soak [--minutes 15] [--per-second 30]
"""

import argparse
import asyncio
import json
import os
import random
import signal
import tempfile
import time
from pathlib import Path

from bench.load import Load, cycle, open_loop
from bench.rig import dashboard_request, rig
from bff.demo.faults import Failure
from bff.demo.launch import DemoOffices

REST_SECONDS = 25
"""Idle connections and 1C's sessions age meanwhile."""

WAYS: tuple[Failure | None, ...] = ("refuse", "hang", "500", "malformed", "fault", None, None, None)


def resident_megabytes(process: int) -> float:
    """What a process has in memory."""
    pages = int(Path(f"/proc/{process}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1_000_000


def descriptors(process: int) -> int:
    """How many file descriptors a process has open."""
    return len(list(Path(f"/proc/{process}/fd").iterdir()))


def service_process() -> int:
    """The cabinet that this process has started."""
    children = Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").read_text().split()
    for child in children:
        if b"bench.watched" in Path(f"/proc/{child}/cmdline").read_bytes():
            return int(child)
    raise RuntimeError("the cabinet is not among the children")


def in_use(process: int, window: Path) -> str:
    """What the cabinet says that it has in use."""
    window.unlink(missing_ok=True)
    os.kill(process, signal.SIGUSR1)
    for _ in range(100):
        if window.exists():
            counts = json.loads(window.read_text())
            return ", ".join(f"{count} {name}" for name, count in counts.items())
        time.sleep(0.05)
    raise RuntimeError("the cabinet does not say what it has in use")


def slope(megabytes: list[float]) -> float:
    """Megabytes an hour, by least squares over values taken every minute; 0 for fewer than two."""
    middle, mean = (len(megabytes) - 1) / 2, sum(megabytes) / len(megabytes)
    spread = sum((at - middle) ** 2 for at in range(len(megabytes)))
    return 60 * sum((at - middle) * (each - mean) for at, each in enumerate(megabytes)) / spread if spread else 0.0


async def flap(offices: DemoOffices, seconds: float) -> None:
    """Now and then another office fails in another way, or is well."""
    chance = random.Random(1)
    until = asyncio.get_running_loop().time() + seconds
    while asyncio.get_running_loop().time() < until:
        office = chance.choice(list(offices))
        await asyncio.to_thread(office.faults, fail=chance.choice(WAYS), latency_ms=chance.choice((0, 0, 50, 300)))
        await asyncio.sleep(5)
    for office in offices:
        await asyncio.to_thread(office.faults)


def main() -> None:
    """Measure and print, a line a minute."""
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--minutes", type=float, default=15)
    arguments.add_argument("--per-second", type=float, default=30)
    asked = arguments.parse_args()
    short = {f"KABINET__FRESHNESS__{section}__FRESH_SECONDS": 1 for section in ("ORDERS", "BONUSES", "PROFILE")}
    with tempfile.TemporaryDirectory() as folder:
        window = Path(folder) / "counts.json"
        with rig({**short, "KABINET_WATCH": window}, module="bench.watched") as (offices, address):
            soak(offices, address, window, minutes=asked.minutes, per_second=asked.per_second)


def soak(offices: DemoOffices, address: str, window: Path, *, minutes: float, per_second: float) -> None:
    """Load the cabinet and say how it is: before, a line a minute, and when all is over."""
    service = service_process()
    requests = cycle(dashboard_request, range(1005, 1505))
    megabytes = []

    async def minute(seconds: float) -> Load:
        load, _ = await asyncio.gather(
            open_loop(address, requests, per_second=per_second, seconds=seconds), flap(offices, seconds)
        )
        return load

    # All customers once, then rest: from here on nothing new need be kept.
    asyncio.run(open_loop(address, requests, per_second=per_second, seconds=500 / per_second))
    time.sleep(REST_SECONDS)
    print(f"before: {state(service, window)}", flush=True)
    for number in range(int(minutes) or 1):
        load = asyncio.run(minute(min(60.0, minutes * 60)))
        megabytes.append(resident_megabytes(service))
        print(
            f"minute {number + 1}: {load.answered} answered, {load.failed} with errors, {state(service, window)}, "
            f"{offices.erp.stats()['sessions']} sessions at 1C",
            flush=True,
        )
    time.sleep(REST_SECONDS)
    print(f"after: {state(service, window)}")
    print(f"memory grows by {slope(megabytes[len(megabytes) // 3 :]):+.1f} MB an hour (the last two thirds)")


def state(service: int, window: Path) -> str:
    """The cabinet's memory, descriptors, tasks, calls and keys."""
    counts = in_use(service, window)
    return f"{resident_megabytes(service):.1f} MB, {descriptors(service)} descriptors, {counts}"


if __name__ == "__main__":
    main()
