"""Writes: made once, in a time of their own, carried to their end; and what an error says of the outcome."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from structlog.testing import capture_logs

from bff.errors import (
    AdapterBroken,
    BackOfficeError,
    BadReply,
    BadUserInput,
    Busy,
    Code,
    ConnectionLost,
    IntegrityViolation,
    Refused,
    SignInRefused,
    TimedOut,
    TooLarge,
    Unavailable,
    Upstream,
)
from bff.sources import OutageLog
from bff.sources.breaker import Breaker
from bff.sources.guard import PROBE_SHARE, Courtesy, Guard
from bff.sources.write import Write
from tests.sources.virtual_time import in_virtual_time, now, turns

LIMIT = 10.0


class Desk:
    """A port's method; `reply` gets the argument and gives the answer, raises, or gives something to await."""

    def __init__(self, reply: Callable[[str], Any], **breaker: Any) -> None:
        self.reply = reply
        self.calls: list[str] = []
        self.guard = Guard(LIMIT, Breaker(**breaker), Courtesy(retry_share=1, tokens=10), "erp")
        self.write: Write[str, Any] = Write(
            "erp", "register", self._do, key=lambda argument: argument[:1], guard=self.guard, outages=OutageLog()
        )

    async def _do(self, argument: str) -> Any:
        self.calls.append(argument)
        reply = self.reply(argument)
        return await reply if hasattr(reply, "__await__") else reply

    async def error(self, argument: str = "a") -> BackOfficeError:
        with pytest.raises(BackOfficeError) as caught:
            await self.write(argument)
        return caught.value


def raising(error: BaseException) -> Callable[[str], Any]:
    def reply(_: str) -> Any:
        raise error

    return reply


def lasting(seconds: float) -> Callable[[str], Any]:
    async def reply(argument: str) -> str:
        await asyncio.sleep(seconds)
        return f"{argument} after {now()}"

    return reply


@in_virtual_time
async def test_what_the_method_gives_comes_through() -> None:
    desk = Desk(str.upper)
    assert await desk.write("a") == "A"


@pytest.mark.parametrize(
    "error",
    [ConnectionLost("cut"), TimedOut("late"), Upstream("500"), BadReply("?"), TooLarge("!"), IntegrityViolation("x")],
    ids=lambda error: type(error).__name__,
)
@in_virtual_time
async def test_what_may_have_been_done_is_not_tried_again_and_says_so(error: BackOfficeError) -> None:
    desk = Desk(raising(error))
    with capture_logs() as logs:
        raised = await desk.error()
    assert type(raised) is type(error)
    assert raised.outcome_unknown
    assert str(raised).endswith("; whether it was done is unknown")
    assert raised.back_office == "erp"
    assert desk.calls == ["a"]
    expected = "integrity violation" if isinstance(error, IntegrityViolation) else "outcome unknown"
    assert expected in [line["event"] for line in logs]


@pytest.mark.parametrize(
    "error",
    [Unavailable("refused"), Busy("later"), SignInRefused("401"), Refused("no", refusal=Code.FORBIDDEN)],
    ids=lambda error: type(error).__name__,
)
@in_virtual_time
async def test_what_was_surely_not_done_is_not_tried_again_either(error: BackOfficeError) -> None:
    desk = Desk(raising(error))
    raised = await desk.error()
    assert (type(raised), raised.outcome_unknown) == (type(error), False)
    assert desk.calls == ["a"]


@in_virtual_time
async def test_bad_input_says_nothing_of_the_back_office() -> None:
    desk = Desk(raising(BadUserInput("first_name: is empty")), least_calls=1)
    for _ in range(3):
        with pytest.raises(BadUserInput):
            await desk.write("a")
    assert len(desk.calls) == 3
    assert desk.guard.refusal() is None


@in_virtual_time
async def test_a_mistake_of_the_adapter_is_one_error() -> None:
    desk = Desk(raising(KeyError("c-1001")))
    raised = await desk.error()
    assert isinstance(raised, AdapterBroken)
    assert raised.outcome_unknown
    assert "c-1001" not in str(raised)
    desk.reply = raising(TimeoutError())
    assert isinstance(await desk.error(), TimedOut)
    desk.reply = raising(asyncio.CancelledError())
    assert isinstance(await desk.error(), AdapterBroken)


@in_virtual_time
async def test_it_ends_at_its_own_limit() -> None:
    desk = Desk(lasting(LIMIT + 1))
    raised = await desk.error()
    assert isinstance(raised, TimedOut)
    assert raised.outcome_unknown
    assert now() == LIMIT


@in_virtual_time
async def test_while_the_breaker_is_open_nothing_is_sent_and_nothing_is_unknown() -> None:
    desk = Desk(raising(TimedOut("late")), least_calls=1, open_seconds=5)
    assert (await desk.error()).outcome_unknown
    refused = await desk.error()
    assert isinstance(refused, TimedOut)
    assert not refused.outcome_unknown
    assert len(desk.calls) == 1


@in_virtual_time
async def test_a_probe_has_its_whole_time() -> None:
    desk = Desk(raising(Upstream("500")), least_calls=1, open_seconds=1)
    await desk.error()
    await asyncio.sleep(1)
    desk.reply = lasting(LIMIT * (PROBE_SHARE + 0.1))
    assert (await desk.write("a")).startswith("a after")


@in_virtual_time
async def test_who_leaves_does_not_stop_it() -> None:
    done: list[str] = []

    async def reply(argument: str) -> None:
        await asyncio.sleep(3)
        done.append(argument)

    desk = Desk(reply)
    leaving = asyncio.ensure_future(desk.write("a"))
    await turns()
    leaving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await leaving
    await asyncio.sleep(4)
    assert done == ["a"]


@in_virtual_time
async def test_at_once_under_one_key_they_are_one_call() -> None:
    desk = Desk(lasting(1))
    outcomes = await asyncio.gather(*(desk.write(each) for each in ("a1", "a2", "b", "a1")))
    assert outcomes == ["a1 after 1.0", "a1 after 1.0", "b after 1.0", "a1 after 1.0"]
    assert desk.calls == ["a1", "b"]
    assert await desk.write("a3") == "a3 after 2.0"


@in_virtual_time
async def test_an_error_is_everybodys_and_only_of_that_call() -> None:
    desk = Desk(raising(Upstream("500")))
    first, second = await asyncio.gather(desk.error(), desk.error())
    assert isinstance(first, Upstream)
    assert isinstance(second, Upstream)
    assert first is not second
    desk.reply = str.upper
    assert await desk.write("a") == "A"


@in_virtual_time
async def test_closing_gives_up_what_is_under_way_and_begins_nothing() -> None:
    desk = Desk(lasting(5))
    waiting = asyncio.ensure_future(desk.error())
    await turns()
    await desk.write.close()
    given_up = await waiting
    assert isinstance(given_up, Unavailable)
    assert given_up.outcome_unknown
    refused = await desk.error()
    assert isinstance(refused, Unavailable)
    assert not refused.outcome_unknown
    assert desk.calls == ["a"]
    await desk.write.close()
