"""
The resiliency matrix, row by row: see `matrix_rows` for the cells, `matrix` for what is looked at.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from bff.demo.launch import DemoOffice
from tests.fakes.certificates import Authority
from tests.resilience.cabinets import Place, Places
from tests.resilience.fault_proxy import fault_proxy
from tests.resilience.matrix import Seen, Services, judge, judge_others, judge_the_rest, observe, services_before
from tests.resilience.matrix_rows import COLUMNS, OFFICE_OF, ROWS, Row

Said = Callable[[], str]


@pytest.fixture
def services(places: Places, stopping: ThreadPoolExecutor) -> Iterator[Services]:
    with services_before(places, stopping) as services:
        yield services


@pytest.fixture
def said(capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture) -> Said:
    def take() -> str:
        text = "".join(capfd.readouterr()) + caplog.text
        caplog.clear()
        return text

    return take


SEEN: dict[tuple[str, str], Seen] = {}


@pytest.mark.parametrize("office", ["erp", "loyalty", "cms"])
@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_cells(row: Row, office: str, services: Services, said: Said) -> None:
    if not row.columns(office) or row.tls:
        pytest.skip()
    seen = observe(row, office, services, said)
    bad = []
    for column in row.columns(office):
        try:
            judge(seen, column)
        except AssertionError as error:
            bad.append(f"{column}: {error}")
    for each in (judge_others, judge_the_rest):
        try:
            each(seen)
        except AssertionError as error:
            bad.append(f"{each.__name__}: {error}")
    assert not bad, "\n".join(["", *bad, *(f"{k}: {v.body}" for k, v in seen.told.items()), str(seen.good.body)])
