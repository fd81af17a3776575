"""
A soak: back offices that come and go under steady load. Memory, tasks' worth of file descriptors and sessions must be
back where they began.

    python -m bench.soak [--minutes 15] [--per-second 30]
"""

import argparse
import asyncio
import os
import random
from pathlib import Path

from bench.load import Load, cycle, open_loop
from bench.rig import dashboard_request, rig
from bff.demo.faults import Failure
from bff.demo.launch import DemoOffices

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
        if b"bff.cli" in Path(f"/proc/{child}/cmdline").read_bytes():
            return int(child)
    raise RuntimeError("the cabinet is not among the children")


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
    with rig(short) as (offices, address):
        service = service_process()
        requests = cycle(dashboard_request, range(1005, 1505))

        async def minute(seconds: float) -> Load:
            load, _ = await asyncio.gather(
                open_loop(address, requests, per_second=asked.per_second, seconds=seconds), flap(offices, seconds)
            )
            return load

        for number in range(int(asked.minutes) or 1):
            load = asyncio.run(minute(min(60.0, asked.minutes * 60)))
            print(
                f"minute {number + 1}: {load.answered} answered, {load.failed} with errors, "
                f"{resident_megabytes(service):.1f} MB, {descriptors(service)} descriptors, "
                f"{offices.erp.stats()['sessions']} sessions at 1C",
                flush=True,
            )
        asyncio.run(asyncio.sleep(25))  # idle connections and 1C's sessions age
        print(f"at rest: {resident_megabytes(service):.1f} MB, {descriptors(service)} descriptors")


if __name__ == "__main__":
    main()
