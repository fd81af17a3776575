"""A read from key to answer: owner check, missing keys, errors made ours, deadline. What is kept has its own tests."""

import asyncio
from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any

import pytest
from structlog.testing import capture_logs

from bff.domain import BonusAccount
from bff.errors import (
    AdapterBroken,
    BackOfficeError,
    Code,
    IntegrityViolation,
    NotFound,
    TimedOut,
    Unavailable,
    Unknown,
)
from bff.sources import Answer, OutageLog, Read
from bff.sources.breaker import Breaker
from bff.sources.fetching import Fetcher
from bff.sources.guard import Courtesy, Guard
from bff.sources.sharing import Lane, Slots
from tests.fakes.back_offices import NOW, account, favorites, now, order, profile
from tests.patience import PATIENCE_SECONDS

pytestmark = pytest.mark.anyio


def reading(
    reply: Any, *, owned: bool = True, key: Callable[[Any], Any] = lambda key: key, seconds: float = PATIENCE_SECONDS
) -> Read[Any, Any]:
    async def ask(keys: Sequence[Any]) -> Any:
        if isinstance(reply, BaseException):
            raise reply
        answer = reply(keys) if callable(reply) else reply
        return await answer if hasattr(answer, "__await__") else answer

    courtesy = Courtesy(retry_share=0)
    guard = Guard(seconds=seconds, breaker=Breaker(), courtesy=courtesy, back_office="erp")
    fetcher: Fetcher[Any, Any] = Fetcher(
        "erp", "profiles", ask, owned=owned, key=key, guard=guard, keeper=None, clock=now, outages=OutageLog()
    )
    # One slot: all keys of a test are one call.
    lane: Lane[Any, Any] = Lane(Slots(1, 100, "erp"), fetcher, batch=50)
    return Read("erp", "profiles", lane, keeping=None, clock=now, refresh_seconds=1)


def soon(seconds: float = PATIENCE_SECONDS) -> float:
    return asyncio.get_running_loop().time() + seconds


async def test_a_value_comes_with_the_moment_it_was_said() -> None:
    found = await reading({"c-1": profile("c-1")})(["c-1"], deadline=soon())
    assert found == {"c-1": Answer(profile("c-1"), NOW, stale=False)}


async def test_none_is_an_answer_and_a_missing_key_is_not() -> None:
    found = await reading({"c-1": None})(["c-1", "c-2"], deadline=soon())
    assert found["c-1"] == Answer(None, NOW)
    assert isinstance(found["c-2"], Unknown)
    assert found["c-2"].public_code is Code.NOT_FOUND
    assert "c-2" not in str(found["c-2"])


async def test_a_key_with_its_own_error_costs_no_other() -> None:
    own = Unavailable("away", back_office="erp")
    found = await reading({"c-1": own, "c-2": profile("c-2")})(["c-1", "c-2"], deadline=soon())
    assert found["c-1"] is own
    assert isinstance(found["c-2"], Answer)


@pytest.mark.parametrize(
    "reply",
    [
        {"c-2": profile("c-2")},
        {"c-1": profile("c-2")},
        {"c-2": profile("c-1")},
        {"c-1": profile("c-1"), "c-2": profile("c-2")},
        {"c-1": profile("c-1"), "c-2": None},
        {"c-1": profile("c-1"), "c-2": Unavailable("away")},
        {"c-1": order("c-2")},
        {"c-1": favorites("c-2", "p-1")},
        {"c-1": SimpleNamespace()},
        {"c-1": SimpleNamespace(customer=None)},
        {"c-1": SimpleNamespace(customer="C-1")},
        {"c-1": profile("c-1"), None: None},
    ],
    ids=[
        "a foreign key",
        "the right key with a foreign value",
        "a foreign key with the right value",
        "one customer too many",
        "one too many who has nothing",
        "one too many with an error",
        "a foreign order",
        "foreign favorites",
        "a value that names nobody",
        "a value of nobody",
        "almost the right name",
        "a key that is nobody",
    ],
)
async def test_data_of_somebody_else_fails_the_whole_answer(reply: dict[str, Any]) -> None:
    with capture_logs() as logs:
        found = await reading(reply)(["c-1"], deadline=soon())
    assert list(found) == ["c-1"]
    assert isinstance(found["c-1"], IntegrityViolation)
    assert ("integrity violation", "error") in [(line["event"], line["log_level"]) for line in logs]
    assert "c-2" not in str(logs)


async def test_one_foreign_value_spoils_the_good_ones_too() -> None:
    reply = {"c-1": profile("c-1"), "c-2": profile("c-1")}
    found = await reading(reply)(["c-1", "c-2"], deadline=soon())
    assert {type(each) for each in found.values()} == {IntegrityViolation}


async def test_owners_of_parts_are_compared_with_the_account_that_was_asked_about() -> None:
    def owner(asked: BonusAccount) -> str:
        return asked.customer

    good = await reading({"c-1": profile("c-1")}, key=owner)([account("c-1")], deadline=soon())
    assert isinstance(good[account("c-1")], Answer)
    bad = await reading({"c-2": profile("c-2")}, key=owner)([account("c-1")], deadline=soon())
    assert isinstance(bad[account("c-1")], IntegrityViolation)


async def test_what_is_not_by_customer_may_come_with_more_than_was_asked() -> None:
    found = await reading({"o-1": order("c-9"), "o-2": order("c-9")}, owned=False)(["o-1"], deadline=soon())
    assert list(found) == ["o-1"]


async def test_an_error_of_the_back_office_fails_every_key() -> None:
    found = await reading(Unavailable("away", back_office="erp"))(["c-1", "c-2"], deadline=soon())
    assert {type(each) for each in found.values()} == {Unavailable}


@pytest.mark.parametrize("owned", [True, False])
@pytest.mark.parametrize(
    "reply",
    [
        ValueError("+7 999 000-00-00"),
        NotFound("this is not the adapter's to say"),
        RecursionError(),
        lambda _: None,
        lambda _: [profile("c-1")],
        lambda _: 5,
    ],
    ids=["ValueError", "an error that is not a back office's", "RecursionError", "None", "a list", "a number"],
)
async def test_an_adapters_mistake_is_internal_and_logged(reply: Any, owned: bool) -> None:
    with capture_logs() as logs:
        found = await reading(reply, owned=owned)(["c-1", "c-2"], deadline=soon())
    for outcome in found.values():
        assert isinstance(outcome, AdapterBroken)
        assert outcome.public_code is Code.INTERNAL
        assert "999" not in str(outcome)
    broken, gone = logs
    assert (broken["event"], broken["back_office"], broken["read"]) == ("adapter broken", "erp", "profiles")
    assert broken["exc_info"]
    assert gone["event"] == "back office failing"


async def test_what_has_not_come_by_the_deadline_is_a_timeout() -> None:
    found = await reading(lambda _: asyncio.Event().wait())(["c-1"], deadline=soon(0.03))
    assert isinstance(found["c-1"], TimedOut)


async def test_a_call_that_takes_longer_than_it_may_is_given_up() -> None:
    cancelled = asyncio.Event()

    async def hang(_: Sequence[Any]) -> Any:
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    found = await reading(hang, seconds=0.03)(["c-1"], deadline=soon())
    assert isinstance(found["c-1"], TimedOut)
    assert cancelled.is_set()


async def test_a_deadline_that_has_passed_is_a_timeout() -> None:
    found = await reading(lambda _: asyncio.Event().wait())(["c-1"], deadline=soon(-1))
    assert isinstance(found["c-1"], TimedOut)


async def test_a_timeout_of_the_adapters_own_is_a_timeout() -> None:
    assert isinstance((await reading(TimeoutError())(["c-1"], deadline=soon()))["c-1"], TimedOut)


async def test_being_cancelled_is_passed_on() -> None:
    task = asyncio.create_task(reading(lambda _: asyncio.Event().wait())(["c-1"], deadline=soon()))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_cancellation_that_an_adapter_lets_out_is_its_mistake() -> None:
    async def shared_task_is_gone(_: Sequence[Any]) -> Any:
        inner = asyncio.ensure_future(asyncio.Event().wait())
        asyncio.get_running_loop().call_soon(inner.cancel)
        return await inner

    with capture_logs() as logs:
        found = await reading(shared_task_is_gone)(["c-1"], deadline=soon())
    assert isinstance(found["c-1"], AdapterBroken)
    assert [line["event"] for line in logs] == ["adapter broken", "back office failing"]


async def test_every_failure_is_a_back_office_error_with_a_code() -> None:
    for reply in (Unavailable("x"), ValueError("x"), {"c-2": None}):
        outcome = (await reading(reply)(["c-1"], deadline=soon()))["c-1"]
        assert isinstance(outcome, BackOfficeError)
        assert isinstance(outcome.public_code, Code)
