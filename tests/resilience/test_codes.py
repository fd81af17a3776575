"""
Today's service before every hostile answer and every fault of the network, once each, with nothing in any cache.

A fault hits one back office. Its section has the code of the matrix (`design/data-path.md`, first column); the sections
of the other back offices are as ever; nothing of a body is in the answer or the log; memory stays bounded.
"""

import asyncio
import re
import time
from pathlib import Path
from typing import Any

import pytest

from bff.http import HttpClients, HttpLimits
from tests.fakes.certificates import Authority
from tests.http.front import codes
from tests.patience import PATIENCE_SECONDS, until
from tests.resilience.cabinets import Places, StartCabinet
from tests.resilience.fault_proxy import fault_proxy
from tests.resilience.faults import (
    Bandwidth,
    BlackHole,
    Cut,
    Drip,
    Fault,
    ForeignCertificate,
    Hang,
    Latency,
    PlainBytes,
    Refuse,
    Reset,
)
from tests.resilience.hostile import applies
from tests.resilience.hostilities import CANARY, STRANGER, Hostility
from tests.resilience.matrix import HANGS, IS_A_BLACK_HOLE
from tests.resilience.traps import SECRET

OPERATIONS = {
    "ПолучитьКлиентов": ("erp", "profile"),
    "ПолучитьПоследниеЗаказы": ("erp", "lastOrder"),
    "accounts": ("loyalty", "bonuses"),
    "bonus_waiting_activation": ("loyalty", "bonuses"),
    "bonus_burn_soon": ("loyalty", "bonuses"),
    "customers": ("loyalty", "offers"),
    "favorites": ("cms", "favorites"),
    "products": ("cms", "favorites"),
    "promotions": ("cms", "offers"),
}
"""What the dashboard calls: the office, and the section that hangs on it."""

SECTIONS = {"erp": {"profile", "lastOrder"}, "loyalty": {"bonuses", "offers"}, "cms": {"favorites", "offers"}}
"""Sections that an office has a part in. Favorites' products and those of the order's lines are the CMS's, too."""

MAIN = {"erp": "ПолучитьПоследниеЗаказы", "loyalty": "accounts", "cms": "favorites"}
"""Of each office the operation that stands for all, where only HTTP and the parser matter."""

LONG_BEFORE_ITS_END_SECONDS = PATIENCE_SECONDS / 2
"""An answer within this time did not wait for the request's own to run out: the back office's limit ended it."""

MEGABYTE = 1_000_000
MOST_MEMORY = 20 * MEGABYTE
"""What one bad answer may cost (the matrix)."""

FRESH = "fresh"
"""As if nothing were wrong."""

LESS = "less"
"""Something may be missing, and nobody can know: no error."""

EXPECTED: dict[Hostility, str] = {
    Hostility.WRONG_OWNER: "INTEGRITY",
    Hostility.WRONG_INNER_OWNER: "INTEGRITY",
    Hostility.STRANGER_BESIDE: "INTEGRITY",
    # The last member counts, for whoever checks it and for whoever shows it.
    Hostility.DUPLICATE_MEMBERS: "INTEGRITY",
    Hostility.DUPLICATE: FRESH,
    # The matrix has this for bonuses only ("E if they differ"); the mapping refuses it for profiles and products, too.
    Hostility.DUPLICATE_DIFFERENT: "BAD_REPLY",
    Hostility.MISSING_KEY: "NOT_FOUND",
    Hostility.REVERSED: FRESH,
    Hostility.TEXT_FOR_NUMBER: "BAD_REPLY",
    # In JSON it costs the whole answer (RFC 8259 has no NaN), and not, as the matrix has it (P), one product or offer.
    Hostility.NAN: "BAD_REPLY",
    Hostility.DECIMAL_COMMA: "BAD_REPLY",
    Hostility.HUGE_NUMBER: "BAD_REPLY",
    Hostility.LIST_FOR_VALUE: "BAD_REPLY",
    Hostility.NULL_FOR_REQUIRED: "BAD_REPLY",
    Hostility.UNKNOWN_FIELDS: FRESH,
    Hostility.LONE_OBJECT: "BAD_REPLY",
    Hostility.EMPTY_BODY: "BAD_REPLY",
    Hostility.OTHER_DOCUMENT: "BAD_REPLY",
    Hostility.HTML_200: "BAD_REPLY",
    Hostility.TECHNICAL_FAULT_200: "UPSTREAM",
    Hostility.TECHNICAL_FAULT_500: "UPSTREAM",
    Hostility.BUSINESS_FAULT: "NOT_FOUND",
    Hostility.HTML_502: "UPSTREAM",
    Hostility.BUSY_503: "BUSY",
    Hostility.BUSY_429: "BUSY",
    Hostility.REFUSED_401: "UPSTREAM_AUTH",
    Hostility.REFUSED_403: "UPSTREAM_AUTH",
    # For good; `test_a_lost_session_is_replaced` has the matrix's own row.
    Hostility.SESSION_400: "UPSTREAM",
    Hostility.SESSION_406: "BUSY",
    Hostility.REDIRECT: "BAD_REPLY",
    Hostility.DTD: "BAD_REPLY",
    Hostility.ENTITY_FILE: "BAD_REPLY",
    Hostility.ENTITY_HTTP: "BAD_REPLY",
    Hostility.BILLION_LAUGHS: "BAD_REPLY",
    Hostility.LAUGHS_UTF16: "BAD_REPLY",
    Hostility.LAUGHS_LATE: "BAD_REPLY",
    Hostility.DEEP: "BAD_REPLY",
    Hostility.BOM: FRESH,
    Hostility.BAD_CHARSET: "BAD_REPLY",
    Hostility.DECLARED_CP1251: FRESH,
    Hostility.CUT_RIGHT_LENGTH: "BAD_REPLY",
    Hostility.CUT_WRONG_LENGTH: "BAD_REPLY",
    Hostility.LENGTH_TOO_SHORT: "BAD_REPLY",
    Hostility.LENGTH_TOO_LONG: "TIMEOUT",
    # The next four are no HTTP. The matrix has no row for that; its nearest are "malformed" and "cut short".
    Hostility.LENGTHS_DIFFER: "BAD_REPLY",
    Hostility.LENGTH_NOT_A_NUMBER: "BAD_REPLY",
    Hostility.ENDLESS_HEADERS: "BAD_REPLY",
    Hostility.HTTP_09: "BAD_REPLY",
    Hostility.CHUNKS_CUT: "BAD_REPLY",
    Hostility.CHUNKS_HANG: "TIMEOUT",
    Hostility.CHUNKS_BROKEN: "BAD_REPLY",
    Hostility.ENDLESS: "TOO_LARGE",
    Hostility.ENDLESS_CHUNKS: "TOO_LARGE",
    Hostility.GIGABYTE: "TOO_LARGE",
    Hostility.GZIP_10_MB: "TOO_LARGE",
    Hostility.GZIP_1_GB: "TOO_LARGE",
    Hostility.GZIP_BROKEN: "BAD_REPLY",
    Hostility.GZIP_TRAILED: "BAD_REPLY",
    Hostility.UNKNOWN_ENCODING: "BAD_REPLY",
    Hostility.LARGE_HEADER: "BAD_REPLY",
    Hostility.ENDLESS_INTERIM: "TIMEOUT",
}
"""The code of the section; all but `SECOND_ANSWER`, which has a test of its own."""

EXCEPTIONS: dict[tuple[Hostility, str], str] = {
    # By customer the last order counts, whatever came beside it, and lists become one list.
    (Hostility.DUPLICATE_DIFFERENT, "ПолучитьПоследниеЗаказы"): LESS,
    (Hostility.DUPLICATE_DIFFERENT, "favorites"): LESS,
    # The first of an id counts: promotions are nobody's.
    (Hostility.DUPLICATE_DIFFERENT, "promotions"): FRESH,
    # RetailCRM searched for the customer and found no account: not in the programme, which is no error. (The matrix
    # says E; it holds where the account was seen before, and there is no telling the two apart on the first call.)
    (Hostility.MISSING_KEY, "accounts"): LESS,
    # Nobody knows how many promotions there should be, nor in which order.
    (Hostility.MISSING_KEY, "promotions"): LESS,
    (Hostility.REVERSED, "promotions"): LESS,
    # The mapping language takes one object for a list of one.
    (Hostility.LONE_OBJECT, "favorites"): FRESH,
    (Hostility.LONE_OBJECT, "products"): "NOT_FOUND",
    (Hostility.LONE_OBJECT, "promotions"): LESS,
    # RetailCRM sends none, and its adapter's parser takes none.
    (Hostility.BOM, "accounts"): "BAD_REPLY",
    # The demo's mapping names no status field, as the demo CMS has none.
    (Hostility.TECHNICAL_FAULT_200, "favorites"): "BAD_REPLY",
}

OF_RECORDS = {each for each in Hostility if each.value <= Hostility.DUPLICATE_MEMBERS.value}
"""Those that hit a mapping in one place; the others are the same for every operation of an adapter."""

CASES = [
    pytest.param(hostility, operation, id=f"{hostility.name}-{operation}")
    for hostility in EXPECTED
    for operation, (office, _) in OPERATIONS.items()
    if applies(hostility, operation) and (hostility in OF_RECORDS or operation == MAIN[office])
]


def test_every_hostility_has_its_code() -> None:
    assert set(EXPECTED) == set(Hostility) - {Hostility.SECOND_ANSWER}


def section_codes(answer: dict[str, Any]) -> dict[str, set[str]]:
    """By section, its codes, or its items'."""
    found: dict[str, set[str]] = {}
    for path, code in codes(answer).items():
        found.setdefault(path.split(".")[1], set()).add(code)
    return found


def without_products(dashboard: dict[str, Any], sections: set[str]) -> dict[str, Any]:
    """Those sections, the CMS's products left out of the order's lines."""
    chosen = {section: dashboard[section] for section in sections}
    if order := chosen.get("lastOrder"):
        lines = [{**line, "product": None} for line in order["lines"]]
        chosen["lastOrder"] = {**order, "lines": lines}
    return chosen


def assert_others_fresh(answer: dict[str, Any], office: str, healthy: dict[str, Any]) -> None:
    others = set(healthy) - SECTIONS[office]
    dashboard = answer["data"]["dashboard"]
    if office == "cms":
        assert without_products(dashboard, others) == without_products(healthy, others)
    else:
        assert {section: dashboard[section] for section in others} == {section: healthy[section] for section in others}
        assert not set(section_codes(answer)) & others


def assert_outcome(answer: dict[str, Any], operation: str, expected: str, healthy: dict[str, Any]) -> None:
    _, section = OPERATIONS[operation]
    if operation == "products" and expected not in {FRESH, LESS}:
        # Which of the products is spoilt is the batch's chance: a favorite, one of the order's lines, or both.
        assert set(codes(answer).values()) == {expected}
        return
    shown, found = answer["data"]["dashboard"][section], section_codes(answer).get(section, set())
    if expected in {FRESH, LESS}:
        assert not found
        assert shown == healthy[section] or expected == LESS
        return
    assert found == {expected}
    if section == "offers":
        # Another office has some, too.
        assert shown["nodes"]
        assert {node["id"] for node in shown["nodes"]} < {node["id"] for node in healthy[section]["nodes"]}
    elif shown is not None:
        # P: the good items, and one error for the bad.
        assert section == "favorites"
        assert shown["nodes"]
        assert shown["nodes"] != healthy[section]["nodes"]


def peak() -> int:
    """The most memory this process has had, in bytes, since it was last reset."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert found is not None
    return int(found[1]) * 1_024


def reset_peak() -> int:
    """Begin anew; gives the bytes of now."""
    Path("/proc/self/clear_refs").write_text("5")
    return peak()


@pytest.mark.parametrize(("hostility", "operation"), CASES)
def test_hostile_answers(  # noqa: PLR0917 - fixtures, and two of them pytest's own
    hostility: Hostility,
    operation: str,
    places: Places,
    start_cabinet: StartCabinet,
    healthy: dict[str, Any],
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    office, _ = OPERATIONS[operation]
    expected = EXCEPTIONS.get((hostility, operation), EXPECTED[hostility])
    bad = places[office].hostile
    bad.set(hostility, operation=operation)
    front = start_cabinet(back_offices={office: HANGS} if expected == "TIMEOUT" else {})
    before = reset_peak()
    answer = front.ask()
    used = peak() - before

    until(lambda: bad.spoilt[operation] >= 1)
    assert_outcome(answer, operation, expected, healthy)
    assert_others_fresh(answer, office, healthy)
    assert used < MOST_MEMORY
    # (An endless answer is closed; its server, we, both proxies and the kernel have buffers.)
    assert bad.sent[operation] < 40 * MEGABYTE
    said = "".join(capfd.readouterr()) + caplog.text + (str(answer) if expected not in {FRESH, LESS} else "")
    for foreign in (CANARY, STRANGER, SECRET, "Неизвестная ошибка", "Сеанс отсутствует"):
        assert foreign not in said
    assert not bad.traps.visits
    assert not bad.traps.file_reads


@pytest.mark.parametrize("hostility", [Hostility.SESSION_400, Hostility.SESSION_406], ids=lambda each: each.name)
def test_a_lost_session_is_replaced(
    hostility: Hostility, places: Places, start_cabinet: StartCabinet, healthy: dict[str, Any]
) -> None:
    front = start_cabinet()
    places["erp"].hostile.set(hostility, operation=MAIN["erp"], times=1)
    answer = front.ask()
    assert "errors" not in answer
    assert answer["data"]["dashboard"] == healthy
    assert places["erp"].hostile.spoilt[MAIN["erp"]] == 1


def test_an_unasked_answer_is_nobodys(places: Places) -> None:
    bad = places["cms"].hostile
    bad.set(Hostility.SECOND_ANSWER, operation="favorites")

    async def ask_twice() -> list[bytes]:
        limits = HttpLimits(connections=1, total_seconds=PATIENCE_SECONDS, connect_seconds=PATIENCE_SECONDS)
        client = HttpClients().open("cms", bad.address, limits, headers={"Authorization": "Bearer demo"})
        try:
            return [
                (await client.request("GET", path)).body
                for path in ("/api/favorites?customer_ids=c-1001", "/api/promotions")
            ]
        finally:
            await client.close()

    assert CANARY.encode() not in b"".join(asyncio.run(ask_twice()))


FAULTS: dict[str, tuple[Fault, str]] = {
    "black hole": (BlackHole(), "UNAVAILABLE"),
    "refused": (Refuse(), "UNAVAILABLE"),
    "hang": (Hang(), "TIMEOUT"),
    "hang behind the request": (Hang(delivers=True), "TIMEOUT"),
    "ten times slower": (Latency(2_000), "TIMEOUT"),
    "drip": (Drip(5), "TIMEOUT"),
    "thin line": (Bandwidth(400), "TIMEOUT"),
    "reset": (Reset(), "UNAVAILABLE"),
    "reset before the answer": (Reset(after_bytes=0), "UNAVAILABLE"),
    "reset in its head": (Reset(after_bytes=30), "UNAVAILABLE"),
    # The demo's heads have 100 to 170 bytes, and the shortest answer more than 200.
    "reset in its body": (Reset(after_bytes=200), "BAD_REPLY"),
    "cut in its head": (Cut(after_bytes=30), "UNAVAILABLE"),
    "cut in its body": (Cut(after_bytes=200), "BAD_REPLY"),
}
"""The fault, and the code."""


@pytest.mark.parametrize("connected", [False, True], ids=["new", "open"])
@pytest.mark.parametrize("office", ["erp", "loyalty", "cms"])
@pytest.mark.parametrize("fault", list(FAULTS))
def test_faults_of_the_network(  # noqa: PLR0917 - fixtures
    fault: str, office: str, connected: bool, places: Places, start_cabinet: StartCabinet, healthy: dict[str, Any]
) -> None:
    broken, code = FAULTS[fault]
    if connected and fault == "black hole":
        # Who has a connection cannot know that it leads nowhere: it looks like a back office that hangs.
        code = "TIMEOUT"
    limits = HANGS if code == "TIMEOUT" else IS_A_BLACK_HOLE if fault == "black hole" else {}
    front = start_cabinet(back_offices={office: limits})
    if connected:
        # Another customer's request, so that nothing of this one's is in any memory.
        until(lambda: "errors" not in front.ask(customer="c-1003"))
    places[office].proxy.set(broken)
    start = time.monotonic()
    answer = front.ask()
    took = time.monotonic() - start
    own = SECTIONS[office] - {"offers"}
    assert {section: section_codes(answer).get(section) for section in own} == {key: {code} for key in own}
    assert all(answer["data"]["dashboard"][section] is None for section in own)
    assert_others_fresh(answer, office, healthy)
    assert took < LONG_BEFORE_ITS_END_SECONDS


@pytest.mark.parametrize("fault", [ForeignCertificate(), PlainBytes()], ids=["certificate of nobody", "plain bytes"])
def test_faults_of_tls(
    fault: Fault, places: Places, start_cabinet: StartCabinet, healthy: dict[str, Any], tmp_path: Path
) -> None:
    authority = Authority(tmp_path)
    with fault_proxy("127.0.0.1", places["loyalty"].hostile.port, tls=authority.server("127.0.0.1")) as proxy:
        table = {"address": f"https://{proxy.address}", "ca_file": str(authority.file)}
        front = start_cabinet(back_offices={"loyalty": table})
        assert front.data()["dashboard"] == healthy
        proxy.set(fault)
        places["loyalty"].hostile.reset()
        answer = start_cabinet(back_offices={"loyalty": table}).ask()
        assert section_codes(answer)["bonuses"] == {"UNAVAILABLE"}
        assert_others_fresh(answer, "loyalty", healthy)
        # Not a byte of a request went to whom nobody vouches for.
        assert not places["loyalty"].hostile.calls


def test_a_name_without_an_address(start_cabinet: StartCabinet, healthy: dict[str, Any]) -> None:
    front = start_cabinet(back_offices={"cms": {"address": "https://cms.invalid"}})
    answer = front.ask()
    assert section_codes(answer)["favorites"] == {"UNAVAILABLE"}
    assert_others_fresh(answer, "cms", healthy)
