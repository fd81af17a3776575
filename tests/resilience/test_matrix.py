"""
The resiliency matrix, cell by cell: see `matrix_rows` for what they say, `matrix` for how they are looked at.

What the column "and" says, and the lines below the matrix, are in `test_matrix_and.py`.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from tests.fakes.certificates import Authority
from tests.resilience.cabinets import Places
from tests.resilience.fault_proxy import fault_proxy
from tests.resilience.matrix import (
    Said,
    Seen,
    Services,
    judge,
    judge_others,
    judge_the_rest,
    observe,
    services_before,
    taking,
)
from tests.resilience.matrix_rows import COLUMNS, OFFICE_OF, ROWS, Row

Look = Callable[[Row, str], Seen]

OFFICES = ("erp", "loyalty", "cms")
HIT = [(row, office) for row in ROWS for office in OFFICES if row.columns(office)]


@pytest.fixture(scope="module")
def seen_already() -> dict[tuple[str, str], Seen]:
    """A fault is put before a back office once, and looked at from all sides."""
    return {}


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def tls_places(running_places: Places, authority: Authority) -> Iterator[Places]:
    """The back offices behind proxies that speak TLS."""
    context = authority.server("127.0.0.1")
    with ExitStack() as stack:
        yield {
            name: replace(place, proxy=stack.enter_context(fault_proxy("127.0.0.1", place.hostile.port, tls=context)))
            for name, place in running_places.items()
        }


@pytest.fixture
def said(capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture) -> Said:
    return taking(capfd, caplog)


@pytest.fixture
def look(  # noqa: PLR0917 - fixtures
    places: Places,
    tls_places: Places,
    authority: Authority,
    stopping: ThreadPoolExecutor,
    said: Said,
    seen_already: dict[tuple[str, str], Seen],
) -> Iterator[Look]:
    with ExitStack() as stack:

        def see(row: Row, office: str) -> Seen:
            if (row.name, office) not in seen_already:
                before = tls_places if row.tls else places
                ca_file: Path | None = authority.file if row.tls else None
                services: Services = stack.enter_context(services_before(before, stopping, ca_file=ca_file))
                seen_already[row.name, office] = observe(row, office, services, said)
            return seen_already[row.name, office]

        yield see


@pytest.mark.parametrize(
    ("row", "column"),
    [pytest.param(row, column, id=f"{row.name}-{column}") for row, office in HIT for column in row.columns(office)],
)
def test_cell(row: Row, column: str, look: Look) -> None:
    judge(look(row, OFFICE_OF[column]), column)


@pytest.mark.parametrize(("row", "office"), [pytest.param(*hit, id=f"{hit[0].name}-{hit[1]}") for hit in HIT])
def test_the_rest_of_the_cabinet(row: Row, office: str, look: Look) -> None:
    seen = look(row, office)
    judge_others(seen)
    judge_the_rest(seen)


def test_every_difference_has_its_reason() -> None:
    for row in ROWS:
        differing = {
            column for column, specified in zip(COLUMNS, row.specified, strict=True) if row.cell(column) != specified
        }
        assert differing == set(row.why), row.name
    assert len({row.name for row in ROWS}) == len(ROWS)
