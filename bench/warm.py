"""
Warm: known customers, everything fresh in the cache; beside it a bare Starlette route on the same core, in turn.

    python -m bench.warm [--seconds 5] [--customers 200]
"""

import argparse
import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from statistics import median

from bench.load import closed_loop, cycle
from bench.rig import CORES, dashboard_request, rig
from bff.http import HttpClients, HttpLimits

BARE = """
import socket, sys, uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

async def answer(request: Request) -> Response:
    await request.body()
    return Response(b"{}", media_type="application/json")

app = Starlette(routes=[Route("/graphql", answer, methods=["POST"])])
listening = socket.create_server(("127.0.0.1", 0))
print(listening.getsockname()[1], flush=True)
uvicorn.Server(uvicorn.Config(app, loop="uvloop", http="httptools", access_log=False, log_config=None)).run([listening])
"""

ROUNDS = 5


@contextmanager
def bare_route() -> Iterator[str]:
    """A route that reads the body and answers `{}`, on the service's core."""
    service_core, other_cores = CORES
    os.sched_setaffinity(0, service_core)
    process = subprocess.Popen([sys.executable, "-c", BARE], stdout=subprocess.PIPE, text=True)
    os.sched_setaffinity(0, other_cores)
    assert process.stdout is not None
    try:
        yield f"http://127.0.0.1:{int(process.stdout.readline())}"
    finally:
        process.terminate()
        process.wait()


async def _until_it_answers(address: str) -> None:
    client = HttpClients().open("bare", address, HttpLimits(total_seconds=10, connect_seconds=5))
    await client.request("POST", "/graphql", body=b"{}")
    await client.close()


def main() -> None:
    """Measure and print."""
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--seconds", type=float, default=5)
    arguments.add_argument("--clients", type=int, default=16)
    arguments.add_argument("--customers", type=int, default=200)
    asked = arguments.parse_args()
    ages = {
        f"KABINET__FRESHNESS__{section}__{age}_SECONDS": 3_600
        for section in ("PROFILE", "ORDERS", "BONUSES", "FAVORITES", "PRODUCTS", "OFFERS")
        for age in ("FRESH", "STALE", "ON_ERROR")
    }
    with rig(ages) as (offices, address), bare_route() as bare:
        asyncio.run(_until_it_answers(bare))
        requests = cycle(dashboard_request, range(1005, 1005 + asked.customers))
        asyncio.run(closed_loop(address, requests, clients=asked.clients, seconds=6))
        for office in offices:
            office.reset()
        pairs = []
        for _ in range(ROUNDS):
            ours = asyncio.run(closed_loop(address, requests, clients=asked.clients, seconds=asked.seconds))
            theirs = asyncio.run(closed_loop(bare, requests, clients=asked.clients, seconds=asked.seconds))
            pairs.append((ours.per_second, theirs.per_second))
        calls = sum(sum(office.calls().values()) for office in offices)
    print(f"dashboards: {median(ours for ours, _ in pairs):.0f} a second, median of {ROUNDS}")
    print(f"bare route: {median(theirs for _, theirs in pairs):.0f} a second (the load generator's limit is near)")
    print(f"ratio: {median(ours / theirs for ours, theirs in pairs):.3f}")
    print(f"calls to back offices meanwhile: {calls}")


if __name__ == "__main__":
    main()
