"""Calls shared between requests that come and go at random: the counts are right at any moment."""

import asyncio
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from structlog.testing import capture_logs

from bff.errors import BackOfficeError
from bff.sources.sharing import MOST_PATIENCE_SECONDS
from tests.sources.shared_calls import Desk, Found, good
from tests.sources.virtual_time import VirtualLoop, turns

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
        assert not (self.desk.slots.free and self.desk.slots.waiting), "patience has an end"

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
            assert all(flight.outcome is None for flight in flights)
            assert all(flight.parties for flight in lane.waiting.values())

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
                await asyncio.sleep(MOST_PATIENCE_SECONDS)
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
