"""A back office that fails costs its own sections, with the right code, and nothing else."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from bff.demo.faults import Failure
from bff.demo.launch import DemoOffice, DemoOffices, OfficeName, demo_office
from tests.http.conftest import SHORT_MS, cold_cabinet
from tests.http.front import Front, codes
from tests.patience import OFFICES

SECTIONS = {"profile", "lastOrder", "bonuses", "favorites", "offers"}

CODES: dict[Failure, str] = {
    "refuse": "UNAVAILABLE",
    "hang": "TIMEOUT",
    "500": "UPSTREAM",
    "malformed": "BAD_REPLY",
    "fault": "UPSTREAM",
    "wrong_owner": "INTEGRITY",
}

LOST = {"erp": {"profile", "lastOrder"}, "loyalty": {"bonuses"}, "cms": {"favorites"}}
"""Sections that are null while an office is away; offers have a second one that serves them."""


def office_of(offices: DemoOffices, name: str) -> DemoOffice:
    office: DemoOffice = getattr(offices, name)
    return office


def until_well(front: Front) -> bool:
    """Ask until nothing fails: breakers let a probe through after a while."""
    return any("errors" not in front.ask() for _ in range(2_000))


def lost_sections(answer: dict[str, Any]) -> set[str]:
    return {name for name, section in answer["data"]["dashboard"].items() if section is None}


@pytest.mark.parametrize("name", OFFICES)
@pytest.mark.parametrize("fail", list(CODES))
def test_one_back_office_fails(
    offices: DemoOffices, name: str, fail: Failure, capsys: pytest.CaptureFixture[str]
) -> None:
    office_of(offices, name).faults(fail=fail)
    with cold_cabinet(offices, hung=[name] if fail == "hang" else []) as front:
        answer = front.ask()
    assert lost_sections(answer) == LOST[name]
    found = codes(answer)
    assert {path: code for path, code in found.items() if path.count(".") == 1 and "offers" not in path} == {
        f"dashboard.{section}": CODES[fail] for section in LOST[name]
    }
    if name != "erp":
        # The other office's offers are there, and one error beside them says that some are not. (The demo CMS has
        # nothing of anybody's to mix up among its promotions.)
        assert answer["data"]["dashboard"]["offers"]["nodes"]
        if (name, fail) != ("cms", "wrong_owner"):
            assert found["dashboard.offers"] == CODES[fail]
    said = str(answer) + "".join(capsys.readouterr())
    assert "Неизвестная ошибка" not in said
    assert "Модуль" not in said


@pytest.mark.parametrize("name", OFFICES)
def test_after_the_trouble_all_is_well_again(offices: DemoOffices, name: str) -> None:
    with cold_cabinet(offices, hung=[name]) as front:
        for fail in CODES:
            office_of(offices, name).faults(fail=fail)
            front.ask()
        office_of(offices, name).faults()
        assert until_well(front)


@pytest.mark.parametrize("whose", ["the back offices'", "the request's"])
def test_all_back_offices_hang_and_the_answer_comes(offices: DemoOffices, whose: str) -> None:
    for office in offices:
        office.faults(fail="hang")
    limits: dict[str, Any] = {"hung": OFFICES} if whose == "the back offices'" else {"dashboard_ms": SHORT_MS}
    with cold_cabinet(offices, **limits) as front:
        answer = front.ask()
    assert lost_sections(answer) == SECTIONS
    assert set(codes(answer).values()) == {"TIMEOUT"}


def test_hung_calls_of_many_customers_leave_the_pools_usable(offices: DemoOffices) -> None:
    for office in offices:
        office.faults(fail="hang")
    # The request's time is over before all had a turn at the pools.
    with cold_cabinet(offices, hung=OFFICES, dashboard_ms=SHORT_MS * 3 // 2) as front, ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda number: front.ask(customer=f"c-{number}"), range(1100, 1120)))
        assert all(lost_sections(answer) == SECTIONS for answer in answers)
        for office in offices:
            office.faults()
        assert until_well(front)


def test_one_operation_fails_and_its_own_section_alone(offices: DemoOffices) -> None:
    offices.erp.faults(fail="500", operation="ПолучитьПоследниеЗаказы")
    offices.loyalty.faults(fail="500", operation="bonus_burn_soon")
    with cold_cabinet(offices) as front:
        answer = front.ask()
    assert codes(answer) == {"dashboard.lastOrder": "UPSTREAM", "dashboard.bonuses": "UPSTREAM"}
    assert lost_sections(answer) == {"lastOrder", "bonuses"}


def test_products_away_cost_the_favorites_and_not_the_order(offices: DemoOffices) -> None:
    offices.cms.faults(fail="500", operation="products")
    with cold_cabinet(offices) as front:
        answer = front.ask()
    assert lost_sections(answer) == {"favorites"}
    lines = answer["data"]["dashboard"]["lastOrder"]["lines"]
    assert lines
    assert all(line["name"] and line["product"] is None for line in lines)


def test_a_hung_erp_does_not_take_favorites_with_it(offices: DemoOffices) -> None:
    offices.erp.faults(fail="hang")
    with cold_cabinet(offices, hung=["erp"]) as front:
        answer = front.ask()
    assert answer["data"]["dashboard"]["favorites"]["nodes"]


@pytest.mark.parametrize("name", OFFICES)
def test_killed_in_the_middle_of_a_request(offices: DemoOffices, name: OfficeName) -> None:
    with (
        demo_office(name) as victim,
        cold_cabinet([*offices, victim]) as front,
        ThreadPoolExecutor(1) as pool,
    ):
        assert "errors" not in front.ask()
        victim.faults(fail="hang")
        victim.reset()
        asked = pool.submit(front.ask)
        while not victim.calls():
            assert not asked.done()
        victim.kill()
        answer = asked.result()
        assert lost_sections(answer) == LOST[name]
        assert {code for path, code in codes(answer).items() if path.count(".") == 1} == {"UNAVAILABLE"}
        # Nobody listens there any more, and then a new one does.
        assert lost_sections(front.ask()) == LOST[name]
        with demo_office(name, port=victim.port):
            assert "errors" not in front.ask()
