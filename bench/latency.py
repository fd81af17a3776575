"""
Added latency: 50 requests a second, back offices that take 20, 40 and 80 ms; every request is another customer's.

    python -m bench.latency [--seconds 20] [--per-second 50] [--awake]

The physical limit is the longest chain of calls that the query needs: nothing can be quicker. The demo's back offices
need a millisecond or two of their own to answer a call; they are told to wait so much less, so that one call, asked
for by itself, takes 20, 40 and 80 ms. Many calls at once get in each other's way there: how much, is seen from as many
asked for by bare sockets, at the same rate and in the same order, as a cabinet that costs nothing would.
"""

import argparse
import asyncio
from collections.abc import Awaitable
from contextlib import nullcontext

from bench.bare import BareCabinet, bare_cabinet
from bench.load import Load, at_rate, cycle, open_loop
from bench.rig import awake, dashboard_request, rig
from bff.demo.launch import DemoOffice, DemoOffices

LATENCY_MS = {"erp": 80, "loyalty": 40, "cms": 20}

CUSTOMERS = range(1005, 1305)

ROOM = {f"KABINET__BACK_OFFICES__{name}__POOL": 32 for name in ("ERP", "LOYALTY", "CMS")}
"""RetailCRM takes four calls of 40 ms a dashboard: at 50 a second they fill a pool of 8, and that would be timed."""

QUERY = """{ dashboard {
  profile { displayName } lastOrder { number status total { amount } }
  bonuses { balance pending expirations { amount } }
  favorites { nodes { name } } offers { nodes { title } }
} }"""

LONGEST_CHAIN_MS = max(LATENCY_MS["erp"], 2 * LATENCY_MS["loyalty"], 2 * LATENCY_MS["cms"])
"""The ERP's calls go side by side; the account comes before its details, favorites before their products."""


async def slow_down(office: DemoOffice, bare: BareCabinet) -> None:
    """Let each call take so long, whatever the office has to do for it."""
    wanted = LATENCY_MS[office.name]
    office.faults(latency_ms=wanted)
    too_much = await bare.call_ms(office) - wanted
    office.faults(latency_ms=wanted - too_much)
    print(f"{office.name}: a call by itself takes {await bare.call_ms(office):.1f} ms")


async def counted(offices: DemoOffices, load: Awaitable[Load]) -> tuple[Load, float]:
    """What came of it, and how many calls an answer took."""
    for office in offices:
        office.reset()
    found = await load
    return found, sum(office.calls().total() for office in offices) / found.answered


async def measure(
    offices: DemoOffices, address: str, *, per_second: float, seconds: float
) -> tuple[tuple[Load, float], tuple[Load, float]]:
    """The cabinet's dashboards, and then the calls of as many without a cabinet; and the calls of each."""
    requests = cycle(lambda number: dashboard_request(number, QUERY), CUSTOMERS)
    async with bare_cabinet(offices, CUSTOMERS) as bare:
        await open_loop(address, requests, per_second=per_second, seconds=2)
        for office in offices:
            await slow_down(office, bare)
        await open_loop(address, requests, per_second=per_second, seconds=2)
        load = await counted(offices, open_loop(address, requests, per_second=per_second, seconds=seconds))
        await at_rate(bare.dashboard, per_second=per_second, seconds=2)
        return load, await counted(offices, at_rate(bare.dashboard, per_second=per_second, seconds=seconds))


def main() -> None:
    """Measure and print."""
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--seconds", type=float, default=20)
    arguments.add_argument("--per-second", type=float, default=50)
    arguments.add_argument("--awake", action="store_true", help="keep the service's core awake; see bench.rig")
    asked = arguments.parse_args()
    with (
        awake() if asked.awake else nullcontext(),
        rig({"KABINET__CACHE__ENABLED": "false", **ROOM}, erp={"pool": 40}) as (offices, address),
    ):
        (load, calls), (bare, bare_calls) = asyncio.run(
            measure(offices, address, per_second=asked.per_second, seconds=asked.seconds)
        )
    print(f"physical limit: {LONGEST_CHAIN_MS} ms")
    for name, share in (("p50", 0.5), ("p90", 0.9), ("p99", 0.99)):
        whole, alone = load.percentile(share), bare.percentile(share)
        print(
            f"{name}: {whole:.1f} ms, {whole - LONGEST_CHAIN_MS:+.1f} over the limit; "
            f"the calls alone {alone:.1f}, {whole - alone:+.1f} over them"
        )
    print(f"requests: {load.answered}, with errors: {load.failed}")
    print(f"calls a dashboard: {calls:.1f}, some of them shared; by bare sockets {bare_calls:.1f}")


if __name__ == "__main__":
    main()
