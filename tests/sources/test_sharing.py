"""Calls shared between requests: who goes with whom, who joins, who leaves, and what is left afterwards."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from structlog.testing import capture_logs

from bff.errors import AdapterBroken, BackOfficeError, Busy, TimedOut, Unavailable
from bff.sources.sharing import Lane, Slots
from tests.sources.virtual_time import VirtualLoop, in_virtual_time, now, turns

Keys = Sequence[Any]
Found = dict[Any, Any]


class Office:
    """Answers when it is told to; each key with itself."""

    def __init__(self) -> None:
        self.calls: list[list[Any]] = []
        self.open: list[tuple[list[Any], asyncio.Future[Mapping[Any, Any]]]] = []
        self.most = 0

    async def __call__(self, keys: Keys) -> Mapping[Any, Any]:
        call = (list(keys), asyncio.get_running_loop().create_future())
        self.calls.append(call[0])
        self.open.append(call)
        self.most = max(self.most, len(self.open))
        try:
            answer: Mapping[Any, Any] = await call[1]
        finally:
            self.open.remove(call)
        return answer

    async def answer(self, count: int = 1) -> None:
        """The calls that have waited longest are answered."""
        for keys, future in self.open[:count]:
            future.set_result({key: f"answer {key}" for key in keys})
        await turns()

    async def fail(self, error: BaseException) -> None:
        """The call that has waited longest comes to a bad end."""
        self.open[0][1].set_exception(error)
        await turns()


class Desk:
    """A back office with a lane or two, and those who ask."""

    def __init__(self, calls: int = 1, queue: int = 1_000, batch: int = 50, lanes: int = 1) -> None:
        self.slots = Slots(calls, queue, "erp")
        self.offices = [Office() for _ in range(lanes)]
        self.refused_with: BackOfficeError | None = None
        self.lanes: list[Lane[Any, str]] = [
            Lane(self.slots, office, batch=batch, refusal=lambda: self.refused_with) for office in self.offices
        ]

    @property
    def office(self) -> Office:
        return self.offices[0]

    def start(self, *keys: Any, seconds: float = 10.0, lane: int = 0) -> asyncio.Task[Found]:
        """One request asks."""
        return asyncio.create_task(self.lanes[lane].load(keys, deadline=now() + seconds))

    async def ask(self, *keys: Any, seconds: float = 10.0, lane: int = 0) -> asyncio.Task[Found]:
        """One request asks, and the loop has turned."""
        task = self.start(*keys, seconds=seconds, lane=lane)
        await turns()
        return task

    def idle(self) -> bool:
        """Whether all is as it was in the beginning."""
        return (
            (self.slots.free, self.slots.waiting, self.slots.under_way) == (self.slots.calls, 0, 0)
            and not any((lane.waiting, lane._groups, lane._under_way) != ({}, {}, {}) for lane in self.lanes)
            and not self.slots._tasks
        )


async def cancel(task: asyncio.Task[Any]) -> None:
    task.cancel()
    await asyncio.wait([task])


def good(*keys: Any) -> Found:
    return {key: f"answer {key}" for key in keys}


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


KEYS = st.lists(st.sampled_from("abcdefgh"), min_size=1, max_size=5)
SLOTS, QUEUE, BATCH = 2, 6, 3


class SharingMachine(RuleBasedStateMachine):
    """Requests come and go at random, calls end well or badly at random."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = VirtualLoop()
        self.desk = Desk(SLOTS, QUEUE, BATCH, lanes=2)
        self.asked: list[tuple[list[str], asyncio.Task[Found]]] = []

    def do(self, what: Any) -> None:
        self.loop.run_until_complete(what)

    @rule(keys=KEYS, lane=st.integers(0, 1), seconds=st.sampled_from([0.0, 1.0, 10.0]), turn=st.booleans())
    def ask(self, keys: list[str], lane: int, seconds: float, turn: bool) -> None:
        async def asking() -> None:
            self.asked.append((keys, self.desk.start(*keys, seconds=seconds, lane=lane)))
            if turn:
                await turns()

        self.do(asking())

    @precondition(lambda self: bool(self.asked))
    @rule(data=st.data(), turn=st.booleans())
    def leave(self, data: st.DataObject, turn: bool) -> None:
        _, task = data.draw(st.sampled_from(self.asked))
        task.cancel()
        if turn:
            self.do(turns())

    @rule(lane=st.integers(0, 1), how=st.sampled_from(["answer", "defect", "cancelled"]), turn=st.booleans())
    def end_a_call(self, lane: int, how: str, turn: bool) -> None:
        office = self.desk.offices[lane]
        pending = [(keys, future) for keys, future in office.open if not future.done()]
        if not pending:
            return
        keys, future = pending[0]
        if how == "answer":
            future.set_result(good(*keys))
        elif how == "defect":
            future.set_exception(ZeroDivisionError())
        else:
            future.cancel()
        if turn:
            self.do(turns())

    @rule(seconds=st.sampled_from([0.5, 1.0, 20.0]))
    def let_time_pass(self, seconds: float) -> None:
        self.do(asyncio.sleep(seconds))

    @invariant()
    def nothing_is_asked_for_twice_at_once(self) -> None:
        for office in self.desk.offices:
            under_way = [key for keys, _ in office.open for key in keys]
            assert len(under_way) == len(set(under_way))
            assert all(len(call) <= BATCH for call in office.calls)
        assert sum(len(office.open) for office in self.desk.offices) <= SLOTS

    @invariant()
    def the_counts_are_right(self) -> None:
        slots = self.desk.slots
        assert slots.waiting == sum(len(lane.waiting) for lane in self.desk.lanes) <= QUEUE
        assert slots.under_way == sum(len(lane._under_way) for lane in self.desk.lanes)
        assert slots.free == SLOTS - len(slots._tasks)
        for lane in self.desk.lanes:
            assert sorted(key for group in lane._groups.values() for key in group) == sorted(lane.waiting)
            assert not any(len(group) > BATCH or not group for group in lane._groups.values())
            flights = [*lane.waiting.values(), *lane._under_way.values()]
            assert all(flight.waiters >= 0 for flight in flights)
            assert all(flight.waiters > 0 for flight in lane.waiting.values())

    @invariant()
    def everybody_gets_the_outcomes_they_asked_for(self) -> None:
        for keys, task in [each for each in self.asked if each[1].done()]:
            self.asked.remove((keys, task))
            if not task.cancelled():
                found = task.result()
                assert found.keys() == set(keys)
                assert all(isinstance(each, BackOfficeError) or each == f"answer {key}" for key, each in found.items())

    def teardown(self) -> None:
        async def end() -> None:
            for _ in range(100):
                for office in self.desk.offices:
                    await office.answer(SLOTS)
            await turns()
            assert all(task.done() for _, task in self.asked), "everybody has been told"

        with capture_logs():
            self.do(end())
        self.everybody_gets_the_outcomes_they_asked_for()
        assert self.desk.idle()
        self.loop.close()
        assert self.loop.complaints == []


SharingMachine.TestCase.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
TestSharingAtRandom = SharingMachine.TestCase
