"""Calls shared between requests: who leaves, who has no time, who is refused, what breaks; nobody is left hanging."""

import asyncio
from typing import Any

import pytest
from structlog.testing import capture_logs

from bff.errors import AdapterBroken, Busy, TimedOut, Unavailable
from tests.sources.shared_calls import Desk, cancel, good
from tests.sources.virtual_time import in_virtual_time, now, turns


@in_virtual_time
async def test_one_who_leaves_harms_nobody() -> None:
    desk = Desk(calls=1)
    under_way = [await desk.ask("a"), await desk.ask("a")]
    waiting = [await desk.ask("b"), await desk.ask("b", "c")]
    await cancel(under_way[0])
    await cancel(waiting[0])
    await desk.office.answer()
    assert await under_way[1] == good("a")
    assert desk.office.calls == [["a"], ["b", "c"]]
    await desk.office.answer()
    assert await waiting[1] == good("b", "c")
    assert desk.idle()


@in_virtual_time
async def test_the_last_one_who_leaves_takes_out_what_still_waits() -> None:
    desk = Desk(calls=1)
    first = await desk.ask("a")
    leaving = [await desk.ask("b", "c"), await desk.ask("c", "d")]
    staying = await desk.ask("d")
    for task in leaving:
        await cancel(task)
    assert desk.slots.waiting == 1
    await desk.office.answer()
    assert desk.office.calls == [["a"], ["d"]]
    await desk.office.answer()
    assert (await first, await staying) == (good("a"), good("d"))
    assert desk.idle()


@in_virtual_time
async def test_what_is_under_way_goes_on_without_anybody() -> None:
    desk = Desk(calls=1)
    await cancel(await desk.ask("a"))
    assert desk.slots.free == 0
    late = await desk.ask("a")
    await desk.office.answer()
    assert await late == good("a")
    assert desk.office.calls == [["a"]]
    assert desk.idle()


@in_virtual_time
async def test_a_key_that_left_and_came_again_is_asked_for_once() -> None:
    """It once stood in two groups then, was taken twice, and the slots were lost with it, for ever."""
    desk = Desk(calls=1)
    first = await desk.ask("x")
    for _ in range(3):
        await cancel(await desk.ask("a", "b"))
        await cancel(await desk.ask("a"))
    again = await desk.ask("a")
    other = await desk.ask("z")
    await desk.office.answer()
    assert desk.office.calls == [["x"], ["a", "z"]]
    await desk.office.answer()
    assert (await first, await again, await other) == (good("x"), good("a"), good("z"))
    assert desk.idle()


@in_virtual_time
async def test_nothing_is_remembered_of_those_who_left() -> None:
    desk = Desk(calls=1)
    first = await desk.ask("x")
    for number in range(1_000):
        await cancel(await desk.ask(number, "always"))
    assert not desk.lanes[0]._groups
    await desk.office.answer()
    assert await first
    assert desk.office.calls == [["x"]]
    assert desk.idle()


@in_virtual_time
async def test_who_has_no_time_left_gets_what_has_come() -> None:
    desk = Desk(calls=2)
    task = await desk.ask("a", seconds=1)
    both = await desk.ask("a", "b", seconds=1)
    await desk.offices[0].answer()
    found = await both
    assert now() == 1
    assert found["a"] == "answer a"
    assert isinstance(found["b"], TimedOut)
    assert found["b"].back_office == "erp"
    assert await task == good("a")
    await desk.office.answer()
    assert desk.idle()


@in_virtual_time
async def test_a_deadline_that_has_passed_costs_no_call() -> None:
    desk = Desk()
    await asyncio.sleep(1)
    for seconds in (0, -1):
        found = await desk.lanes[0].load(["a", "b"], deadline=now() + seconds)
        assert [type(each) for each in found.values()] == [TimedOut, TimedOut]
    await turns()
    assert desk.office.calls == []
    assert desk.idle()


@in_virtual_time
async def test_the_queue_has_an_end() -> None:
    desk = Desk(calls=1, queue=3)
    first = await desk.ask("x")
    queued = await desk.ask("a", "b")
    found = desk.start("b", "c", "d", "x")
    await turns()
    await desk.office.answer()
    await desk.office.answer()
    outcome = await found
    assert isinstance(outcome.pop("d"), Busy)
    assert outcome == good("b", "c", "x")
    assert (await first, await queued) == (good("x"), good("a", "b"))
    full = await desk.ask("y")
    waiting = await desk.ask(1, 2, 3)
    busy = await (await desk.ask("e"))
    assert [type(each) for each in busy.values()] == [Busy]
    assert busy["e"].back_office == "erp"
    await cancel(waiting)
    room = await desk.ask("e")
    await desk.office.answer()
    await desk.office.answer()
    assert (await full, await room) == (good("y"), good("e"))
    assert desk.idle()


@in_virtual_time
async def test_who_is_refused_does_not_wait_and_joins_what_is_under_way() -> None:
    desk = Desk(calls=1)
    first = await desk.ask("a")
    waiting = await desk.ask("b")
    desk.refused_with = Unavailable("open")
    late = await desk.ask("a", "b", "c")
    alone = await desk.ask("d")
    assert await alone == {"d": desk.refused_with}
    await desk.office.answer()
    await desk.office.answer()
    assert await late == {**good("a", "b"), "c": desk.refused_with}
    assert (await first, await waiting) == (good("a"), good("b"))
    assert desk.office.calls == [["a"], ["b"]]
    assert desk.idle()


@pytest.mark.parametrize("mistake", ["an error", "a key forgotten", "no mapping"])
@in_virtual_time
async def test_a_defect_in_a_call_leaves_nobody_hanging(mistake: str) -> None:
    desk = Desk(calls=1)
    tasks = [desk.start("a"), desk.start("b")]
    await turns()
    with capture_logs() as logs:
        if mistake == "an error":
            await desk.office.fail(ZeroDivisionError())
        else:
            reply: Any = {"a": "answer a"} if mistake == "a key forgotten" else None
            desk.office.open[0][1].set_result(reply)
            await turns()
    found = {key: outcome for task in tasks for key, outcome in (await task).items()}
    assert isinstance(found["b"], AdapterBroken)
    assert (found["a"] == "answer a") is (mistake == "a key forgotten")
    assert [(line["event"], line["back_office"]) for line in logs] == [("call broken", "erp")]
    assert desk.idle()
    again = await desk.ask("b")
    await desk.office.answer()
    assert await again == good("b")


@in_virtual_time
async def test_a_cancelled_call_is_an_error_to_those_who_wait() -> None:
    desk = Desk(calls=1)
    tasks = [desk.start("a"), desk.start("a", "b")]
    await turns()
    desk.office.open[0][1].cancel()
    for task in tasks:
        assert {type(each) for each in (await task).values()} == {Unavailable}
    assert desk.idle()


@in_virtual_time
async def test_closing_gives_up_what_is_under_way_and_what_waits() -> None:
    desk = Desk(calls=1, lanes=2)
    tasks = [await desk.ask("a"), await desk.ask("b", "c"), await desk.ask("d", lane=1)]
    await desk.slots.close()
    for task in tasks:
        assert {type(each) for each in (await task).values()} == {Unavailable}
    assert [office.calls for office in desk.offices] == [[["a"]], []], "nothing was begun while closing"
    late = await desk.lanes[0].load(["e"], deadline=now() + 10)
    assert isinstance(late["e"], Unavailable)
    await desk.slots.close()
    assert desk.idle()


@in_virtual_time
async def test_closing_before_a_calls_first_step() -> None:
    desk = Desk(calls=1)
    task = desk.start("a")
    while not desk.slots._tasks:  # noqa: ASYNC110 (turn by turn)
        await asyncio.sleep(0)
    await desk.slots.close()
    assert isinstance((await task)["a"], Unavailable)
    assert now() == 0
    assert desk.office.calls == []
    assert desk.idle()
