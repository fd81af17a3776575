"""What all calls have in common: being asked to wait, secrets, settings, the check."""

import logging
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from adapters.loyalty.retailcrm import spec
from adapters.loyalty.retailcrm.adapter import AccountMemory
from bff.domain import CustomerId
from bff.errors import BackOfficeError, Busy, SignInRefused
from tests.unit.adapters.fake_http import Answer, FakeServer, as_json
from tests.unit.adapters.retailcrm.conftest import Make, MakeAt
from tests.unit.adapters.retailcrm.crm import accounts

ONE = [CustomerId("c-1")]


@pytest.mark.anyio
@pytest.mark.parametrize(("headers", "pause"), [({"Retry-After": "5"}, 5.0), ({}, 1.0), ({"Retry-After": "0"}, 0.0)])
async def test_no_call_is_made_before_the_moment_that_a_503_names(
    server: FakeServer, make_at: MakeAt, headers: dict[str, str], pause: float
) -> None:
    now = 1_000.0
    adapter = make_at(lambda: now)
    server.behaviour = lambda _: Answer(b"", 503, headers)
    with pytest.raises(Busy):
        await adapter.bonus_accounts(ONE)
    server.behaviour = lambda _: accounts()
    if pause:
        now += pause - 0.5
        with pytest.raises(Busy) as caught:
            await adapter.bonus_accounts(ONE)
        assert caught.value.retry_after == 0.5
        assert len(server.asked) == 1
        now += 0.5
    assert await adapter.bonus_accounts(ONE) == dict.fromkeys(ONE)
    assert len(server.asked) == 2


@pytest.mark.anyio
async def test_calls_that_wait_for_a_slot_obey_a_503_too(server: FakeServer, make: Make) -> None:
    server.behaviour = lambda _: Answer(b"", 503, {"Retry-After": "60"})
    bonuses = make(pool=1).bonuses
    assert bonuses is not None
    with pytest.raises(Busy):
        await bonuses.bonus_accounts([CustomerId(f"c-{number}") for number in range(5)])
    assert len(server.asked) == 1


@pytest.mark.anyio
async def test_no_secret_and_no_body_in_errors_and_logs(
    server: FakeServer, make: Make, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    bonuses = make().bonuses
    assert bonuses is not None
    for status, body in ((200, b"secret-body"), (200, b'{"success": "secret-body"}'), (500, b""), (403, b"")):
        answer = Answer(body, status)
        server.behaviour = lambda _, answer=answer: answer  # type: ignore[misc]
        with pytest.raises(SignInRefused if status == 403 else BackOfficeError) as caught:
            await bonuses.bonus_accounts([CustomerId("cust-77")])
        shown = f"{caught.value!r} {caught.value} {caught.value.__cause__!r}"
        assert not any(secret in shown for secret in ("k-e-y-77", "secret-body", "cust-77"))
    assert "k-e-y-77" not in caplog.text
    assert "secret-body" not in caplog.text


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (
            {"credentials": ["/api/loyalty/accounts", "/api/loyalty/account/{id}/bonus/…", "/api/customers"]},
            "may call all that is needed",
        ),
        ({"credentials": ["/api/orders", "/api/v5/customers"]}, "may not call loyalty/accounts, loyalty/account/:"),
        ({"scopes": ["customer_read"]}, "1 scopes"),
        ({}, "lists no methods"),
    ],
)
async def test_check_says_what_the_key_may_do(
    server: FakeServer, make: Make, answer: dict[str, Any], said: str
) -> None:
    server.behaviour = lambda _: as_json({"success": True, **answer})
    assert said in await make().check()
    assert server.asked[0].path == "/api/credentials"


@pytest.mark.parametrize(
    "more",
    [
        {"api_key": ""},
        {"api_key": "ключ-77"},
        {"api_key": "k-77\r\nX: 1"},
        {"time_zone": "Europe/Atlantis"},
        {"currency": "руб"},
        {"site": ""},
        {"batch": 101},
        {"loyalty_id": 0},
        {"address": "http://crm.example.test"},
        {"surprise": True},
    ],
)
def test_bad_settings_are_refused(more: dict[str, Any]) -> None:
    raw = {"adapter": "retailcrm", "address": "https://shop.example.test", "api_key": "k-77"}
    spec.settings_from(raw, Path())
    with pytest.raises(ValidationError) as caught:
        spec.settings_from({**raw, **more}, Path())
    assert "77" not in str(caught.value)


def test_memory_is_bounded() -> None:
    memory = AccountMemory(2)
    memory.remember(CustomerId("c-1"), 1)
    memory.remember(CustomerId("c-2"), 2)
    assert memory.recall(CustomerId("c-1")) == 1
    memory.remember(CustomerId("c-3"), 3)
    assert [memory.recall(CustomerId(name)) for name in ("c-1", "c-2", "c-3")] == [1, None, 3]
