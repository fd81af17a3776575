"""
Two cabinets on one Redis under steady load: what dashboards take before, while and after Redis is killed (-9), stopped
(SIGSTOP), emptied and full; and how soon one cabinet knows what a webhook has told the other.

    python -m bench.redis_outages [--seconds 5] [--per-second 40] [--hooks 20]
"""

import argparse
import asyncio
import hashlib
import hmac
import json
import time
from collections.abc import Callable

import httpx2

from bench.load import Connection, cycle, open_loop
from bench.rig import cabinet, dashboard_request, rig
from bff.demo.launch import Options
from tests.sources.redis_server import RedisServer

SECRET = "the ERP's secret for its webhooks, long enough"

SESSIONS: Options = {"pool": 32}
"""1C has sessions for both cabinets' pools together."""

DISASTERS: dict[str, tuple[Callable[[RedisServer], object], Callable[[RedisServer], object]]] = {
    "killed": (RedisServer.kill, RedisServer.start),
    "stopped": (RedisServer.stop, RedisServer.cont),
    "emptied": (RedisServer.flush, lambda _: None),
    "full": (RedisServer.fill, RedisServer.empty),
}


def main() -> None:
    """Measure and print."""
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--seconds", type=float, default=5)
    arguments.add_argument("--per-second", type=float, default=40)
    arguments.add_argument("--hooks", type=int, default=20)
    asked = arguments.parse_args()
    with RedisServer() as redis:
        settings: dict[str, object] = {
            "KABINET__CACHE__REDIS_URL": redis.url,
            "KABINET__BACK_OFFICES__ERP__HOOK_SECRET": SECRET,
            # So short that back offices are asked, and answers kept, all the time.
            **{f"KABINET__FRESHNESS__{section}__FRESH_SECONDS": 1 for section in ("ORDERS", "BONUSES", "PROFILE")},
        }
        with rig(settings, erp=SESSIONS) as (offices, one), cabinet(offices, settings) as other:
            for name, (strike, mend) in DISASTERS.items():
                phases: list[tuple[str, Callable[[RedisServer], object]]] = [
                    ("before", lambda _: None),
                    (name, strike),
                    ("after", mend),
                ]
                for phase, happens in phases:
                    happens(redis)
                    print(f"{phase:8} {asyncio.run(both(one, other, asked.per_second, asked.seconds))}", flush=True)
        settings["KABINET__FRESHNESS__PROFILE__FRESH_SECONDS"] = 60
        with rig(settings, erp=SESSIONS) as (offices, one), cabinet(offices, settings) as other:
            times = sorted(asyncio.run(heard(one, other, number)) for number in range(asked.hooks))
        print(f"a webhook at one cabinet, and the other asks again: at most {times[-1]:.0f} ms, median ", end="")
        print(f"{times[len(times) // 2]:.0f} ms, in {len(times)} tries")


async def both(one: str, other: str, per_second: float, seconds: float) -> str:
    """Half of the load for each; what came of it, in a line."""
    requests = cycle(dashboard_request, range(1005, 1205))
    half = per_second / 2
    loads = await asyncio.gather(
        *(open_loop(address, requests, per_second=half, seconds=seconds) for address in (one, other))
    )
    loads[0].milliseconds += loads[1].milliseconds
    answered, failed = (sum(getattr(load, name) for load in loads) for name in ("answered", "failed"))
    times = ", ".join(f"p{round(100 * share)} {loads[0].percentile(share):.0f} ms" for share in (0.5, 0.9, 0.99))
    return f"{times}; {answered} dashboards, {failed} with errors"


async def heard(one: str, other: str, number: int) -> float:
    """Milliseconds from a webhook at one cabinet until the other one asks 1C again for that customer."""
    customer = 1010 + number
    request = dashboard_request(customer, "{ dashboard { profile { asOf } } }")
    connection = Connection(other)
    await connection.send(request)
    kept = await connection.send(request)
    body = json.dumps({"customers": [f"c-{customer}"], "sections": ["profile"]}).encode()
    timestamp = str(int(time.time()))
    signature = hmac.new(SECRET.encode(), timestamp.encode() + b"." + body, hashlib.sha256).hexdigest()
    headers = {"X-Kabinet-Timestamp": timestamp, "X-Kabinet-Signature": f"sha256={signature}"}
    started = time.perf_counter()
    answer = await asyncio.to_thread(httpx2.post, f"{one}/hooks/erp", content=body, headers=headers)
    answer.raise_for_status()
    while await connection.send(request) == kept:
        pass  # a question takes a millisecond: that is the pause
    connection.close()
    return (time.perf_counter() - started) * 1000


if __name__ == "__main__":
    main()
