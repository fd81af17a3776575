"""
The matrix is proved by mutation: with the owner checks taken out, its rows about other customers' data go red.

There are three checks: `Fetcher`'s, of what an answer is about; the mapping's, of what stands inside a record; and
`Keeping`'s, of what comes from the cache.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import pytest

from bff.mapping import reading
from bff.sources import Answer, MemoryTier
from bff.sources.fetching import Fetcher
from bff.sources.read import Keeping
from bff.sources.tier import Entry
from tests.resilience.cabinets import Places
from tests.resilience.matrix import Said, Services, judge, observe, services_before, shown, taking
from tests.resilience.matrix_rows import OFFICE_OF, ROWS, Row

INTEGRITY = [
    pytest.param(row, column, id=f"{row.name}-{column}")
    for row in ROWS
    for column in OFFICE_OF
    if row.code == "INTEGRITY" and row.cell(column) == "E"
]


@pytest.fixture
def services(places: Places, stopping: ThreadPoolExecutor) -> Iterator[Services]:
    with services_before(places, stopping) as services:
        yield services


@pytest.fixture
def said(capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture) -> Said:
    return taking(capfd, caplog)


def look_away_in_the_mapping(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the mapping see no customer in what it has made: then it finds none that is another."""

    def blind(value: Any, name: str, default: Any) -> Any:
        return default if name == "customer" else getattr(value, name, default)

    monkeypatch.setattr(reading, "getattr", blind, raising=False)


@pytest.mark.parametrize(("row", "column"), INTEGRITY)
def test_without_the_owner_check_the_row_goes_red(
    row: Row, column: str, services: Services, said: Said, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Fetcher, "_check_owners", lambda *_: None)
    look_away_in_the_mapping(monkeypatch)
    seen = observe(row, OFFICE_OF[column], services, said)
    with pytest.raises(AssertionError):
        judge(seen, column)


def test_a_strangers_order_is_kept_out_by_two_checks(
    services: Services, said: Said, monkeypatch: pytest.MonkeyPatch
) -> None:
    [row] = [row for row in ROWS if row.name == "another customer's order inside"]
    with monkeypatch.context() as patched:
        patched.setattr(Fetcher, "_check_owners", lambda *_: None)
        judge(observe(row, "erp", services, said), "lastOrder")
    with monkeypatch.context() as patched:
        look_away_in_the_mapping(patched)
        judge(observe(row, "erp", services, said), "lastOrder")


OWNED = ("profile", "lastOrder", "bonuses", "favorites", "personal")


def judge_a_mixed_up_cache(services: Services, said: Said) -> None:
    """Everything of one customer stands where another's should: it is not shown, and somebody is told."""
    service = services.start()
    mine, theirs = service.until_fresh(), service.until_fresh("c-1003")
    assert service.cabinet.sources.storage is not None
    memory = service.cabinet.sources.storage.cache._near
    assert isinstance(memory, MemoryTier)
    for key, (_, *tags) in list(memory._kept.items()):
        if ":c-1001" in key and (other := memory._kept.get(key.replace("c-1001", "c-1003"))):
            memory._kept[key] = other[0], *tags
    said()
    told = service.ask()
    for column in OWNED:
        assert shown(mine, column) != shown(theirs, column)
        assert shown(told, column) == shown(mine, column)
    assert said().count("cache entry refused") >= 4


def test_what_the_cache_mixes_up_is_not_shown(services: Services, said: Said) -> None:
    judge_a_mixed_up_cache(services, said)


def test_without_the_caches_owner_check_it_would_be(
    services: Services, said: Said, monkeypatch: pytest.MonkeyPatch
) -> None:
    def trusting(keeping: Keeping[Any, Any], _: Any, entry: Entry, *, stale: bool) -> Answer[Any]:
        return Answer(keeping._decode(entry.body), datetime.fromtimestamp(entry.as_of, UTC), stale)

    monkeypatch.setattr(Keeping, "answer", trusting)
    with pytest.raises(AssertionError):
        judge_a_mixed_up_cache(services, said)
