"""Two cabinets on one Redis, under a small steady load, while Redis is killed, hung, emptied and filled."""

import hashlib
import hmac
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import cycle
from threading import Event
from typing import Any

import httpx2
import pytest

from bff.sources import Read
from tests.patience import patient, until
from tests.resilience.cabinets import Places
from tests.resilience.faults import Hang
from tests.resilience.hostile import HostileOffice
from tests.resilience.matrix import ORDERS, Service, Services, Told, Watch, services_before
from tests.sources.conftest import be_patient
from tests.sources.redis_server import RedisServer

SECRET = "the ERP's secret for its webhooks, long enough"
CUSTOMERS = ("c-1001", "c-1003", "c-1004", "c-1005")


@pytest.fixture
def services(places: Places, stopping: ThreadPoolExecutor) -> Iterator[Services]:
    with services_before(places, stopping) as services:
        yield services


@pytest.fixture
def redis() -> Iterator[RedisServer]:
    with RedisServer() as server:
        yield server


MakeTwo = Callable[..., tuple[Service, Service]]


@pytest.fixture
def make_two(services: Services, redis: RedisServer, monkeypatch: pytest.MonkeyPatch) -> MakeTwo:
    """Makes two cabinets that share what they keep, and a clock. Where Redis `hangs`, they wait for it less long."""

    def make(*, hangs: bool = False) -> tuple[Service, Service]:
        if not hangs:
            # A machine that does other things, too, is no Redis that hangs.
            be_patient(monkeypatch)
        watch = Watch()
        settings = patient(
            cache={"redis_url": redis.url, "redis_limit_ms": 2_000 if hangs else 5_000},
            back_offices={"erp": {"hook_secret": SECRET}},
        )
        return services.start(watch, settings=settings), services.start(watch, settings=settings)

    return make


def calls(office: HostileOffice) -> dict[str, int]:
    """By operation; without farewells of cabinets that other tests have had."""
    return {operation: number for operation, number in office.calls.items() if operation}


class Load:
    """What some threads have been told so far."""

    def __init__(self) -> None:
        self.told: list[Told] = []
        self.over = Event()

    def ask(self, service: Service) -> None:
        """Ask for one customer after the other until it is over."""
        for customer in cycle(CUSTOMERS):
            if self.over.is_set():
                return
            self.told.append(service.ask(customer))
            self.over.wait(0.01)

    def go_on(self, questions: int = 24) -> None:
        """Wait until so many more have been answered."""
        enough = len(self.told) + questions
        until(lambda: len(self.told) >= enough or self.over.is_set())


@contextmanager
def load_on(cabinets: tuple[Service, Service]) -> Iterator[Load]:
    load = Load()
    with ThreadPoolExecutor(4) as pool:
        asking = [pool.submit(load.ask, service) for service in cabinets * 2]
        try:
            yield load
        finally:
            load.over.set()
    for each in asking:
        each.result()


DISASTERS: dict[str, tuple[Callable[[RedisServer], None], Callable[[RedisServer], Any]]] = {
    "killed": (RedisServer.kill, RedisServer.start),
    "hung": (RedisServer.stop, RedisServer.cont),
    "emptied": (RedisServer.flush, lambda _: None),
    "full": (RedisServer.fill, RedisServer.empty),
}


@pytest.mark.parametrize("disaster", DISASTERS)
def test_no_dashboard_fails(
    disaster: str, make_two: MakeTwo, redis: RedisServer, capfd: pytest.CaptureFixture[str]
) -> None:
    cabinets = make_two(hangs=disaster == "hung")
    watch = cabinets[0].watch
    for customer in CUSTOMERS:
        for cabinet in cabinets:
            cabinet.ask(customer)
    strike, mend = DISASTERS[disaster]
    capfd.readouterr()
    with load_on(cabinets) as load:
        load.go_on()
        strike(redis)
        load.go_on()
        # Everything goes old, so that back offices are asked and answers are kept, with Redis away.
        watch.seconds += 2_000
        load.go_on()
        mend(redis)
        load.go_on()
        watch.seconds += 2_000
        load.go_on()
    assert [told.body["errors"] for told in load.told if "errors" in told.body] == []
    assert not any(told.dashboard[name]["stale"] for told in load.told for name in ("profile", "favorites", "offers"))
    # An empty Redis is as good as any; of the others it was noticed.
    assert ("redis failing" in "".join(capfd.readouterr())) == (disaster != "emptied")


def test_what_one_cabinet_drops_the_other_drops(places: Places, make_two: MakeTwo) -> None:
    one, other = make_two()
    one.until_fresh()
    bad = places["erp"].hostile
    bad.reset()
    assert other.ask().is_fresh
    assert not calls(bad), "what one has read the other need not read"
    body = b'{"customers": ["c-1001"], "sections": ["orders"]}'
    timestamp = str(int(one.watch().timestamp()))
    signature = hmac.new(SECRET.encode(), timestamp.encode() + b"." + body, hashlib.sha256).hexdigest()
    headers = {"X-Kabinet-Timestamp": timestamp, "X-Kabinet-Signature": f"sha256={signature}"}
    assert httpx2.post(f"{one.address}/hooks/erp", content=body, headers=headers, timeout=20).status_code == 204

    until(lambda: other.ask().is_fresh and bool(calls(bad)))
    assert one.ask().is_fresh
    assert calls(bad) == {ORDERS: 1}


def test_one_refresh_for_one_expiry(places: Places, make_two: MakeTwo) -> None:
    one, other = make_two()
    one.until_fresh()
    other.until_fresh()
    bad = places["erp"].hostile
    bad.reset()
    # Everybody asks before the first answer comes.
    places["erp"].proxy.set(Hang(delivers=True))
    one.watch.seconds = 45
    with ThreadPoolExecutor(8) as pool:
        told = list(pool.map(lambda service: service.ask(), (one, other) * 8))
    assert all(each.dashboard["lastOrder"]["stale"] for each in told)

    reads = [read for service in (one, other) for read in service.cabinet.sources.made if isinstance(read, Read)]
    until(lambda: bad.calls[ORDERS] > 0)
    places["erp"].proxy.heal()
    until(lambda: not any(read._refreshing for read in reads))
    assert one.ask().dashboard["lastOrder"]["stale"] is False
    assert other.ask().dashboard["lastOrder"]["stale"] is False
    assert bad.calls[ORDERS] == 1
