"""
Two cabinets on one Redis under steady load: what dashboards take before, while and after Redis is killed (-9), stopped
(SIGSTOP), emptied and full; and how soon one cabinet knows what a webhook has told the other.

    python -m bench.redis_outages [--seconds 5] [--per-second 40] [--hooks 100]
"""

import argparse
import asyncio
import hashlib
import hmac
import json
import time
from collections.abc import Callable, Iterator

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
    arguments.add_argument("--hooks", type=int, default=100)
    asked = arguments.parse_args()
    requests = cycle(dashboard_request, range(1005, 1205))
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
                    print(
                        f"{phase:8} {asyncio.run(both(one, other, requests, asked.per_second, asked.seconds))}",
                        flush=True,
                    )
        settings["KABINET__FRESHNESS__PROFILE__FRESH_SECONDS"] = 60
        with rig(settings, erp=SESSIONS) as (offices, one), cabinet(offices, settings) as other:
            tries = [asyncio.run(heard(one, other, number)) for number in range(asked.hooks)]
        for what, times in zip(
            ("is done", "is known to the other one"), map(sorted, zip(*tries, strict=True)), strict=True
        ):
            spread = f"at most {times[-1]:.1f} ms, median {times[len(times) // 2]:.1f} ms"
            print(f"a webhook at one cabinet {what}: {spread}, in {len(times)} tries")


async def both(one: str, other: str, requests: Iterator[bytes], per_second: float, seconds: float) -> str:
    """Half of the load for each; what came of it, in a line."""
    half = per_second / 2
    loads = await asyncio.gather(
        *(
            open_loop(address, requests, per_second=half, seconds=seconds, seed=seed)
            for seed, address in enumerate((one, other))
        )
    )
    loads[0].milliseconds += loads[1].milliseconds
    answered, failed = (sum(getattr(load, name) for load in loads) for name in ("answered", "failed"))
    times = ", ".join(f"p{round(100 * share)} {loads[0].percentile(share):.0f} ms" for share in (0.5, 0.9, 0.99))
    return f"{times}; {answered} dashboards, {failed} with errors"


async def heard(one: str, other: str, number: int) -> tuple[float, float]:
    """
    Milliseconds from the sending of a webhook: until that cabinet calls it done, and until the other asks 1C again.

    The other one is asked all the time, and the moment is that of the first question with another answer; how long 1C
    then takes for it is no matter of webhooks.
    """
    customer = 1010 + number
    question = dashboard_request(customer, "{ dashboard { profile { asOf } } }")
    office, front_end = Connection(one), Connection(other)
    await front_end.send(question)
    kept = await front_end.send(question)
    webhook = webhook_request(json.dumps({"customers": [f"c-{customer}"], "sections": ["profile"]}).encode())
    started = time.perf_counter()

    async def tell() -> float:
        if refused := await office.send(webhook):
            raise RuntimeError(refused)
        return time.perf_counter()

    telling = asyncio.create_task(tell())
    while True:
        asked = time.perf_counter()
        if await front_end.send(question) != kept:
            break
        # Both cabinets share a core: without a pause the questions are what the webhook waits for.
        await asyncio.sleep(0.001)
    done = await telling
    office.close()
    front_end.close()
    return (done - started) * 1000, (asked - started) * 1000


def webhook_request(body: bytes) -> bytes:
    """A signed webhook, ready to be sent. By hand, as all the load is: a client sets up TLS for 30 ms first."""
    timestamp = str(int(time.time()))
    signature = hmac.new(SECRET.encode(), timestamp.encode() + b"." + body, hashlib.sha256).hexdigest()
    head = (
        f"POST /hooks/erp HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\n"
        f"X-Kabinet-Timestamp: {timestamp}\r\nX-Kabinet-Signature: sha256={signature}\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


if __name__ == "__main__":
    main()
