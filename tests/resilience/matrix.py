"""
The resiliency matrix of `design/data-path.md`, and what it takes to look at one of its cells.

A row's fault is put before one back office of a warm cabinet, whose clock then moves: to where answers are older than
fresh and than stale, and may still be shown where their back office fails; and to where they may not. `observe` does
so once for a row and a back office, `judge` compares one column with its cell. The ages are the service's defaults.

Offers come from two back offices: RetailCRM's `personal` ones and the CMS's `promotions` have a column each. One that
fails costs its own items, and adds one error.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, nullcontext
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from unittest.mock import patch

import httpx2
import pytest

from bff.app import Cabinet, assemble
from bff.config import merge
from bff.demo.run import demo_settings, serving
from bff.demo.secret import demo_secret
from bff.identity import sign_token
from bff.sources import MemoryTier, Storage
from tests.patience import PATIENCE_SECONDS, patient, until
from tests.resilience.cabinets import Places
from tests.resilience.hostilities import CANARY, STRANGER
from tests.resilience.matrix_rows import OFFICE_OF, Row
from tests.resilience.traps import SECRET

QUERY = """
query Matrix {
  dashboard {
    profile { displayName phone asOf stale }
    lastOrder { id number status total { amount currency } lines { name quantity } asOf stale }
    bonuses { balance pending expirations { amount expiresOn } tier { name } asOf stale }
    favorites(first: 12) { totalCount nodes { id name } asOf stale }
    offers(first: 50) { nodes { id kind title endsOn } asOf stale }
  }
}
"""

PROFILES, ORDERS = "ПолучитьКлиентов", "ПолучитьПоследниеЗаказы"
"""1C's operations."""

SECTIONS = ("profile", "lastOrder", "bonuses", "favorites", "offers")

SOON, LATER, AT_LAST = 200, 1_500, 2 * 86_400
"""Seconds after everything was read: the moments at which is asked."""

AFTERWARDS = AT_LAST + 3_600
"""When all is well again: answers with which nothing but an item was wrong are kept as any other."""

MOMENTS: Mapping[str, tuple[int, int]] = {
    # Stale after a minute; gone after 15 and 5 minutes.
    "lastOrder": (SOON, LATER),
    "bonuses": (SOON, LATER),
    # Stale after 10, 10, 20, 20 minutes; gone after a day, an hour, a day, a day.
    "profile": (LATER, AT_LAST),
    "favorites": (LATER, AT_LAST),
    "personal": (LATER, AT_LAST),
    "promotions": (LATER, AT_LAST),
}
"""By column, when the oldest answers may still be shown where the back office fails, and when no more."""

HANGS: Mapping[str, Any] = {"timeout_ms": 400}
"""Settings of a back office that does not answer: its limit is reached. While it is well, it is asked until it was in
time."""

IS_A_BLACK_HOLE: Mapping[str, Any] = {"connect_timeout_ms": 250}
"""Settings of a back office that cannot be connected to: the same."""


def broken(row: Row) -> dict[str, Any]:
    """
    Settings of the back office that has a row's fault.

    Only a fault that takes time has a short limit, and only that limit is short: one that a busy machine reaches makes
    another error of any other fault.
    """
    limits = HANGS if row.code == "TIMEOUT" else IS_A_BLACK_HOLE if row.name == "black hole" else {}
    return {**limits, **row.settings}


Said = Callable[[], str]
"""Gives what has been logged since it was last called."""


@dataclass(slots=True)
class Watch:
    """The service's clock: it stands still until it is moved."""

    start: datetime = field(default_factory=lambda: datetime.now(UTC).replace(microsecond=0))
    seconds: float = 0.0

    def __call__(self) -> datetime:
        """What time it is."""
        return self.at(self.seconds)

    def at(self, seconds: float) -> datetime:
        """What time it is so many seconds after the start."""
        return self.start + timedelta(seconds=seconds)


@dataclass(frozen=True, slots=True)
class Told:
    """An answer."""

    status: int
    body: dict[str, Any]

    @property
    def dashboard(self) -> dict[str, Any]:
        """By section, what is shown."""
        dashboard: dict[str, Any] = self.body["data"]["dashboard"]
        return dashboard

    def codes(self, section: str) -> list[str]:
        """The codes of a section, or of what is in it."""
        return [error["extensions"]["code"] for error in self.body.get("errors", ()) if error["path"][1] == section]

    @property
    def is_fresh(self) -> bool:
        """Whether everything is there, and fresh."""
        if "errors" in self.body:
            return False
        return all(section is not None and not section["stale"] for section in self.dashboard.values())


class Service:
    """A running cabinet, its clock, and somebody who asks it."""

    def __init__(self, cabinet: Cabinet, address: str, watch: Watch, client: httpx2.Client) -> None:
        self.cabinet = cabinet
        self.address = address
        self.watch = watch
        self._client = client
        identity = cabinet.loaded.settings.identity
        assert identity is not None
        self._names = {"issuer": identity.issuer, "audience": identity.audience}

    def token(self, customer: str, lifetime: timedelta) -> str:
        """A token from when the watch was started."""
        return sign_token(demo_secret(), customer, lifetime=lifetime, clock=lambda: self.watch.at(0), **self._names)

    def ask(self, customer: str = "c-1001", *, query: str = QUERY, lifetime: timedelta = timedelta(days=30)) -> Told:
        """Ask for something."""
        headers = {"Authorization": f"Bearer {self.token(customer, lifetime)}"}
        answer = self._client.post(f"{self.address}/graphql", json={"query": query}, headers=headers)
        return Told(answer.status_code, answer.json())

    def until_fresh(self, customer: str = "c-1001") -> Told:
        """Ask until everything is there, and fresh: breakers take a moment, and so does `Retry-After`."""
        told: list[Told] = []

        def is_fresh() -> bool:
            told[:] = [self.ask(customer)]
            return told[0].is_fresh

        until(is_fresh, "it does not come back", pause=0.02)
        return told[0]

    def kept(self) -> bytes:
        """Everything that the cabinet keeps of its back offices' answers."""
        assert self.cabinet.sources.storage is not None
        memory = self.cabinet.sources.storage.cache._near
        assert isinstance(memory, MemoryTier)
        return b"\n".join(encoded for encoded, *_ in memory._kept.values())


class Services:
    """Starts services, each with nothing in any cache, and stops them behind the tests' back."""

    def __init__(self, places: Places, running: ExitStack, ca_file: Path | None) -> None:
        self.places = places
        self._ca_file = ca_file
        self._running = running
        self._client = running.enter_context(httpx2.Client(timeout=2 * PATIENCE_SECONDS, verify=False, trust_env=False))

    def start(
        self, watch: Watch | None = None, *, storage: Storage | None = None, settings: Mapping[str, Any] | None = None
    ) -> Service:
        """Serve a new cabinet; `storage` is another's, to be shared."""
        watch = watch or Watch()
        over = patient() if settings is None else deepcopy(dict(settings))
        offices = [place.seen for place in self.places.values()]
        if self._ca_file:
            by_tls = {
                office.name: {"address": office.service.replace("http:", "https:"), "ca_file": str(self._ca_file)}
                for office in offices
            }
            merge(over, {"back_offices": by_tls})
        loaded = demo_settings(offices, over=over)
        with patch("bff.app.make_storage", lambda *_, **__: storage) if storage else nullcontext():
            cabinet = assemble(loaded, clock=watch)
        return Service(cabinet, self._running.enter_context(serving(cabinet)), watch, self._client)


@contextmanager
def services_before(places: Places, stopping: ThreadPoolExecutor, *, ca_file: Path | None = None) -> Iterator[Services]:
    """What starts services before these back offices for as long as the context lasts; by TLS, with `ca_file`."""
    running = ExitStack()
    yield Services(places, running, ca_file)
    stopping.submit(running.close)


@dataclass(frozen=True, slots=True)
class Seen:
    """What became of a cabinet whose one back office had a row's fault."""

    row: Row
    office: str
    watch: Watch
    good: Told
    told: Mapping[int, Told]
    """By moment."""
    healed: Told
    calls: Counter[str]
    sent: int
    """Bytes of hostile answers that were taken."""
    trapped: int
    """Visits to where redirects and entities lead."""
    said: str
    """The log."""
    kept: bytes


def taking(capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture) -> Said:
    """What gives all that has been said since it was last asked."""

    def take() -> str:
        text = "".join(capfd.readouterr()) + caplog.text
        caplog.clear()
        return text

    return take


def observe(row: Row, office: str, services: Services, said: Said) -> Seen:
    """Look at a row's fault before one back office. `said` gives the log, and begins it anew."""
    place = services.places[office]
    settings = patient(back_offices={office: broken(row)})
    watch = Watch()
    service = asked = services.start(watch, settings=settings)
    good = service.until_fresh()
    if row.address:
        # Nothing but the address is wrong: another cabinet, which has everything that the first one has.
        wrong = patient(back_offices={office: {**broken(row), "address": row.address}})
        asked = services.start(watch, storage=service.cabinet.sources.storage, settings=wrong)
    place.hostile.reset()
    said()
    told: dict[int, Told] = {}
    for watch.seconds in (SOON, LATER, AT_LAST):
        row.put(place)
        told[int(watch.seconds)] = asked.ask()
    bad, traps = place.hostile, place.hostile.traps
    calls, sent, trapped = Counter(bad.calls), sum(bad.sent.values()), len(traps.visits) + traps.file_reads
    kept = service.kept()
    place.reset()
    watch.seconds = AFTERWARDS
    healed = service.until_fresh()
    return Seen(row, office, watch, good, told, healed, calls, sent, trapped, said(), kept)


def judge(seen: Seen, column: str) -> None:
    """Compare what was seen in a column with its cell."""
    cell, code = seen.row.cell(column), seen.row.code_of(column)
    allowed, too_old = MOMENTS[column]
    first, last = seen.told[allowed], seen.told[too_old]
    match cell:
        case "S" | "B":
            assert_whole(seen, column, allowed, stale=True)
            assert_gone(seen, column, last, code)
        case "E":
            assert_gone(seen, column, first, code)
            assert_gone(seen, column, last, code)
        case "F" | "D":
            assert_whole(seen, column, allowed, stale=False)
            assert_whole(seen, column, too_old, stale=False)
        case "P":
            assert_less(seen, column, first, code)
            assert_less(seen, column, last, code)
        case "O":
            assert_whole(seen, column, allowed, stale=True)
            assert_less(seen, column, last, code)
        case "L":
            for told in (first, last):
                assert told.codes(_section(column)) == []
                assert len(_items(told, column)) >= len(_items(seen.good, column)) - 1
        case "N":
            for told in (first, last):
                assert told.dashboard[_section(column)] is None
                assert told.codes(_section(column)) == []
        case _:
            raise AssertionError(f"{seen.row.name}, {column}: there is no cell {cell!r}")


def judge_others(seen: Seen) -> None:
    """All that comes from other back offices is fresh, always, and without an error."""
    for seconds, told in seen.told.items():
        assert told.status == 200
        for column in (column for column, office in OFFICE_OF.items() if office != seen.office):
            section = _section(column)
            assert shown(told, column) == shown(seen.good, column), (seconds, column)
            if section != "offers":
                assert told.codes(section) == [], (seconds, column)
                assert not told.dashboard[section]["stale"]
        if seen.office == "erp":
            assert told.codes("offers") == []
            assert not told.dashboard["offers"]["stale"]


def judge_the_rest(seen: Seen) -> None:
    """What holds for every row: nothing of a bad body gets anywhere, nobody is led astray, and all is well at last."""
    assert _contents(seen.healed) == _contents(seen.good)
    as_of = {section: datetime.fromisoformat(seen.healed.dashboard[section]["asOf"]) for section in SECTIONS}
    assert as_of == dict.fromkeys(SECTIONS, seen.watch.at(AFTERWARDS))
    if not seen.row.shows_canary:
        answers = str([told.body for told in seen.told.values()])
        for foreign in (CANARY, STRANGER, SECRET, "Неизвестная ошибка", "Сеанс отсутствует"):
            assert foreign not in seen.said
            assert foreign not in answers
            assert foreign.encode() not in seen.kept
        assert b"c-1001" in seen.kept
    assert seen.trapped == 0
    assert ("integrity violation" in seen.said) == (seen.row.code == "INTEGRITY")
    if seen.row.spec == "SSBSS":
        assert "back office failing" in seen.said


def assert_whole(seen: Seen, column: str, moment: int, *, stale: bool) -> None:
    """The section is as it was, and says of when it is."""
    told, section = seen.told[moment], _section(column)
    assert told.codes(section) == [], (column, moment)
    assert shown(told, column) == shown(seen.good, column)
    there = told.dashboard[section]
    assert there["stale"] == stale, (column, moment)
    assert datetime.fromisoformat(there["asOf"]) == seen.watch.at(0 if stale else moment)


def assert_gone(seen: Seen, column: str, told: Told, code: str) -> None:
    """The section is null, or its part is missing, and one error has the code."""
    assert shown(told, column) is None, column
    assert told.codes(_section(column)) == [code], column
    if _section(column) == "offers":
        assert not told.dashboard["offers"]["stale"]


def assert_less(seen: Seen, column: str, told: Told, code: str) -> None:
    """Some items are there, and one error has the code."""
    items, good = _items(told, column), _items(seen.good, column)
    assert told.codes(_section(column)) == [code], column
    assert items
    assert len(items) < len(good)
    assert all(item in good for item in items)


def _section(column: str) -> str:
    return "offers" if column in {"personal", "promotions"} else column


def _items(told: Told, column: str) -> list[Any]:
    section = told.dashboard[_section(column)]
    nodes: list[Any] = section["nodes"] if section else []
    if column == "personal":
        return [node for node in nodes if node["kind"] == "PERSONAL"]
    return [node for node in nodes if node["kind"] != "PERSONAL"] if column == "promotions" else nodes


def shown(told: Told, column: str) -> Any:
    """What stands in a column but for its age; None where it is missing."""
    if _section(column) == "offers":
        return _items(told, column) or None
    section = told.dashboard[column]
    if section is None:
        return None
    return {name: shown for name, shown in section.items() if name not in {"asOf", "stale"}}


def _contents(told: Told) -> dict[str, Any]:
    """All but the ages."""
    return {
        section: {name: shown for name, shown in told.dashboard[section].items() if name not in {"asOf", "stale"}}
        for section in SECTIONS
    }
