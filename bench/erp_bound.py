"""
The 1C-bound regime: 64 customers at once, all different, each asks for another as soon as it is answered. The demo's
1C has 8 sessions and takes 40 ms a call and 1 ms a customer.

    python -m bench.erp_bound [--seconds 20] [--clients 64] [--alone] [--awake] [--times 1]

`--alone` measures once more with calls shared by nobody: one customer a call. `--awake` keeps the service's core from
falling asleep; see `bench.rig.awake`.
"""

import argparse
import asyncio
import math
from contextlib import nullcontext
from typing import Any

from bench.load import Load, closed_loop, cycle
from bench.rig import awake, dashboard_request, rig

SESSIONS, CALL_MS, CUSTOMER_MS = 8, 40.0, 1.0

QUERY = "{ dashboard { profile { displayName } lastOrder { number status total { amount } } } }"
METHODS = 2
"""Port methods of the ERP that the query asks."""


def ideal(clients: int) -> float:
    """
    Dashboards a second of a scheduler that knows all arrivals: what waits is split over the sessions as is best.

    All clients wait for one round of calls, then all ask again. A round of `clients * METHODS` keys in c calls, which
    the sessions make in rounds of their own, takes as long as the longest row of calls; the best c is searched.
    """
    keys = clients * METHODS
    best = math.inf
    for calls in range(METHODS, keys + 1):
        rows = math.ceil(calls / SESSIONS)
        best = min(best, rows * (CALL_MS + CUSTOMER_MS * math.ceil(keys / calls)))
    return clients / best * 1000


def measure(clients: int, seconds: float, settings: dict[str, Any]) -> tuple[Load, float, int]:
    """The load, customers a call, and the most calls in flight that the 1C saw."""
    settings = {"KABINET__BACK_OFFICES__ERP__POOL": SESSIONS, "KABINET__CACHE__ENABLED": "false", **settings}
    options = {"pool": SESSIONS, "call_ms": CALL_MS, "key_ms": CUSTOMER_MS}
    with rig(settings, erp=options) as (offices, address):
        requests = cycle(lambda number: dashboard_request(number, QUERY), range(1001, 3001))
        asyncio.run(closed_loop(address, requests, clients=clients, seconds=2))
        offices.erp.reset()
        load = asyncio.run(closed_loop(address, requests, clients=clients, seconds=seconds))
        calls = sum(offices.erp.calls().values())
        return load, load.answered * METHODS / calls, offices.erp.stats()["most_in_flight"]


def say(name: str, load: Load, keys: float, most: int, limit: float) -> None:
    """Print one measurement."""
    print(f"{name}: {load.per_second:.0f} dashboards a second, {100 * load.per_second / limit:.0f} % of the ideal")
    print(f"  customers a call: {keys:.1f}; calls in flight at most: {most}; with errors: {load.failed}")
    print(f"  p50 {load.percentile(0.5):.0f} ms, p99 {load.percentile(0.99):.0f} ms")


def main() -> None:
    """Measure and print."""
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--seconds", type=float, default=20)
    arguments.add_argument("--clients", type=int, default=64)
    arguments.add_argument("--alone", action="store_true")
    arguments.add_argument("--awake", action="store_true")
    arguments.add_argument("--times", type=int, default=1)
    asked = arguments.parse_args()
    limit = ideal(asked.clients)
    print(f"an ideal scheduler would get {limit:.0f} dashboards a second out of this 1C")
    with awake() if asked.awake else nullcontext():
        for _ in range(asked.times):
            say("shared calls", *measure(asked.clients, asked.seconds, {}), limit)
        if asked.alone:
            alone = measure(asked.clients, asked.seconds, {"KABINET__BACK_OFFICES__ERP__BATCH": 1})
            say("a call for each", *alone, limit)


if __name__ == "__main__":
    main()
