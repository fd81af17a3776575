"""Back offices say what has changed, over real sockets: what is kept of it goes, and nothing else does."""

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta

import pytest

from bff.app import assemble
from bff.demo.launch import DemoOffices
from bff.demo.run import demo_settings, serving
from bff.schema.ids import local_id
from tests.http.front import Front
from tests.http.hooks import ERP_SECRET, GOOD, WARM, Door, Time, refused, signature
from tests.patience import until


@dataclass(frozen=True)
class Cabinet:
    """A cabinet that keeps everything, and its two doors."""

    front: Front
    door: Door
    time: Time


@pytest.fixture
def cabinet(offices: DemoOffices) -> Iterator[Cabinet]:
    """A cabinet that has everything of two customers, and back offices that nobody has called since."""
    time = Time()
    loaded = demo_settings(offices, over=WARM, dashboard_ms=20_000)
    with serving(assemble(loaded, clock=time)) as address:
        front = Front(address)
        for customer in ("c-1001", "c-1003"):
            front.data(customer=customer)
        for office in offices:
            office.reset()
        yield Cabinet(front, Door(address, time), time)


def calls(offices: DemoOffices) -> Counter[str]:
    return sum((office.calls() for office in offices), Counter[str]())


EVERY_SECTION: dict[str, set[str]] = {
    "profile": {"ПолучитьКлиентов"},
    "orders": {"ПолучитьПоследниеЗаказы"},
    "bonuses": {"accounts", "bonus_waiting_activation", "bonus_burn_soon"},
    "favorites": {"favorites"},
    "offers": {"customers"},
}
"""The calls behind what is one customer's."""


@pytest.mark.parametrize("section", EVERY_SECTION)
def test_a_customers_section_is_asked_for_anew(cabinet: Cabinet, offices: DemoOffices, section: str) -> None:
    cabinet.door.say(customers=["c-1001"], sections=[section])
    cabinet.front.data(customer="c-1003")
    assert calls(offices) == Counter()
    cabinet.front.data()
    assert calls(offices) == Counter(dict.fromkeys(EVERY_SECTION[section], 1))
    cabinet.front.data()
    assert calls(offices) == Counter(dict.fromkeys(EVERY_SECTION[section], 1))


def test_customers_alone_mean_all_that_is_theirs(cabinet: Cabinet, offices: DemoOffices) -> None:
    cabinet.door.say("cms", customers=["c-1001", "c-9999"])
    cabinet.front.data(customer="c-1003")
    assert calls(offices) == Counter()
    cabinet.front.data()
    assert calls(offices) == Counter(dict.fromkeys(set().union(*EVERY_SECTION.values()), 1))


def test_a_shared_section_is_asked_for_anew_once(cabinet: Cabinet, offices: DemoOffices) -> None:
    cabinet.door.say(sections=["offers"])
    cabinet.front.data()
    cabinet.front.data(customer="c-1003")
    assert calls(offices) == Counter({"promotions": 1})


def test_products_go_one_by_one_or_all(cabinet: Cabinet, offices: DemoOffices) -> None:
    query = "{ dashboard { favorites(first: 2) { nodes { id } } } }"
    cabinet.door.say(sections=["products"])
    cabinet.front.data(query)
    assert calls(offices) == Counter({"products": 1})
    cabinet.front.data()
    offices.cms.reset()
    cabinet.door.say(products=["no-such-product"])
    cabinet.front.data()
    assert calls(offices) == Counter()


def test_a_named_product_goes(cabinet: Cabinet, offices: DemoOffices) -> None:
    favorites = cabinet.front.data("{ dashboard { favorites(first: 1) { nodes { id } } } }")["dashboard"]["favorites"]
    cabinet.door.say(products=[local_id(favorites["nodes"][0]["id"], "Product")])
    cabinet.front.data()
    assert calls(offices) == Counter({"products": 1})


def test_raw_tags_go_as_they_are(cabinet: Cabinet, offices: DemoOffices) -> None:
    cabinet.door.say(tags=["favorites:c-1001", "offers"])
    cabinet.front.data()
    assert calls(offices) == Counter({"favorites": 1, "promotions": 1})


@pytest.mark.parametrize("named", [{"customers": ["c-1001"], "sections": ["favorites"]}, {"customers": ["c-1001"]}])
def test_a_read_under_way_does_not_put_the_old_value_back(
    cabinet: Cabinet, offices: DemoOffices, named: dict[str, list[str]]
) -> None:
    query, in_time = "{ dashboard { favorites { totalCount } } }", False
    for latency_ms in (300, 3_000):
        cabinet.door.say(**named)
        offices.cms.faults(latency_ms=latency_ms, operation="favorites")
        offices.cms.reset()
        with ThreadPoolExecutor(1) as pool:
            asked = pool.submit(cabinet.front.data, query)
            until(offices.cms.calls)
            cabinet.door.say(**named)
            in_time = not asked.done()
            asked.result()
        if in_time:
            break
    assert in_time, "the hook came after the read both times: there was nothing to see"
    offices.cms.faults()
    assert calls(offices) == Counter({"favorites": 1})
    cabinet.front.data(query)
    assert calls(offices) == Counter({"favorites": 2}), "what was read before the hook was kept"
    cabinet.front.data(query)
    assert calls(offices) == Counter({"favorites": 2})


def test_what_is_refused_drops_nothing(cabinet: Cabinet, offices: DemoOffices) -> None:
    assert cabinet.door.post(GOOD, signature="sha256=" + "0" * 64).status_code == 401
    assert cabinet.door.post(b'{"customers": ["c-1001"], "sections": ["nonsense"]}').status_code == 400
    cabinet.front.data()
    assert calls(offices) == Counter()


def test_a_replay_is_refused_for_as_long_as_its_signature_is_good(cabinet: Cabinet, offices: DemoOffices) -> None:
    door = cabinet.door
    timestamp = str(int(door.time.now.timestamp()) + 299)
    assert door.post(GOOD, timestamp=timestamp).status_code == 204
    cabinet.front.data()
    offices.cms.reset()
    for seconds in (0, 1, 299, 298, 1, 1):
        door.time.now += timedelta(seconds=seconds)
        assert refused(door.post(GOOD, timestamp=timestamp)) == (401, "UNAUTHENTICATED")
    shouted = signature(ERP_SECRET, timestamp, GOOD).upper().replace("SHA", "sha")
    assert refused(door.post(GOOD, timestamp=timestamp, signature=shouted)) == (401, "UNAUTHENTICATED")
    cabinet.front.data()
    assert calls(offices) == Counter()


def test_without_a_cache_there_is_nothing_to_drop(offices: DemoOffices) -> None:
    time = Time()
    loaded = demo_settings(offices, over={**WARM, "cache": {"enabled": False}})
    with serving(assemble(loaded, clock=time)) as address:
        door = Door(address, time)
        door.say(customers=["c-1001"])
        assert door.post(GOOD, signature="sha256=" + "0" * 64).status_code == 401
