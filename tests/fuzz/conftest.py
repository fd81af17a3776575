from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from bff.demo.launch import DemoOffices, demo_offices
from tests.fuzz.asking import CUSTOMERS, Asker, asking
from tests.fuzz.cabinet import RunningCabinet, running
from tests.fuzz.operations import Known
from tests.patience import OFFICES, PATIENT_MS
from tests.patience import PATIENT as PATIENT_OFFICE

PATIENT = {
    "SERVER__DASHBOARD_MS": str(PATIENT_MS),
    "LIMITS__CUSTOMER_PER_MINUTE": "0",
    **{
        f"BACK_OFFICES__{office.upper()}__{name.upper()}": str(limit)
        for office in OFFICES
        for name, limit in PATIENT_OFFICE.items()
    },
}
"""Nothing is slow here but the machine, and nobody is told to ask less often."""

OPEN = {"SERVER__INTROSPECTION": "true", "SERVER__GET_QUERIES": "true"}
"""As developers run it: the schema can be read, queries may come by GET."""

IDS = """{ dashboard {
  lastOrder { id lines { product { id } } } favorites(first: 3) { edges { cursor node { id } } }
  offers(first: 3) { edges { cursor node { id } } }
} }"""


@pytest.fixture(scope="session")
def offices() -> Iterator[DemoOffices]:
    with demo_offices(erp={"pool": 100}) as offices:
        yield offices


@contextmanager
def watched(folder: Path, offices: DemoOffices) -> Iterator[RunningCabinet]:
    """A cabinet whose log must know, in the end, of no defect and of no token."""
    with running(folder, offices, {**PATIENT, **OPEN}) as cabinet:
        yield cabinet
    for never in ("internal error", "Traceback", "eyJ"):
        assert never not in cabinet.log


@pytest.fixture(scope="session")
def cabinet(offices: DemoOffices, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningCabinet]:
    with watched(tmp_path_factory.mktemp("cabinet"), offices) as cabinet:
        yield cabinet


@pytest.fixture(scope="session")
def asker(cabinet: RunningCabinet) -> Iterator[Asker]:
    with asking(cabinet.address) as asker:
        yield asker


@pytest.fixture
def new_cabinet(offices: DemoOffices, tmp_path: Path) -> Iterator[Asker]:
    """Somebody who asks a cabinet that has kept nothing yet."""
    with watched(tmp_path, offices) as cabinet, asking(cabinet.address) as asker:
        yield asker


@pytest.fixture(scope="session")
def known(asker: Asker) -> Known:
    """Ids and cursors of two customers: for each of the others, those are somebody else's."""
    ids, cursors = ["", "T3JkZXI6", "not an id"], ["", "not a cursor"]
    for customer in CUSTOMERS[0], CUSTOMERS[2]:
        dashboard = asker.ask(IDS, {}, asker.good_token(customer)).answer["data"]["dashboard"]
        order = dashboard["lastOrder"]
        ids += [order["id"], *(line["product"]["id"] for line in order["lines"] if line["product"])]
        for section in ("favorites", "offers"):
            ids += [edge["node"]["id"] for edge in dashboard[section]["edges"]]
            cursors += [edge["cursor"] for edge in dashboard[section]["edges"]]
    return Known(ids, cursors)
