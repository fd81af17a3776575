"""
What a failing back office costs the others: the sections of the ERP and the CMS, asked for at a steady rate while the
loyalty system is well and while it fails, in turns; and how soon the failing section itself is answered.

    python -m bench.isolation [--seconds 5] [--per-second 40] [--rounds 3]
"""

import argparse
import asyncio
from collections.abc import Iterator

from bench.load import Load, cycle, open_loop
from bench.rig import dashboard_request, rig
from bff.demo.faults import Failure

FAILURES: tuple[Failure, ...] = ("refuse", "hang", "500", "malformed")

OTHERS = "{ dashboard { profile { displayName } lastOrder { number } favorites { nodes { name } } } }"
FAILING = "{ dashboard { bonuses { balance } } }"


Requests = tuple[Iterator[bytes], Iterator[bytes]]
"""For the other sections, and for the failing one."""


async def both(address: str, requests: Requests, per_second: float, seconds: float) -> tuple[Load, Load]:
    """The other sections and the failing one, asked for side by side by different customers."""
    others, failing = requests
    return await asyncio.gather(
        open_loop(address, others, per_second=per_second, seconds=seconds),
        open_loop(address, failing, per_second=per_second / 4, seconds=seconds, seed=2),
    )


def main() -> None:
    """Measure and print."""
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--seconds", type=float, default=5)
    arguments.add_argument("--per-second", type=float, default=40)
    arguments.add_argument("--rounds", type=int, default=3)
    asked = arguments.parse_args()
    well, failed = Load(), {failure: (Load(), Load()) for failure in FAILURES}
    requests = (
        cycle(lambda number: dashboard_request(number, OTHERS), range(1005, 2000)),
        cycle(lambda number: dashboard_request(number, FAILING), range(2000, 3000)),
    )
    with rig({"KABINET__CACHE__ENABLED": "false"}) as (offices, address):
        asyncio.run(both(address, requests, asked.per_second, 2))
        for _ in range(asked.rounds):
            for failure in FAILURES:
                offices.loyalty.faults()
                add(well, asyncio.run(both(address, requests, asked.per_second, asked.seconds))[0])
                offices.loyalty.faults(fail=failure)
                for total, load in zip(
                    failed[failure], asyncio.run(both(address, requests, asked.per_second, asked.seconds)), strict=True
                ):
                    add(total, load)
    print(f"loyalty well: the others' p50 {well.percentile(0.5):.1f} ms, p99 {well.percentile(0.99):.1f} ms")
    for failure, (others, bonuses) in failed.items():
        print(
            f"loyalty {failure}: the others' p50 {others.percentile(0.5):.1f} ms, p99 {others.percentile(0.99):.1f} ms "
            f"({100 * (others.percentile(0.99) / well.percentile(0.99) - 1):+.0f} %), with errors {others.failed}; "
            f"bonuses' p50 {bonuses.percentile(0.5):.1f} ms, slowest {bonuses.percentile(1):.0f} ms"
        )


def add(total: Load, load: Load) -> None:
    """One measurement more."""
    total.milliseconds += load.milliseconds
    total.answered += load.answered
    total.failed += load.failed


if __name__ == "__main__":
    main()
