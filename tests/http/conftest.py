from collections.abc import Iterator

import pytest

from bff.app import assemble
from bff.demo.launch import DemoOffices, demo_offices
from bff.demo.run import demo_settings, serving
from tests.http.front import Front

SHORT_MS = 400
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
    with serving(assemble(demo_settings(running_offices, graphiql=True))) as address:
        yield address


@pytest.fixture
def front(cabinet_address: str, offices: DemoOffices) -> Front:
    return Front(cabinet_address)


@pytest.fixture(scope="session")
def hurried_address(running_offices: DemoOffices) -> Iterator[str]:
    with serving(assemble(demo_settings(running_offices, dashboard_ms=SHORT_MS))) as address:
        yield address


@pytest.fixture
def hurried(hurried_address: str, offices: DemoOffices) -> Front:
    """A front end of a cabinet that gives its sections little time."""
    return Front(hurried_address)
