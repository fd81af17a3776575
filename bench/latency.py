"""
Added latency: 50 requests a second, back offices that take 20, 40 and 80 ms; every request is another customer's.

    python -m bench.latency [--seconds 20] [--per-second 50] [--awake]

The physical limit is the longest chain of calls that the query needs: nothing can be quicker. The demo's back offices
share one core with the load and queue there themselves; so the longest chain is asked for directly, too, in the same
run, and the cabinet's own part is what dashboards take beyond that.
"""

import argparse
import asyncio
import time
from collections.abc import Mapping
from contextlib import nullcontext

from bench.load import Load, cycle, open_loop
from bench.rig import awake, dashboard_request, rig
from bff.app import assemble
from bff.demo.run import demo_settings
from bff.domain import BonusAccount, CustomerId
from bff.plugins import Adapter

LATENCY_MS = {"erp": 80, "loyalty": 40, "cms": 20}

ROOM = {f"KABINET__BACK_OFFICES__{name}__POOL": 32 for name in ("ERP", "LOYALTY", "CMS")}
"""RetailCRM takes four calls of 40 ms a dashboard: at 50 a second they fill a pool of 8, and that would be timed."""

QUERY = """{ dashboard {
  profile { displayName } lastOrder { number status total { amount } }
  bonuses { balance pending expirations { amount } }
  favorites { nodes { name } } offers { nodes { title } }
} }"""

LONGEST_CHAIN_MS = max(LATENCY_MS["erp"], 2 * LATENCY_MS["loyalty"], 2 * LATENCY_MS["cms"])
"""The ERP's calls go side by side; the account comes before its details, favorites before their products."""


PROBES_PER_SECOND = 5


async def chain(adapters: Mapping[str, Adapter], customer: CustomerId) -> None:
    """The longest chains, side by side as the dashboard has them: an order; an account and then its points."""
    orders, bonuses, details = adapters["erp"].orders, adapters["loyalty"].bonuses, adapters["loyalty"].bonus_details
    assert orders is not None
    assert bonuses is not None
    assert details is not None

    async def points() -> None:
        account = (await bonuses.bonus_accounts([customer]))[customer]
        if isinstance(account, BonusAccount):  # who is not in the programme has none
            await details.pending_bonuses([account])

    await asyncio.gather(orders.latest_orders([customer]), points())


async def probe(adapters: Mapping[str, Adapter], seconds: float) -> Load:
    """How long the longest chain takes, asked for directly now and then."""
    found = Load(seconds=seconds)
    for number in range(int(seconds * PROBES_PER_SECOND)):
        begun = time.perf_counter()
        await chain(adapters, CustomerId(f"c-{1005 + number % 1000}"))
        found.milliseconds.append((time.perf_counter() - begun) * 1000)
        await asyncio.sleep(max(1 / PROBES_PER_SECOND - (time.perf_counter() - begun), 0))
    return found


def main() -> None:
    """Measure and print."""
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--seconds", type=float, default=20)
    arguments.add_argument("--per-second", type=float, default=50)
    arguments.add_argument("--awake", action="store_true", help="keep the service's core awake; see bench.rig")
    asked = arguments.parse_args()
    with (
        awake() if asked.awake else nullcontext(),
        rig({"KABINET__CACHE__ENABLED": "false", **ROOM}, erp={"pool": 32}) as (offices, address),
    ):
        requests = cycle(lambda number: dashboard_request(number, QUERY), range(1005, 3000))

        async def both() -> tuple[Load, Load]:
            cabinet = assemble(demo_settings(offices))
            await probe(cabinet.adapters, 1)  # connections, sessions
            found = await asyncio.gather(
                open_loop(address, requests, per_second=asked.per_second, seconds=asked.seconds),
                probe(cabinet.adapters, asked.seconds),
            )
            await cabinet.close()
            return found

        asyncio.run(open_loop(address, requests, per_second=20, seconds=2))
        for office in offices:
            office.faults(latency_ms=LATENCY_MS[office.name])
        asyncio.run(open_loop(address, requests, per_second=asked.per_second, seconds=2))
        load, direct = asyncio.run(both())
    print(f"physical limit: {LONGEST_CHAIN_MS} ms")
    for name, share in (("p50", 0.5), ("p90", 0.9), ("p99", 0.99)):
        whole, alone = load.percentile(share), direct.percentile(share)
        print(
            f"{name}: {whole:.1f} ms, {whole - LONGEST_CHAIN_MS:+.1f} over the limit; "
            f"the back offices alone {alone:.1f}, {whole - alone:+.1f} over them"
        )
    print(f"requests: {load.answered}, with errors: {load.failed}; asked directly: {len(direct.milliseconds)}")


if __name__ == "__main__":
    main()
