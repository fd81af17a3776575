"""The cabinet on one core; the back offices and the load on the other."""

import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench.load import http_request
from bff.demo.launch import DemoOffices, Options, demo_offices
from bff.demo.run import DEMO_PASSWORD, demo_token
from bff.demo.secret import demo_secret
from bff.web.graphiql_page import READY_QUERY

SHOP = Path(__file__).parents[1] / "bff" / "demo"


def cores() -> tuple[set[int], set[int]]:
    """The service's core, and the others; the same where there is only one."""
    available = sorted(os.sched_getaffinity(0))
    return {available[0]}, set(available[1:] or available)


CORES = cores()


_WAKE = """
import os, sys
os.sched_setaffinity(0, {int(sys.argv[1])})
os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
while True:
    pass
"""


@contextmanager
def awake() -> Iterator[None]:
    """
    Keep the service's core awake by what gives way to everything else (Linux).

    A virtual machine's core that has nothing to do for a millisecond is given away, and comes back cold: the same
    request then takes up to half as much processor time again. The other cores may be the same core's second thread,
    and what keeps them busy slows the service as much.
    """
    wakers = [subprocess.Popen([sys.executable, "-c", _WAKE, str(core)]) for core in CORES[0]]
    try:
        yield
    finally:
        for waker in wakers:
            waker.kill()
            waker.wait()


@contextmanager
def cabinet(
    offices: DemoOffices, settings: Mapping[str, Any] | None = None, *, module: str = "bff.cli"
) -> Iterator[str]:
    """`kabinet serve` as a process of its own, alone on its core. `settings`: names as in the environment."""
    service_core, other_cores = CORES
    environment = {
        **os.environ,
        "KABINET__IDENTITY__SECRET": demo_secret(),
        "KABINET__LIMITS__CUSTOMER_PER_MINUTE": "0",
        "KABINET__SERVER__LOG_FORMAT": "json",
        "KABINET__BACK_OFFICES__ERP__PASSWORD": DEMO_PASSWORD,
        "KABINET__BACK_OFFICES__LOYALTY__API_KEY": DEMO_PASSWORD,
        "KABINET__BACK_OFFICES__CMS__TOKEN": DEMO_PASSWORD,
        **{f"KABINET__BACK_OFFICES__{office.name.upper()}__ADDRESS": office.service for office in offices},
        **{name: str(value) for name, value in (settings or {}).items()},
    }
    # A log in a file, as an operator has one: what reads a pipe would be woken for every line.
    with tempfile.NamedTemporaryFile("w+") as log:
        os.sched_setaffinity(0, service_core)  # inherited by the child
        process = subprocess.Popen(
            [sys.executable, "-m", module, "serve", "--port", "0", "--config", str(SHOP / "shop" / "kabinet.toml")],
            env=environment,
            stderr=log,
        )
        os.sched_setaffinity(0, other_cores)
        try:
            yield _address(process, Path(log.name))
        finally:
            process.terminate()
            process.wait(timeout=30)


def _address(process: "subprocess.Popen[bytes]", log: Path) -> str:
    """Where it serves, as soon as it says so."""
    until = time.monotonic() + 60
    while process.poll() is None and time.monotonic() < until:
        if found := re.search(r"kabinet serves (http://\S+)/graphql", log.read_text()):
            return found[1]
        time.sleep(0.02)
    raise RuntimeError(log.read_text())


@contextmanager
def rig(
    settings: Mapping[str, Any] | None = None, *, module: str = "bff.cli", **options: Options
) -> Iterator[tuple[DemoOffices, str]]:
    """Offices and a cabinet before them. `options` are the offices' own."""
    _, other_cores = CORES
    os.sched_setaffinity(0, other_cores)  # inherited by the offices, and this process is the load
    with demo_offices(**options) as offices, cabinet(offices, settings, module=module) as address:  # type: ignore[arg-type]
        yield offices, address


def dashboard_request(number: int, query: str = READY_QUERY) -> bytes:
    """The dashboard of customer number `number` (1001 … 3000)."""
    return http_request("/graphql", json.dumps({"query": query}).encode(), demo_token(f"c-{number}"))
