from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Final

import pytest

from bff.app import assemble
from bff.demo.launch import DemoOffice, DemoOffices, demo_offices
from bff.demo.run import demo_settings, serving
from tests.http.front import Front
from tests.patience import patient

COLD: Final = patient(cache={"enabled": False})
"""Nothing is kept: each request asks the back offices. They are left alone only for a moment when they fail."""

SHORT_MS: Final = 1_000
"""The time of what hangs in a test: nothing else is a matter of time."""


@contextmanager
def cold_cabinet(offices: Iterable[DemoOffice], *, hung: Iterable[str] = (), **server: Any) -> Iterator[Front]:
    """A front end of a cabinet that keeps nothing and has breakers of its own. Who is `hung` is not waited for long."""
    short = {name: {"timeout_ms": SHORT_MS} for name in hung}
    over = patient(cache={"enabled": False}, server=server, back_offices=short)
    with serving(assemble(demo_settings(offices, over=over))) as address:
        yield Front(address)


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
    with cold_cabinet(running_offices, graphiql=True) as front:
        yield front.address


@pytest.fixture
def front(cabinet_address: str, offices: DemoOffices) -> Front:
    return Front(cabinet_address)
