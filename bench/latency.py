"""
Added latency: 50 requests a second, back offices that take 20, 40 and 80 ms; every request is another customer's.

    python -m bench.latency [--seconds 20] [--per-second 50]

The physical limit is the longest chain of calls that the query needs: nothing can be quicker.
"""

import argparse
import asyncio

from bench.load import cycle, open_loop
from bench.rig import dashboard_request, rig

LATENCY_MS = {"erp": 80, "loyalty": 40, "cms": 20}

QUERY = """{ dashboard {
  profile { displayName } lastOrder { number status total { amount } }
  bonuses { balance pending expirations { amount } }
  favorites { nodes { name } } offers { nodes { title } }
} }"""

LONGEST_CHAIN_MS = max(LATENCY_MS["erp"], 2 * LATENCY_MS["loyalty"], 2 * LATENCY_MS["cms"])
"""The ERP's calls go side by side; the account comes before its details, favorites before their products."""


def main() -> None:
    """Measure and print."""
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--seconds", type=float, default=20)
    arguments.add_argument("--per-second", type=float, default=50)
    asked = arguments.parse_args()
    with rig({"KABINET__CACHE__ENABLED": "false"}) as (offices, address):
        requests = cycle(lambda number: dashboard_request(number, QUERY), range(1005, 3000))
        asyncio.run(open_loop(address, requests, per_second=20, seconds=2))
        for office in offices:
            office.faults(latency_ms=LATENCY_MS[office.name])
        asyncio.run(open_loop(address, requests, per_second=asked.per_second, seconds=2))
        load = asyncio.run(open_loop(address, requests, per_second=asked.per_second, seconds=asked.seconds))
    print(f"physical limit: {LONGEST_CHAIN_MS} ms")
    for name, share in (("p50", 0.5), ("p90", 0.9), ("p99", 0.99)):
        milliseconds = load.percentile(share)
        print(f"{name}: {milliseconds:.1f} ms, {milliseconds - LONGEST_CHAIN_MS:+.1f} over the limit")
    print(f"requests: {load.answered}, with errors: {load.failed}")


if __name__ == "__main__":
    main()
