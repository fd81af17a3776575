"""Hooks that are refused, over real sockets: unsigned, old, replayed, senseless, too long; and what the log says."""

import asyncio
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import pytest
from pydantic import SecretStr
from starlette.requests import Request
from structlog.testing import capture_logs

from bff.app import assemble
from bff.demo.launch import DemoOffices
from bff.demo.run import demo_settings, serving
from bff.web import hooks
from tests.http.hooks import CMS_SECRET, ERP_SECRET, GOOD, WARM, Door, Time, refused, signature
from tests.patience import PATIENCE_SECONDS


@pytest.fixture(scope="session")
def any_door(running_offices: DemoOffices) -> Iterator[Door]:
    time = Time()
    with serving(assemble(demo_settings(running_offices, over=WARM), clock=time)) as address:
        yield Door(address, time)


@pytest.fixture
def door(any_door: Door) -> Door:
    """A door at which no signature has been used."""
    any_door.time.now += timedelta(hours=1)
    return any_door


@pytest.mark.parametrize(
    "headers",
    [
        {"timestamp": None},
        {"signature": None},
        {"timestamp": None, "signature": None},
        {"timestamp": ""},
        {"timestamp": "-1"},
        {"timestamp": "1e9"},
        {"timestamp": "9" * 400},
        {"signature": "sha256=" + "0" * 64},
        {"signature": "sha256=" + "0" * 63},
        {"signature": "sha256=" + "z" * 64},
        {"signature": "sha1=" + "0" * 40},
        {"signature": ""},
    ],
)
def test_what_is_not_signed_is_refused_alike(door: Door, headers: dict[str, str | None]) -> None:
    answer = door.post(GOOD, headers=headers)
    assert refused(answer) == (401, "UNAUTHENTICATED")
    assert answer.json() == door.post(GOOD, signature="sha256=" + "1" * 64).json()


def test_a_header_that_comes_twice_is_refused(door: Door) -> None:
    timestamp = str(int(door.time.now.timestamp()))
    right = ("X-Kabinet-Signature", signature(ERP_SECRET, timestamp, GOOD))
    headers = [("X-Kabinet-Timestamp", timestamp), right, right]
    answer = httpx2.post(f"{door.address}/hooks/erp", content=GOOD, headers=headers, timeout=PATIENCE_SECONDS)
    assert refused(answer) == (401, "UNAUTHENTICATED")


def test_another_back_offices_secret_opens_nothing(door: Door) -> None:
    timestamp = str(int(door.time.now.timestamp()))
    answer = door.post(GOOD, "erp", timestamp=timestamp, signature=signature(CMS_SECRET, timestamp, GOOD))
    assert refused(answer) == (401, "UNAUTHENTICATED")


def test_a_changed_body_or_time_breaks_the_signature(door: Door) -> None:
    timestamp = str(int(door.time.now.timestamp()))
    made = signature(ERP_SECRET, timestamp, GOOD)
    assert door.post(GOOD + b" ", signature=made).status_code == 401
    assert door.post(GOOD, timestamp=str(int(timestamp) + 1), signature=made).status_code == 401
    # Digits move over the dot.
    assert door.post(timestamp[-1:].encode() + b"." + GOOD, timestamp=timestamp[:-1]).status_code == 401


@pytest.mark.parametrize(
    ("seconds", "status"), [(-300, 401), (-299, 204), (299, 204), (300, 401)], ids=["old", "oldest", "newest", "ahead"]
)
def test_five_minutes_are_tolerated(door: Door, seconds: int, status: int) -> None:
    timestamp = str(int(door.time.now.timestamp()) + seconds)
    assert door.post(GOOD, timestamp=timestamp).status_code == status


def test_capitals_are_hexadecimal_too(door: Door) -> None:
    timestamp = str(int(door.time.now.timestamp()))
    shouted = signature(ERP_SECRET, timestamp, GOOD).upper().replace("SHA", "sha")
    assert door.post(GOOD, timestamp=timestamp, signature=shouted).status_code == 204
    assert door.post(GOOD, timestamp=timestamp).status_code == 401


def test_many_replays_at_once_and_one_is_heard(door: Door) -> None:
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: door.post(GOOD).status_code, range(24)))
    assert Counter(answers) == {204: 1, 401: 23}


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "not JSON"),
        (b"\xff", "not JSON"),
        (b"null", "object"),
        (b"[]", "object"),
        (b"{}", "nothing is named"),
        (b'{"customers": [], "sections": []}', "nothing is named"),
        (b'{"customer": ["c-1001"]}', "customer"),
        (b'{"customers": "c-1001"}', "customers"),
        (b'{"customers": [1001]}', "customers["),
        (b'{"customers": [""]}', "customers["),
        (b'{"customers": ["' + b"c" * 201 + b'"]}', "customers["),
        (b'{"customers": ["\\ud800"]}', "not JSON"),
        (b'{"customers": ["c-1001"], "sections": ["order"]}', "there is no section 'order'"),
        (b'{"customers": ["c-1001"], "sections": ["products"]}', "name them in products"),
        (b'{"sections": ["orders"]}', "name the customers"),
        (b'{"sections": ["nonsense"]}', "bonuses, favorites, offers, orders, products, profile"),
        (b'{"x": ' + b"[" * 50_000 + b"]" * 10_000, "x"),
    ],
)
def test_a_body_that_says_nothing_is_refused(door: Door, body: bytes, said: str) -> None:
    answer = door.post(body)
    assert refused(answer) == (400, "BAD_USER_INPUT")
    assert said in answer.json()["message"]
    # It is not used up: the same again is refused for the same.
    assert refused(door.post(body)) == (400, "BAD_USER_INPUT")


def test_a_body_has_an_end(door: Door) -> None:
    most = b'{"customers": ["c-1001"]}'.ljust(65_536)
    assert door.post(most).status_code == 204
    assert refused(door.post(most + b" ")) == (413, "TOO_LARGE")


def test_a_hook_without_a_secret_looks_like_none(door: Door) -> None:
    without, unknown = door.post(GOOD, "loyalty"), door.post(GOOD, "nobody")
    assert refused(without) == (404, "NOT_FOUND")
    assert without.content == unknown.content
    assert {name: without.headers[name] for name in without.headers if name != "date"} == {
        name: unknown.headers[name] for name in unknown.headers if name != "date"
    }
    assert httpx2.get(f"{door.address}/hooks/erp", timeout=PATIENCE_SECONDS).status_code == 405


def test_the_log_has_counts_and_reasons_and_no_ids(door: Door) -> None:
    with capture_logs() as logs:
        door.say(customers=["c-1001", "c-1003"], sections=["orders"], products=["p-17"])
        door.post(GOOD)
        door.post(GOOD)
        door.post(b'{"sections": ["c-1001"]}')
        door.post(GOOD, "nobody")
    assert logs == [
        {
            "event": "hook",
            "log_level": "info",
            "back_office": "erp",
            "customers": 2,
            "sections": 1,
            "products": 1,
            "tags": 0,
        },
        {
            "event": "hook",
            "log_level": "info",
            "back_office": "erp",
            "customers": 1,
            "sections": 1,
            "products": 0,
            "tags": 0,
        },
        {
            "event": "hook refused",
            "log_level": "info",
            "back_office": "erp",
            "status": 401,
            "reason": "the signature was used before",
        },
        {
            "event": "hook refused",
            "log_level": "info",
            "back_office": "erp",
            "status": 400,
            "reason": "the body is malformed",
        },
    ]


@pytest.mark.anyio
async def test_a_body_that_does_not_come_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hooks, "BODY_SECONDS", 0.0)
    answer = await ask(request(asyncio.Event().wait))
    assert answer == 400


@pytest.mark.anyio
async def test_a_sender_who_leaves_is_not_answered() -> None:
    async def gone() -> dict[str, Any]:
        return {"type": "http.disconnect"}

    assert await ask(request(gone)) == 400


def request(receive: Any) -> Request:
    headers = [(b"x-kabinet-timestamp", b"0"), (b"x-kabinet-signature", b"sha256=" + b"0" * 64)]
    return Request({"type": "http", "headers": headers, "path_params": {"back_office": "erp"}}, receive)


async def ask(asked: Request) -> int:
    door = hooks.Hooks({"erp": SecretStr(ERP_SECRET)}, cache=None, clock=lambda: datetime.fromtimestamp(0, UTC))
    return (await door(asked)).status_code
