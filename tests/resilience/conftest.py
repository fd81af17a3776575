from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from bff.demo.launch import DemoOffices, demo_offices
from tests.http.front import Front
from tests.resilience.cabinets import Cabinets, Places, StartCabinet, placed
from tests.resilience.hostile import HostileOffice, hostile


@pytest.fixture(scope="session")
def running_places() -> Iterator[Places]:
    # Hundreds of cabinets use this 1C in the tests, some of which leave sessions in the lurch.
    with demo_offices(erp={"pool": 10_000}) as offices, placed(offices) as places:
        yield places


@pytest.fixture(scope="session")
def stopping(running_places: Places) -> Iterator[ThreadPoolExecutor]:
    """Where cabinets are stopped, before their back offices are."""
    with ThreadPoolExecutor(8, thread_name_prefix="stopping") as pool:
        yield pool


@pytest.fixture
def places(running_places: Places) -> Iterator[Places]:
    """The three back offices, well and with their counters at zero."""
    for place in running_places.values():
        place.reset()
    yield running_places
    for place in running_places.values():
        place.reset()


@pytest.fixture
def start_cabinet(places: Places, stopping: ThreadPoolExecutor) -> Iterator[StartCabinet]:
    """Starts cabinets with nothing in any cache before the back offices; see `Cabinets.start`."""
    cabinets = Cabinets(places, stopping)
    yield cabinets.start
    cabinets.stop()


@pytest.fixture(scope="session")
def healthy(running_places: Places, stopping: ThreadPoolExecutor) -> dict[str, Any]:
    """By section, the dashboard where nothing is wrong."""
    cabinets = Cabinets(running_places, stopping)
    front: Front = cabinets.start()
    dashboard: dict[str, Any] = front.data()["dashboard"]
    cabinets.stop()
    return dashboard


@pytest.fixture(scope="session")
def offices() -> Iterator[DemoOffices]:
    """Offices that no cabinet has ever called."""
    with demo_offices() as offices:
        yield offices


@pytest.fixture(scope="session")
def hostile_offices(offices: DemoOffices) -> Iterator[dict[str, HostileOffice]]:
    with (
        hostile("127.0.0.1", offices.erp.port) as erp,
        hostile("127.0.0.1", offices.loyalty.port) as loyalty,
        hostile("127.0.0.1", offices.cms.port) as cms,
    ):
        yield {"erp": erp, "loyalty": loyalty, "cms": cms}


@pytest.fixture
def bad(hostile_offices: dict[str, HostileOffice]) -> Iterator[dict[str, HostileOffice]]:
    """Hostile proxies before them, which do nothing yet."""
    for office in hostile_offices.values():
        office.reset()
    yield hostile_offices
    for office in hostile_offices.values():
        office.heal()
