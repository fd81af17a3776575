"""What the matrix's last column says of calls, and the lines below the matrix; see `test_matrix` for its cells."""

import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from bff.demo.launch import DemoOffice, demo_office
from bff.http import HttpClient
from bff.sources import Cache
from tests.patience import PATIENCE_SECONDS, patient, until
from tests.resilience.cabinets import Places
from tests.resilience.fault_proxy import Flapping
from tests.resilience.faults import Hang, Refuse, Reset
from tests.resilience.hostilities import Hostility
from tests.resilience.matrix import (
    AFTERWARDS,
    AT_LAST,
    HANGS,
    IS_A_BLACK_HOLE,
    LATER,
    MOMENTS,
    ORDERS,
    PROFILES,
    SECTIONS,
    SOON,
    Service,
    Services,
    Told,
    Watch,
    services_before,
    shown,
)
from tests.resilience.matrix_rows import COLUMNS, OFFICE_OF, ROWS, Row

PROFILE = "{ dashboard { profile { displayName } } }"
ORDER = "{ dashboard { lastOrder { number asOf stale } } }"
FAVORITES = "{ dashboard { favorites { totalCount } } }"

NEVER = {"breaker_least_calls": 1_000, "breaker_window_seconds": 600}
"""A guard whose breaker does not open."""


@pytest.fixture
def services(places: Places, stopping: ThreadPoolExecutor) -> Iterator[Services]:
    with services_before(places, stopping) as services:
        yield services


@pytest.fixture
def attempts(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """By back office, the calls that the cabinet has begun, wherever they end."""
    counted: Counter[str] = Counter()
    request = HttpClient.request

    async def counting(client: HttpClient, *arguments: Any, **named: Any) -> Any:
        # Other tests' cabinets are stopped behind this one's back: their farewells to 1C are no calls of ours.
        if (named.get("headers") or {}).get("IBSession") != "finish":
            counted[client._back_office] += 1
        return await request(client, *arguments, **named)

    monkeypatch.setattr(HttpClient, "request", counting)
    return counted


@pytest.fixture
def tight_erp() -> Iterator[DemoOffice]:
    """
    A 1C of our own, with as many sessions as the cabinet may use and no more, whose calls take their time.

    Each test's own: farewells of another's cabinet, which is stopped behind its back, would count as calls in flight.
    """
    with demo_office("erp", options={"pool": 4, "call_ms": 100}) as office:
        yield office


def tight(office: DemoOffice, **guard: Any) -> dict[str, Any]:
    """Settings of a cabinet before it."""
    table = {"address": office.service, "pool": 4, "batch": 4, "guard": {"breaker_open_seconds": 0.05, **guard}}
    return patient(back_offices={"erp": table})


def at_once(
    ask: Callable[[str], Told], customers: list[str], *, then: Callable[[], object] = lambda: None
) -> dict[str, Told]:
    """Everybody asks at the same time; while they wait, something is done."""
    with ThreadPoolExecutor(len(customers)) as pool:
        answers = [pool.submit(ask, customer) for customer in customers]
        then()
        return {customer: answer.result() for customer, answer in zip(customers, answers, strict=True)}


def asked_for(service: Service, back_office: str) -> int:
    """Keys that wait for a back office, or are under way there."""
    [slots] = [slots for slots in service.cabinet.sources.slots if slots.back_office == back_office]
    return slots.waiting + slots.under_way


def customers(count: int) -> list[str]:
    return [f"c-{number}" for number in range(1001, 1001 + count)]


OUTAGES = [row for row in ROWS if row.specified == "SSBSSS" and row.code != "BUSY" and not row.tls]
INTEGRITY = [row for row in ROWS if row.name == "another customer's data"]


@pytest.mark.parametrize("row", [*OUTAGES, *INTEGRITY], ids=lambda row: row.name)
def test_a_breaker_opens(row: Row, services: Services, attempts: Counter[str]) -> None:
    office = "cms" if row.cell("favorites") != "-" else "erp"
    place = services.places[office]
    table: dict[str, Any] = {"guard": {"breaker_open_seconds": 600, "breaker_window_seconds": 600}}
    if row.address:
        table["address"] = row.address
    if row.code == "TIMEOUT":
        table |= {**HANGS, "timeout_ms": 50}
    if row.name == "black hole":
        table |= {**IS_A_BLACK_HOLE, "connect_timeout_ms": 50}
    service = services.start(settings=patient(back_offices={office: table}))
    place.hostile.reset()
    row.put(place)
    for _ in range(5):
        service.ask()
    if row in INTEGRITY:
        assert place.hostile.calls["favorites"] == 1
    begun = attempts[office]
    assert begun
    columns = [column for column in row.columns(office) if row.cell(column) in "SE"]
    for healed in (False, True):
        if healed:
            place.reset()
        told = service.ask()
        for column in columns:
            assert shown(told, column) is None
            section = "offers" if column == "promotions" else column
            assert told.codes(section) == [row.code_of(column)]
    assert attempts[office] == begun


def test_a_business_fault_leaves_the_breaker_unmoved(places: Places, services: Services) -> None:
    service = services.start()
    bad = places["erp"].hostile
    bad.set(Hostility.BUSINESS_FAULT)
    for _ in range(12):
        assert service.ask(query=PROFILE).codes("profile") == ["NOT_FOUND"]
    assert bad.calls[PROFILES] == 12


ASKED = 30


@pytest.mark.parametrize(("hostility", "retries"), [(Hostility.HTML_502, 4), (Hostility.HTML_200, 0)])
def test_retries_stay_within_their_budget(
    hostility: Hostility, retries: int, places: Places, services: Services
) -> None:
    service = services.start(settings=patient(back_offices={"erp": {"guard": NEVER}}))
    bad = places["erp"].hostile
    bad.set(hostility)
    for _ in range(ASKED):
        before = bad.calls[PROFILES]
        assert service.ask(query=PROFILE).codes("profile")
        assert bad.calls[PROFILES] - before <= 2
    # A retry to begin with, and one for ten calls.
    assert ASKED + min(retries, 1) <= bad.calls[PROFILES] <= ASKED + retries


def test_retry_after_is_obeyed(places: Places, services: Services) -> None:
    bad = places["cms"].hostile
    give_up = time.monotonic() + PATIENCE_SECONDS
    while True:
        service = services.start()
        bad.reset()
        bad.set(Hostility.BUSY_503)
        start = time.monotonic()
        told = [service.ask(query=FAVORITES) for _ in range(3)]
        called = bad.calls["favorites"]
        if time.monotonic() - start < 1.0:
            break
        assert time.monotonic() < give_up, "three questions always took a second: there was nothing to see"
    assert called == 1
    assert [each.codes("favorites") for each in told] == [["BUSY"]] * 3
    bad.heal()
    service.until_fresh()


@pytest.mark.parametrize("hostility", [Hostility.SESSION_400, Hostility.SESSION_406], ids=lambda each: each.name)
def test_a_lost_session_costs_one_call_more(hostility: Hostility, places: Places, services: Services) -> None:
    # Of whoever lost it: 1C's sessions serve a call at a time, and each slot has its own.
    service = services.start()
    bad = places["erp"].hostile
    bad.set(hostility, times=1)
    assert service.ask().is_fresh
    assert {operation: bad.calls[operation] for operation in (PROFILES, ORDERS)} == {PROFILES: 2, ORDERS: 2}


def test_calls_in_flight_stay_under_the_limit(tight_erp: DemoOffice, services: Services) -> None:
    service = services.start(settings=tight(tight_erp))
    tight_erp.reset()
    told = at_once(service.ask, customers(30))
    assert all("errors" not in each.body for each in told.values())
    assert 1 < tight_erp.stats()["most_in_flight"] <= 4


def test_a_cold_cache_under_ten_times_the_load(tight_erp: DemoOffice, services: Services) -> None:
    service = services.start(settings=tight(tight_erp, queue=8))
    tight_erp.reset()
    # So slow that nearly everybody has asked before the first is answered.
    tight_erp.faults(latency_ms=1_000)
    told = at_once(service.ask, customers(60))
    tight_erp.faults()
    codes = Counter(code for each in told.values() for section in SECTIONS for code in each.codes(section))
    assert set(codes) == {"BUSY"}
    assert all(each.dashboard[section] is not None for each in told.values() for section in ("favorites", "offers"))
    # A key of each of the four calls, and the queue's.
    assert sum(not each.codes(section) for each in told.values() for section in ("profile", "lastOrder")) >= 4 + 8
    assert tight_erp.stats()["most_in_flight"] <= 4
    for customer in customers(60)[::7]:
        assert "errors" not in service.ask(customer).body


def test_pools_recover_after_hanging(places: Places, services: Services) -> None:
    service = services.start(settings=patient(back_offices={key: {**HANGS, "pool": 2} for key in places}))
    for place in places.values():
        place.proxy.set(Hang())
    for told in at_once(service.ask, customers(12)).values():
        assert {code for section in SECTIONS for code in told.codes(section)} == {"TIMEOUT"}
    for place in places.values():
        place.proxy.heal()
    service.until_fresh()
    slots = service.cabinet.sources.slots
    assert [(each.free, each.waiting, each.under_way) for each in slots] == [(2, 0, 0)] * 3


GOOD_OR = {
    Hostility.REVERSED: None,
    Hostility.DUPLICATE: None,
    Hostility.MISSING_KEY: "NOT_FOUND",
    Hostility.WRONG_OWNER: "INTEGRITY",
    Hostility.STRANGER_BESIDE: "INTEGRITY",
}


@pytest.mark.parametrize("hostility", GOOD_OR, ids=lambda each: each.name)
def test_a_batch_is_matched_by_id(hostility: Hostility, places: Places, services: Services) -> None:
    reference = services.start()
    asked = {customer: reference.ask(customer) for customer in customers(16)}
    # Without an order there is nothing in the order's place that could be another's.
    good = {customer: told for customer, told in asked.items() if told.dashboard["lastOrder"]}
    service = services.start(settings=patient(back_offices={name: {"pool": 1} for name in places}))
    for place in places.values():
        place.hostile.reset()
        place.hostile.set(hostility)
        place.hostile.heal("promotions")
        place.hostile.heal("products")
        # While one call is under way the others' keys collect.
        place.proxy.set(Hang(delivers=True))

    def heal() -> None:
        # Of each customer 1C is asked for two things, and the CMS for one.
        until(lambda: asked_for(service, "erp") >= 2 * len(good) and asked_for(service, "cms") >= len(good))
        for place in places.values():
            place.proxy.heal()

    told = at_once(service.ask, list(good), then=heal)
    assert places["erp"].hostile.calls[PROFILES] < len(good)
    assert places["cms"].hostile.calls["favorites"] < len(good)
    code = GOOD_OR[hostility]
    for customer, each in told.items():
        for column in ("profile", "lastOrder", "favorites"):
            found = each.codes(column)
            if code is None or not found:
                assert found == []
                assert shown(each, column) == shown(good[customer], column)
            else:
                assert shown(each, column) is None
                assert found == [code]
    if hostility is Hostility.MISSING_KEY:
        # One of a call; the others' stand.
        missing = sum(bool(each.codes("profile")) for each in told.values())
        assert missing == places["erp"].hostile.calls[PROFILES]


def test_up_and_down_by_turns_costs_a_tenth_more_calls(places: Places, services: Services) -> None:
    watch = Watch()
    service = services.start(watch, settings=patient(back_offices={"erp": {"guard": NEVER}}))
    service.until_fresh()
    seconds = 0.0
    flapping = Flapping(
        places["erp"].proxy,
        up_seconds=5,
        down_seconds=5,
        down=Reset(after_bytes=0),  # the back office has had the call, which is how it is counted
        clock=lambda: seconds,
    )
    bad = places["erp"].hostile
    bad.reset()
    seen = []
    for _ in range(40):
        # Old enough to be asked for anew each time, and never too old to be shown.
        watch.seconds += 100
        seconds += 2.5
        up = flapping.follow()
        told = service.ask(query=ORDER)
        assert told.codes("lastOrder") == []
        if up:
            assert not told.dashboard["lastOrder"]["stale"]
        seen.append(told.dashboard["lastOrder"]["stale"])
    assert set(seen) == {True, False}
    assert 40 <= bad.calls[ORDERS] <= 40 * 1.1 + 1


def test_an_expired_token_opens_nothing(
    places: Places, services: Services, attempts: Counter[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    watch = Watch()
    service = services.start(watch)
    service.until_fresh()
    looks: list[object] = []
    get = Cache.get

    async def looking(cache: Cache, wanted: Any) -> Any:
        looks.append(wanted)
        return await get(cache, wanted)

    monkeypatch.setattr(Cache, "get", looking)
    attempts.clear()
    watch.seconds = 20
    assert service.ask(lifetime=timedelta(hours=1)).is_fresh
    assert looks
    looks.clear()
    attempts.clear()
    watch.seconds = 3_700
    told = service.ask(lifetime=timedelta(hours=1))
    assert told.status == 401
    assert "data" not in told.body
    assert [error["extensions"]["code"] for error in told.body["errors"]] == ["UNAUTHENTICATED"]
    assert not looks
    assert not attempts


def test_everything_down_at_once(places: Places, services: Services) -> None:
    watch = Watch()
    service = services.start(watch)
    good = service.until_fresh()
    for place in places.values():
        place.proxy.set(Refuse())
    for watch.seconds in (SOON, LATER, AT_LAST):
        told = service.ask()
        assert told.status == 200
        for column in COLUMNS:
            section = "offers" if column in {"personal", "promotions"} else column
            allowed, too_old = MOMENTS[column]
            if watch.seconds < too_old:
                assert shown(told, column) == shown(good, column)
                assert told.codes(section) == []
                assert told.dashboard[section]["stale"] == (watch.seconds >= allowed)
            else:
                assert told.dashboard[section] is None
                assert told.codes(section) == ["UNAVAILABLE"]
    for place in places.values():
        place.proxy.heal()
    watch.seconds = AFTERWARDS
    healed = service.until_fresh()
    assert all(shown(healed, column) == shown(good, column) for column in OFFICE_OF)


def test_an_offer_is_not_shown_after_its_end_however_it_was_kept(places: Places, services: Services) -> None:
    day = ZoneInfo("Europe/Moscow")
    ends = sorted(
        node["endsOn"] for node in services.start().until_fresh().dashboard["offers"]["nodes"] if node["endsOn"]
    )
    evening = datetime.combine(date.fromisoformat(ends[0]), datetime.min.time(), day) + timedelta(hours=23)
    watch = Watch(evening.astimezone(UTC))
    service = services.start(watch)
    before = service.until_fresh().dashboard["offers"]["nodes"]
    assert ends[0] in {node["endsOn"] for node in before}
    places["cms"].proxy.set(Refuse())
    watch.seconds = 3_600
    told = service.ask()
    assert told.codes("offers") == []
    assert told.dashboard["offers"]["stale"]
    assert told.dashboard["offers"]["nodes"] == [node for node in before if node["endsOn"] != ends[0]]
