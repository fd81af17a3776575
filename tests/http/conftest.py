from collections.abc import Iterator
from typing import Any

import pytest

from bff.app import assemble
from bff.demo.launch import DemoOffices, demo_offices
from bff.demo.run import demo_settings, serving
from tests.http.front import Front

COLD: dict[str, Any] = {
    "cache": {"enabled": False},
    "back_offices": {name: {"guard": {"breaker_open_seconds": 0.05}} for name in ("erp", "loyalty", "cms")},
}
"""Nothing is kept: each request asks the back offices. They are left alone only for a moment when they fail."""

SHORT_MS = 1_500
"""The request's time where tests wait for it to run out."""


@pytest.fixture(scope="session")
def running_offices() -> Iterator[DemoOffices]:
    # Several cabinets share this 1C in the tests, each with a pool of 8.
    with demo_offices(erp={"pool": 100}) as offices:
        yield offices


@pytest.fixture
def offices(running_offices: DemoOffices) -> Iterator[DemoOffices]:
    """The three back offices, well and with their counters at zero."""
    for office in running_offices:
        office.reset()
    yield running_offices
    for office in running_offices:
        office.faults()


@pytest.fixture(scope="session")
def cabinet_address(running_offices: DemoOffices) -> Iterator[str]:
    # Nothing is slow here but the machine: a busy one is no failure.
    patient = {name: {"timeout_ms": 20_000, **table} for name, table in COLD["back_offices"].items()}
    over = {**COLD, "back_offices": patient}
    with serving(assemble(demo_settings(running_offices, over=over, graphiql=True, dashboard_ms=20_000))) as address:
        yield address


@pytest.fixture
def front(cabinet_address: str, offices: DemoOffices) -> Front:
    return Front(cabinet_address)


@pytest.fixture
def hurried(offices: DemoOffices) -> Iterator[Front]:
    """A front end of a cabinet that gives its sections little time. Each test has its own: breakers remember."""
    with serving(assemble(demo_settings(offices, over=COLD, dashboard_ms=SHORT_MS))) as address:
        yield Front(address)
