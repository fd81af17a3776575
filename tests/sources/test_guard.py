"""The guard: a call's whole time, one more try within a budget, `Retry-After`, and the breaker's part in it."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from bff.errors import (
    BackOfficeError,
    BadReply,
    Busy,
    Code,
    IntegrityViolation,
    Refused,
    TimedOut,
    TooLarge,
    Unavailable,
    Unknown,
    Upstream,
)
from bff.sources.breaker import Breaker
from bff.sources.guard import COUNTED, MAX_PAUSE_SECONDS, WORTH_RETRYING, Courtesy, Guard
from tests.sources.virtual_time import in_virtual_time, now, turns

LIMIT = 1.0


def guard(*, retry_share: float = 0.0, **breaker: Any) -> Guard:
    return Guard(LIMIT, Breaker(**breaker), Courtesy(retry_share), "erp")


class Asked:
    """Answers as told, call by call: an error, seconds that it takes, or a text; the last one from then on."""

    def __init__(self, *replies: Any) -> None:
        self.replies = list(replies)
        self.at: list[float] = []

    async def __call__(self) -> Any:
        self.at.append(now())
        reply = self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]
        if isinstance(reply, BaseException):
            raise reply
        if isinstance(reply, float):
            await asyncio.sleep(reply)
        return reply

    @property
    def calls(self) -> int:
        return len(self.at)


async def outcome(guarded: Guard, ask: Callable[[], Awaitable[Any]], **how: Any) -> Any:
    try:
        return await guarded.call(ask, **how)
    except BackOfficeError as error:
        return error


async def opened(**breaker: Any) -> Guard:
    """One that has just opened, at 0."""
    made = guard(least_calls=1, open_seconds=2, **breaker)
    await outcome(made, Asked(BadReply("broken")))
    assert made.refusal()
    return made


@in_virtual_time
async def test_an_answer_comes_through() -> None:
    assert await guard().call(Asked("fine")) == "fine"


@in_virtual_time
async def test_a_call_has_a_whole_time_and_no_more() -> None:
    cancelled: list[float] = []

    async def drip() -> None:
        try:
            for _ in range(10):
                await asyncio.sleep(0.29)
        except asyncio.CancelledError:
            cancelled.append(now())
            raise

    found = await outcome(guard(), drip)
    assert isinstance(found, TimedOut)
    assert found.back_office == "erp"
    assert found.__cause__ is None
    assert now() == LIMIT
    assert cancelled == [LIMIT]


@in_virtual_time
async def test_the_second_try_has_only_what_the_first_has_left() -> None:
    async def late_then_slow() -> None:
        asked.append(now())
        await asyncio.sleep(0.7)
        raise Unavailable("away")

    asked: list[float] = []
    assert isinstance(await outcome(guard(retry_share=0.1), late_then_slow), TimedOut)
    assert len(asked) == 2
    assert now() == LIMIT


@pytest.mark.parametrize("error", [kind("x") for kind in WORTH_RETRYING], ids=lambda error: type(error).__name__)
@in_virtual_time
async def test_what_may_pass_is_tried_once_more_after_a_moment(error: BackOfficeError) -> None:
    ask = Asked(error, "fine")
    assert await guard(retry_share=0.1).call(ask) == "fine"
    first, second = ask.at
    assert 0.005 <= second - first <= 0.025
    again = Asked(error)
    assert await outcome(guard(retry_share=0.1), again) is error
    assert again.calls == 2


@pytest.mark.parametrize(
    "error",
    [kind("x") for kind in COUNTED if kind not in WORTH_RETRYING]
    + [Unknown("x"), Refused("x", refusal=Code.FORBIDDEN)],
    ids=lambda error: type(error).__name__,
)
@in_virtual_time
async def test_nothing_else_is_tried_again(error: BackOfficeError) -> None:
    ask = Asked(error)
    assert await outcome(guard(retry_share=1), ask) is error
    assert ask.calls == 1


@in_virtual_time
async def test_no_second_try_where_none_is_wanted() -> None:
    ask = Asked(Upstream("500"))
    await outcome(guard(retry_share=0), ask)
    assert ask.calls == 1


@in_virtual_time
async def test_second_tries_are_a_tenth_of_the_calls() -> None:
    made = guard(retry_share=0.1, least_calls=10_000)
    ask = Asked(Upstream("500"))
    for _ in range(500):
        await outcome(made, ask)
    assert ask.calls <= 500 * 1.1 + 1
    assert ask.calls >= 500 * 1.1 - 2


@in_virtual_time
async def test_what_is_saved_up_has_an_end() -> None:
    made = guard(retry_share=0.5, least_calls=10_000)
    for _ in range(100):
        await made.call(Asked("fine"))
    assert made.courtesy.tokens == made.courtesy.burst == 10


@in_virtual_time
async def test_no_second_try_where_others_have_been_told_to_wait_meanwhile() -> None:
    made = guard(retry_share=1)
    ask = Asked(Unavailable("away"))
    calling = asyncio.create_task(outcome(made, ask))
    await turns(2)
    made.courtesy.heed(now(), Busy("slow down", retry_after=5))
    assert isinstance(await calling, Unavailable)
    assert ask.calls == 1


@in_virtual_time
async def test_no_second_try_through_a_breaker_that_has_opened_meanwhile() -> None:
    made = guard(retry_share=1)
    ask = Asked(Unavailable("away"))
    calling = asyncio.create_task(outcome(made, ask))
    await turns(2)
    made.breaker.failed(now(), IntegrityViolation("mixed up"), probe=0)
    assert isinstance(await calling, Unavailable)
    assert ask.calls == 1


@in_virtual_time
async def test_retry_after_is_obeyed_by_every_method_of_the_back_office() -> None:
    courtesy = Courtesy(0)
    one, other = (Guard(LIMIT, Breaker(), courtesy, "erp") for _ in range(2))
    await outcome(one, Asked(Busy("slow down", retry_after=5)))
    ask = Asked("fine")
    await asyncio.sleep(4.99)
    assert isinstance(await outcome(other, ask), Busy)
    assert ask.calls == 0
    await asyncio.sleep(0.02)
    assert await outcome(other, ask) == "fine"


@in_virtual_time
async def test_a_back_office_cannot_switch_itself_off_for_a_day() -> None:
    made = guard()
    await outcome(made, Asked(Busy("slow down", retry_after=86_400)))
    await asyncio.sleep(MAX_PAUSE_SECONDS + 0.01)
    assert await outcome(made, Asked("fine")) == "fine"


@pytest.mark.parametrize("seconds", [None, 0.0])
@in_virtual_time
async def test_who_is_busy_and_says_no_time_is_asked_again(seconds: float | None) -> None:
    made = guard()
    await outcome(made, Asked(Busy("slow down", retry_after=seconds)))
    assert made.refusal() is None


@in_virtual_time
async def test_a_refusal_is_no_new_retry_after() -> None:
    made = guard()
    await outcome(made, Asked(Busy("slow down", retry_after=5)))
    for _ in range(4):
        await asyncio.sleep(1)
        assert isinstance(await outcome(made, Asked("fine")), Busy)
    await asyncio.sleep(1.01)
    assert made.refusal() is None


@pytest.mark.parametrize("kind", COUNTED, ids=lambda kind: kind.__name__)
@in_virtual_time
async def test_outages_open_the_breaker(kind: type[BackOfficeError]) -> None:
    made = guard(least_calls=2)
    for _ in range(2):
        await outcome(made, Asked(kind("x")))
    ask = Asked("fine")
    assert type(await outcome(made, ask)) is kind
    assert ask.calls == 0


@pytest.mark.parametrize("error", [Unknown("x"), Refused("x", refusal=Code.CONFLICT)], ids=["unknown", "refused"])
@in_virtual_time
async def test_a_back_office_that_says_no_works(error: BackOfficeError) -> None:
    made = guard(least_calls=1)
    for _ in range(20):
        assert await outcome(made, Asked(error)) is error
    assert made.refusal() is None


@in_virtual_time
async def test_slow_answers_are_used_and_count_as_failures() -> None:
    made = guard(least_calls=2)
    for _ in range(2):
        assert await made.call(Asked(0.81)) == 0.81
    assert isinstance(made.refusal(), TimedOut)
    made = guard(least_calls=1)
    await made.call(Asked(0.79))
    assert made.refusal() is None


@in_virtual_time
async def test_errors_of_a_breaker_are_raised_anew_each_time() -> None:
    made = await opened()
    first, second = await outcome(made, Asked("fine")), await outcome(made, Asked("fine"))
    assert first is not second
    frames = 0
    trace = second.__traceback__
    while trace is not None:
        frames, trace = frames + 1, trace.tb_next
    assert frames <= 3


@in_virtual_time
async def test_one_probe_goes_through_and_its_answer_closes() -> None:
    made = await opened()
    await asyncio.sleep(2)
    probe = Asked(0.3)
    calling = asyncio.create_task(outcome(made, probe))
    await turns(2)
    other = Asked("fine")
    assert isinstance(await outcome(made, other), BadReply)
    assert (probe.calls, other.calls) == (1, 0)
    assert await calling == 0.3
    assert await outcome(made, other) == "fine"


@in_virtual_time
async def test_a_probe_has_half_the_time_and_one_try() -> None:
    made = await opened()
    made.courtesy.retry_share = 1
    await asyncio.sleep(2)
    began = now()
    assert isinstance(await outcome(made, Asked(0.6)), TimedOut)
    assert now() - began == LIMIT / 2
    await asyncio.sleep(3.9)
    assert isinstance(made.refusal(), TimedOut), "twice as long as before"
    await asyncio.sleep(0.11)
    probe = Asked(Unavailable("away"))
    assert isinstance(await outcome(made, probe), Unavailable)
    assert probe.calls == 1


@in_virtual_time
async def test_a_probe_that_says_no_closes_too() -> None:
    made = await opened()
    await asyncio.sleep(2)
    assert isinstance(await outcome(made, Asked(Unknown("x"))), Unknown)
    assert made.refusal() is None


@pytest.mark.parametrize("how", ["cancelled", "a defect"])
@in_virtual_time
async def test_a_probe_without_an_outcome_leaves_room_for_the_next(how: str) -> None:
    made = await opened()
    await asyncio.sleep(2)
    calling = asyncio.create_task(made.call(Asked(0.3) if how == "cancelled" else Asked(ValueError())))
    await turns(1)
    calling.cancel()
    await asyncio.wait([calling])
    with pytest.raises((ValueError, asyncio.CancelledError)):
        calling.result()
    assert made.refusal() is None
    assert await outcome(made, Asked("fine")) == "fine"
    assert made.refusal() is None


@in_virtual_time
async def test_a_cancelled_call_counts_neither_way() -> None:
    made = guard(least_calls=1)
    calling = asyncio.create_task(made.call(Asked(0.5)))
    await turns(2)
    calling.cancel()
    await asyncio.wait([calling])
    assert calling.cancelled()
    assert made.refusal() is None


@pytest.mark.parametrize(
    "error", [Upstream("x"), BadReply("x"), TooLarge("x"), Refused("x", refusal=Code.FORBIDDEN)], ids=str
)
@in_virtual_time
async def test_while_searching_what_is_expected_is_neither_tried_again_nor_counted(error: BackOfficeError) -> None:
    made = guard(retry_share=1, least_calls=1)
    ask = Asked(error)
    assert await outcome(made, ask, searching=True) is error
    assert ask.calls == 1
    assert made.refusal() is None


@in_virtual_time
async def test_while_searching_an_outage_is_one() -> None:
    made = guard(least_calls=1)
    await outcome(made, Asked(2.0), searching=True)
    assert isinstance(made.refusal(), TimedOut)
