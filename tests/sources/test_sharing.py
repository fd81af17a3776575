"""Calls shared between requests: who goes with whom, who joins, and who has how many slots."""

import asyncio

from bff.sources.sharing import DISTANCE, MOST_PATIENCE_SECONDS, PATIENCE
from tests.sources.shared_calls import Desk, cancel, good
from tests.sources.virtual_time import in_virtual_time, now, turns, work


@in_virtual_time
async def test_with_a_free_slot_nobody_waits() -> None:
    desk = Desk(calls=2)
    first = await desk.ask("a")
    second = await desk.ask("b")
    assert desk.office.calls == [["a"], ["b"]]
    assert now() == 0
    await desk.office.answer(2)
    assert (await first, await second) == (good("a"), good("b"))
    assert desk.idle()


@in_virtual_time
async def test_while_all_slots_are_busy_keys_collect() -> None:
    desk = Desk(calls=1)
    tasks = [await desk.ask(key) for key in "abcde"]
    assert desk.office.calls == [["a"]]
    assert desk.slots.waiting == 4
    await desk.office.answer()
    assert desk.office.calls == [["a"], list("bcde")]
    await desk.office.answer()
    assert [await task for task in tasks] == [good(key) for key in "abcde"]
    assert desk.idle()


@in_virtual_time
async def test_a_burst_is_spread_over_the_slots() -> None:
    desk = Desk(calls=8)
    tasks = [desk.start(number) for number in range(64)]
    await turns()
    assert [len(call) for call in desk.office.calls] == [8] * 8
    assert sorted(key for call in desk.office.calls for key in call) == list(range(64))
    await desk.office.answer(8)
    assert [await task for task in tasks] == [good(number) for number in range(64)]


@in_virtual_time
async def test_what_collected_while_all_was_busy_is_spread_too() -> None:
    desk = Desk(calls=4)
    busy = [desk.start(name) for name in "abcd"]
    await turns()
    tasks = [desk.start(number) for number in range(32)]
    await turns()
    assert len(desk.office.calls) == 4
    await desk.office.answer(4)
    assert [len(call) for call in desk.office.calls[4:]] == [8] * 4
    await desk.office.answer(4)
    assert all(task.done() for task in (*busy, *tasks))
    assert desk.idle()


CALL_SECONDS = 0.05


async def busy_desk(seconds: float = CALL_SECONDS, lanes: int = 1) -> Desk:
    """Two slots: one with four keys under way, one free again after so long a call."""
    desk = Desk(calls=2, lanes=lanes)
    for number in range(8):
        desk.start(number)
    await turns()
    assert [len(call) for call in desk.office.calls] == [4, 4]
    work(seconds)
    await desk.office.answer()
    return desk


@in_virtual_time
async def test_a_free_slot_waits_for_its_share() -> None:
    desk = await busy_desk()
    for key in "abcd":
        assert len(desk.office.calls) == 2
        await desk.ask(key)
    assert desk.office.calls[2:] == [["a", "b", "c", "d"]]
    assert now() == CALL_SECONDS
    await desk.office.answer(2)
    assert desk.idle()


@in_virtual_time
async def test_those_who_were_just_answered_count_for_the_share() -> None:
    desk = await busy_desk()
    await desk.office.answer()
    for key in "abcd":
        assert len(desk.office.calls) == 2
        await desk.ask(key)
    assert desk.office.calls[2:] == [["a", "b", "c", "d"]]
    await desk.office.answer()
    assert desk.idle()


@in_virtual_time
async def test_those_who_were_answered_long_ago_do_not() -> None:
    desk = await busy_desk()
    await desk.office.answer()
    await asyncio.sleep(CALL_SECONDS * 2.1)
    await desk.ask("a")
    assert desk.office.calls[2:] == [["a"]]
    await desk.office.answer()
    assert desk.idle()


@in_virtual_time
async def test_calls_that_came_back_together_leave_one_after_the_other() -> None:
    desk = Desk(calls=8)
    for number in range(32):
        desk.start(number)
    await turns()
    work(CALL_SECONDS)
    await desk.office.answer(8)
    for number in range(32):
        desk.start(number)
    await turns()
    distance = DISTANCE * CALL_SECONDS / 8
    assert len(desk.office.calls) == 8 + 1
    await asyncio.sleep(distance * 1.1)
    assert len(desk.office.calls) == 8 + 2
    # A slot's patience ends all waiting, though, so that the last of a burst is not late by all the others' distances.
    await asyncio.sleep(CALL_SECONDS * PATIENCE - distance)
    assert [len(call) for call in desk.office.calls[8:]] == [4] * 8
    await desk.office.answer(8)
    assert desk.idle()


@in_virtual_time
async def test_methods_that_are_asked_together_leave_together() -> None:
    desk = Desk(calls=4, lanes=2)
    for _ in range(2):
        for number in range(8):
            for lane in (0, 1):
                desk.start(number, lane=lane)
        await turns()
        assert [len(office.open[0][0]) for office in desk.offices] == [4, 4]
        work(CALL_SECONDS)
        for office in desk.offices:
            await office.answer(2)
    await asyncio.sleep(CALL_SECONDS)
    for office in desk.offices:
        await office.answer(2)
    assert desk.idle()


@in_virtual_time
async def test_it_waits_no_longer_than_a_part_of_a_call() -> None:
    desk = await busy_desk()
    await desk.ask("a")
    await asyncio.sleep(CALL_SECONDS * PATIENCE * 0.9)
    await desk.ask("b")
    assert len(desk.office.calls) == 2
    await asyncio.sleep(CALL_SECONDS * PATIENCE * 0.2)
    assert desk.office.calls[2:] == [["a", "b"]]
    await desk.office.answer(2)
    assert desk.idle()


@in_virtual_time
async def test_after_a_very_long_call_it_waits_no_longer() -> None:
    desk = await busy_desk(30.0)
    await desk.ask("a")
    await asyncio.sleep(MOST_PATIENCE_SECONDS * 1.1)
    assert desk.office.calls[2:] == [["a"]]
    await desk.office.answer(2)
    assert desk.idle()


@in_virtual_time
async def test_who_comes_when_the_others_have_left_waits_for_a_time_of_their_own() -> None:
    desk = await busy_desk()
    gone = await desk.ask("gone")
    await cancel(gone)
    await asyncio.sleep(CALL_SECONDS)
    await desk.ask("a")
    assert len(desk.office.calls) == 2
    await asyncio.sleep(CALL_SECONDS * PATIENCE * 1.1)
    assert desk.office.calls[2:] == [["a"]]
    await desk.office.answer(2)
    assert desk.idle()


@in_virtual_time
async def test_a_lane_that_has_nothing_else_to_wait_for_goes_at_once_beside_one_with_many() -> None:
    desk = await busy_desk(lanes=2)
    await desk.ask("rare", lane=1)
    assert desk.offices[1].calls == [["rare"]]
    assert now() == CALL_SECONDS
    await desk.slots.close()


@in_virtual_time
async def test_a_lane_with_few_keys_has_its_turn_beside_one_with_many() -> None:
    desk = Desk(calls=2, lanes=2)
    rare = [desk.start(name, lane=1) for name in "abc"]
    for number in range(8):
        desk.start(number)
    await turns()
    work(CALL_SECONDS)
    for office in desk.offices:
        await office.answer(2)
    rare = [desk.start(name, lane=1) for name in "ab"]
    before = len(desk.office.calls)
    for start in range(10, 50, 8):
        for number in range(start, start + 8):
            desk.start(number)
        await turns()
        work(CALL_SECONDS)
        for office in desk.offices:
            await office.answer(2)
        if all(task.done() for task in rare):
            break
    assert all(task.done() for task in rare)
    # One slot was theirs as soon as their patience was over; until then, both were of use to the others.
    assert len(desk.office.calls) - before <= 3
    await desk.slots.close()


@in_virtual_time
async def test_what_one_request_asks_for_together_counts_once() -> None:
    desk = Desk(calls=4, lanes=2)
    for _ in range(3):
        page = desk.start(*range(20), lane=0)
        name = desk.start("name", lane=1)
        await turns()
        assert [len(office.open) for office in desk.offices] == [1, 1]
        work(CALL_SECONDS)
        for office in desk.offices:
            await office.answer()
        assert page.done()
        assert name.done()


@in_virtual_time
async def test_a_backlog_keeps_no_distance() -> None:
    desk = Desk(calls=2, batch=4)
    for _ in range(3):
        desk.start("slow")
        await turns()
        work(CALL_SECONDS)
        await desk.office.answer()
    for number in range(40):
        desk.start(number)
    await turns()
    for done in range(1, 9):
        assert len(desk.office.open) == 2
        work(CALL_SECONDS / 10)
        await desk.office.answer()
        assert len(desk.office.calls) == 3 + 2 + done
    await desk.slots.close()


@in_virtual_time
async def test_with_a_slot_for_each_nobody_waits_though_calls_are_long() -> None:
    desk = Desk(calls=4)
    first = await desk.ask("a")
    work(CALL_SECONDS)
    await desk.office.answer()
    assert await first == good("a")
    await desk.ask("b")
    await desk.ask("c")
    assert desk.office.calls == [["a"], ["b"], ["c"]]
    await desk.office.answer(2)
    assert desk.idle()


@in_virtual_time
async def test_what_one_request_asks_for_together_is_one_call() -> None:
    desk = Desk(calls=8)
    page, one = desk.start(*range(30)), desk.start("a")
    await turns()
    assert desk.office.calls == [list(range(30)), ["a"]]
    await desk.office.answer(2)
    assert (await page, await one) == (good(*range(30)), good("a"))


@in_virtual_time
async def test_no_call_has_more_keys_than_the_batch() -> None:
    desk = Desk(calls=1, batch=10)
    tasks = [desk.start(*range(25)), desk.start(*range(100, 107)), desk.start("a", "b", "c"), desk.start("d")]
    await turns()
    while desk.office.open:
        await desk.office.answer()
    assert desk.office.calls == [
        list(range(10)),
        list(range(10, 20)),
        list(range(20, 25)),
        [*range(100, 107), "a", "b", "c"],
        ["d"],
    ]
    assert await tasks[0] == good(*range(25))
    assert all(task.done() for task in tasks)
    assert desk.idle()


@in_virtual_time
async def test_a_key_under_way_is_joined() -> None:
    desk = Desk(calls=2)
    tasks = [await desk.ask("a"), await desk.ask("a", "b"), await desk.ask("b", "a", "b")]
    assert desk.office.calls == [["a"], ["b"]]
    await desk.office.answer(2)
    assert [await task for task in tasks] == [good("a"), good("a", "b"), good("a", "b")]


@in_virtual_time
async def test_a_key_that_waits_is_joined() -> None:
    desk = Desk(calls=1)
    tasks = [await desk.ask("x"), await desk.ask("a", "b"), await desk.ask("b", "c")]
    await desk.office.answer()
    assert desk.office.calls == [["x"], ["a", "b", "c"]]
    await desk.office.answer()
    assert [await task for task in tasks] == [good("x"), good("a", "b"), good("b", "c")]


@in_virtual_time
async def test_once_answered_it_is_asked_for_anew() -> None:
    desk = Desk()
    for _ in range(3):
        task = await desk.ask("a")
        await desk.office.answer()
        assert await task == good("a")
    assert desk.office.calls == [["a"]] * 3


@in_virtual_time
async def test_nothing_asked_is_nothing_found() -> None:
    desk = Desk()
    assert await desk.lanes[0].load([], deadline=now() + 1) == {}
    assert desk.idle()


@in_virtual_time
async def test_lanes_take_turns() -> None:
    desk = Desk(calls=1, batch=1, lanes=3)
    tasks = [desk.start(number, lane=0) for number in range(5)]
    await turns()
    tasks += [desk.start("b", lane=1), desk.start("c", lane=2)]
    await turns()
    for _ in range(2):
        for office in desk.offices:
            await office.answer()
    assert len(desk.offices[0].calls) <= 3
    assert [task.done() for task in tasks[-2:]] == [True, True]
    while desk.office.open:
        await desk.office.answer()
    assert desk.idle()


@in_virtual_time
async def test_slots_are_the_back_offices_whatever_the_lane() -> None:
    desk = Desk(calls=3, lanes=2)
    tasks = [desk.start(number, lane=number % 2) for number in range(20)]
    await turns()
    assert sum(len(office.open) for office in desk.offices) == 3
    for _ in range(20):
        for office in desk.offices:
            await office.answer()
            assert sum(len(each.open) for each in desk.offices) <= 3
    assert all(task.done() for task in tasks)
    assert desk.idle()
