"""Back offices say what has changed, over real sockets: what is kept of it goes, and nothing else does."""

import asyncio
import hashlib
import hmac
import json
from collections import Counter
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
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
from bff.schema.ids import local_id
from bff.web import hooks
from tests.http.front import Front

ERP_SECRET = "the ERP's secret for its webhooks, long enough"
CMS_SECRET = "the CMS's own secret for its webhooks, long enough"

# Everything stays fresh for as long as the tests' clock is moved; what goes, goes by a hook.
LASTING = {"fresh_seconds": 86_400, "stale_seconds": 86_400, "on_error_seconds": 86_400}
WARM: dict[str, Any] = {
    "freshness": dict.fromkeys(("profile", "orders", "bonuses", "favorites", "offers", "products"), LASTING),
    "back_offices": {
        "erp": {"hook_secret": ERP_SECRET, "timeout_ms": 20_000},
        "cms": {"hook_secret": CMS_SECRET, "timeout_ms": 20_000},
        "loyalty": {"timeout_ms": 20_000},
    },
}


@dataclass
class Time:
    """The service's clock: it stands still until it is moved. It is ahead, for tokens are signed by the machine's."""

    now: datetime = field(default_factory=lambda: datetime.now(UTC).replace(microsecond=0) + timedelta(minutes=1))

    def __call__(self) -> datetime:
        return self.now


@dataclass(frozen=True)
class Door:
    """Sends hooks to a running cabinet, signed by hand."""

    address: str
    time: Time
    numbers: Iterator[int] = field(default_factory=lambda: iter(range(1_000_000)))

    def post(
        self, body: bytes, back_office: str = "erp", *, headers: Mapping[str, str | None] = {}, **more: str
    ) -> httpx2.Response:
        """Send a hook. `timestamp` and `signature`, in `headers` or as they are, go over the right ones; None: none."""
        headers = {**headers, **more}
        timestamp = headers.get("timestamp") or str(int(self.time.now.timestamp()))
        secret = {"erp": ERP_SECRET, "cms": CMS_SECRET}.get(back_office, ERP_SECRET)
        signed = {"timestamp": timestamp, "signature": signature(secret, timestamp, body), **headers}
        sent = {f"X-Kabinet-{name}": value for name, value in signed.items() if value is not None}
        return httpx2.post(f"{self.address}/hooks/{back_office}", content=body, headers=sent, timeout=20)

    def say(self, back_office: str = "erp", /, **changed: list[str]) -> None:
        """Send a hook that is heard."""
        # Two hooks of one second are the same to the service, unless something in them differs.
        answer = self.post(json.dumps({**changed, "id": str(next(self.numbers))}).encode(), back_office)
        assert answer.status_code == 204, answer.text
        assert answer.content == b""
        assert "no-store" in answer.headers["cache-control"]


def signature(secret: str, timestamp: str, body: bytes) -> str:
    return "sha256=" + hmac.new(secret.encode(), timestamp.encode() + b"." + body, hashlib.sha256).hexdigest()


@dataclass(frozen=True)
class Cabinet:
    """A cabinet that keeps everything, and its two doors."""

    front: Front
    door: Door
    time: Time


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
            while not offices.cms.calls():
                assert not asked.done()
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


GOOD = b'{"customers": ["c-1001"], "sections": ["favorites"]}'


def refused(answer: httpx2.Response) -> tuple[int, str]:
    assert "no-store" in answer.headers["cache-control"]
    return answer.status_code, answer.json()["code"]


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


def test_what_is_refused_drops_nothing(cabinet: Cabinet, offices: DemoOffices) -> None:
    assert cabinet.door.post(GOOD, signature="sha256=" + "0" * 64).status_code == 401
    assert cabinet.door.post(b'{"customers": ["c-1001"], "sections": ["nonsense"]}').status_code == 400
    cabinet.front.data()
    assert calls(offices) == Counter()


def test_a_header_that_comes_twice_is_refused(door: Door) -> None:
    timestamp = str(int(door.time.now.timestamp()))
    right = ("X-Kabinet-Signature", signature(ERP_SECRET, timestamp, GOOD))
    headers = [("X-Kabinet-Timestamp", timestamp), right, right]
    answer = httpx2.post(f"{door.address}/hooks/erp", content=GOOD, headers=headers)
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
    assert httpx2.get(f"{door.address}/hooks/erp").status_code == 405


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


def test_without_a_cache_there_is_nothing_to_drop(offices: DemoOffices) -> None:
    time = Time()
    loaded = demo_settings(offices, over={**WARM, "cache": {"enabled": False}})
    with serving(assemble(loaded, clock=time)) as address:
        door = Door(address, time)
        door.say(customers=["c-1001"])
        assert door.post(GOOD, signature="sha256=" + "0" * 64).status_code == 401


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
