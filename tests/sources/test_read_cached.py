"""A read with a cache behind it: how old an answer may be, and when an old one is shown."""

import asyncio
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest

from bff.domain import CustomerId, PendingBonuses
from bff.errors import (
    BackOfficeError,
    BadReply,
    Busy,
    Code,
    IntegrityViolation,
    Refused,
    SignInRefused,
    TimedOut,
    TooLarge,
    Unavailable,
    Unknown,
    Upstream,
)
from bff.sources import Answer
from tests.fakes.back_offices import NOW, account, profile
from tests.sources.cached_desk import (
    ANNA,
    GONE,
    OLD,
    VERA,
    WELL_FRESH,
    Desk,
    aged,
)
from tests.sources.virtual_time import in_virtual_time, now, turns


@in_virtual_time
async def test_a_fresh_answer_asks_nobody() -> None:
    desk = await aged(WELL_FRESH)
    assert await desk.profile() == Answer(ANNA, NOW, stale=False)
    await turns()
    assert desk.asked() == 1


@in_virtual_time
async def test_an_old_answer_is_not_shown_while_the_back_office_answers() -> None:
    desk = await aged(OLD)
    assert await desk.profile() == Answer(VERA, desk.watch(), stale=False)
    assert desk.asked() == 2


@pytest.mark.parametrize(
    "error",
    [
        Unavailable("x"),
        TimedOut("x"),
        Busy("x"),
        Upstream("x"),
        SignInRefused("x"),
        BadReply("x"),
        TooLarge("x"),
        ValueError("x"),
    ],
    ids=lambda error: type(error).__name__,
)
@in_virtual_time
async def test_an_old_answer_serves_where_the_back_office_fails(error: Exception) -> None:
    desk = await aged(OLD, error)
    assert await desk.profile() == Answer(ANNA, NOW, stale=True)
    assert desk.asked() == 2


@in_virtual_time
async def test_an_old_answer_serves_where_the_back_office_does_not_answer_in_time() -> None:
    desk = await aged(OLD, lambda _: asyncio.Event().wait())
    assert await desk.get("c-1", seconds=0.3) == {"c-1": Answer(ANNA, NOW, stale=True)}
    assert now() == pytest.approx(0.3)
    await asyncio.sleep(5)


@in_virtual_time
async def test_an_old_answer_serves_for_one_key_that_cannot_be_read() -> None:
    desk = await aged(OLD, {"c-1": BadReply("NaN")})
    assert await desk.profile() == Answer(ANNA, NOW, stale=True)


@pytest.mark.parametrize("reply", [Unavailable("x"), {"c-1": BadReply("x")}], ids=["whole", "one key"])
@in_virtual_time
async def test_a_dead_answer_is_none(reply: Any) -> None:
    desk = await aged(GONE, reply)
    assert isinstance(await desk.profile(), BackOfficeError)


@pytest.mark.parametrize(
    "reply",
    [
        {},
        {"c-1": Unknown("nobody")},
        Refused("blocked", refusal=Code.FORBIDDEN),
        {"c-1": Refused("blocked", refusal=Code.FORBIDDEN)},
        {"c-1": profile("c-2")},
        {"c-2": profile("c-2")},
    ],
    ids=["missing", "unknown", "refused", "the key refused", "a foreign value", "a foreign key"],
)
@in_virtual_time
async def test_an_old_answer_is_no_better_than_a_no(reply: Any) -> None:
    desk = await aged(OLD, reply)
    found = await desk.profile()
    assert isinstance(found, Unknown | Refused | IntegrityViolation)


@in_virtual_time
async def test_another_customers_data_closes_the_door_and_old_answers_stay_behind_it() -> None:
    desk = await aged(OLD, {"c-1": profile("c-2")})
    for _ in range(3):
        assert isinstance(await desk.profile(), IntegrityViolation)
    assert desk.asked() == 2


BONUS_READS: Mapping[str, tuple[Any, Any]] = {
    "bonus_accounts": ("c-1", account("c-1")),
    "pending_bonuses": (account("c-1"), PendingBonuses(customer=CustomerId("c-1"), amount=account("c-1").balance)),
}


@pytest.mark.parametrize("name", BONUS_READS)
@in_virtual_time
async def test_old_bonuses_serve_in_an_outage_and_not_beside_a_value_that_makes_no_sense(name: str) -> None:
    key, value = BONUS_READS[name]
    desk = Desk(**{name: {"c-1": value}})
    await desk.get(key, name=name)
    desk.watch.move(OLD)
    old = {key: Answer(value, NOW, stale=True)}
    # One call of several side by side may have failed: that is an outage too.
    for outage in (Unavailable("x"), BadReply("malformed"), {"c-1": TimedOut("x")}, {"c-1": Upstream("x")}):
        desk.office.replies[name] = outage
        assert await desk.get(key, name=name) == old
    desk.office.replies[name] = {"c-1": BadReply("NaN")}
    assert isinstance((await desk.get(key, name=name))[key], BadReply)


@in_virtual_time
async def test_an_answer_says_when_it_was_given_wherever_it_comes_from() -> None:
    desk = await aged(WELL_FRESH)
    found = await desk.profile()
    assert found.as_of == NOW
    assert found.as_of.utcoffset() == timedelta(0)
