"""
Dashboards a second and calls a dashboard, cold: each request is another customer's, nobody adds latency.

    python -m bench.cold [--seconds 10] [--clients 16]
"""

import argparse
import asyncio

from bench.load import closed_loop, cycle
from bench.rig import dashboard_request, rig


def main() -> None:
    """Measure and print."""
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--seconds", type=float, default=10)
    arguments.add_argument("--clients", type=int, default=16)
    asked = arguments.parse_args()
    with rig({"KABINET__CACHE__ENABLED": "false"}, erp={"pool": 10}) as (offices, address):
        requests = cycle(dashboard_request, range(1005, 3000))
        asyncio.run(closed_loop(address, requests, clients=asked.clients, seconds=2))  # connections, sessions, caches
        for office in offices:
            office.reset()
        load = asyncio.run(closed_loop(address, requests, clients=asked.clients, seconds=asked.seconds))
        calls = {f"{office.name} {name}": count for office in offices for name, count in office.calls().items()}
        print(f"dashboards: {load.answered} in {load.seconds:.1f} s = {load.per_second:.0f} a second, one core")
        print(f"with an entry in errors: {load.failed}")
        print(f"time of one: p50 {load.percentile(0.5):.0f} ms, p99 {load.percentile(0.99):.0f} ms")
        print(f"calls a dashboard: {sum(calls.values()) / load.answered:.2f}")
        for name, count in sorted(calls.items()):
            print(f"  {name}: {count / load.answered:.3f}")
        print(f"calls in flight at 1C, at most: {offices.erp.stats()['most_in_flight']}")


if __name__ == "__main__":
    main()
