"""Calls that their callers left in the middle, and the sessions that 1C has open for them."""

import asyncio
from dataclasses import replace

import pytest

from adapters.erp.onec_soap import client, spec
from adapters.erp.onec_soap.answers import Answers
from adapters.erp.onec_soap.client import Client
from adapters.erp.onec_soap.mapping import load_calls
from bff.errors import Busy
from bff.http import HttpClients
from bff.plugins import Adapter
from tests.patience import PATIENCE_SECONDS
from tests.unit.adapters.fake_http import Answer
from tests.unit.adapters.onec_soap.asking import echo, failure, profiles, sessions
from tests.unit.adapters.onec_soap.conftest import HERE, Make, raw_settings
from tests.unit.adapters.onec_soap.fake_1c import Asked, FakeOneC

pytestmark = pytest.mark.anyio


async def abandon_a_session(server: FakeOneC, adapter: Adapter) -> None:
    """Let session s1 be opened, and a call in it be cancelled."""
    begun = asyncio.Event()

    async def hang(_: Asked) -> Answer:
        begun.set()
        await asyncio.Event().wait()
        raise AssertionError

    server.behaviour = echo
    await profiles(adapter, "c1")
    server.behaviour = hang
    task = asyncio.create_task(profiles(adapter, "c1"))
    await begun.wait()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    server.behaviour = echo


async def test_an_abandoned_session_is_used_again_where_1c_has_no_other(server: FakeOneC, adapter: Adapter) -> None:
    # Otherwise a spell of slowness would cost all of 1C's sessions until they have aged.
    await abandon_a_session(server, adapter)
    server.script = [Answer(status=406)]
    assert set(await profiles(adapter, "c1")) == {"c1"}
    await profiles(adapter, "c1")
    assert sessions(server)[2:] == [("start", None), (None, "ibsession=s1"), (None, "ibsession=s1")]


async def test_an_abandoned_session_that_has_aged_means_busy(server: FakeOneC, adapter: Adapter) -> None:
    await abandon_a_session(server, adapter)
    server.script = [Answer(status=406), Answer(status=400)]
    assert isinstance(await failure(adapter), Busy)
    await profiles(adapter, "c1")
    assert sessions(server)[2:] == [("start", None), (None, "ibsession=s1"), ("start", None)]


async def test_closing_finishes_abandoned_sessions_too(server: FakeOneC, make: Make) -> None:
    adapter = make()
    await abandon_a_session(server, adapter)
    await adapter.close()
    assert sessions(server)[2:] == [("finish", "ibsession=s1")]


async def leave_a_starting_call(server: FakeOneC, adapter: Adapter) -> asyncio.Event:
    """Let a call that opens session s1 be cancelled before its answer; that comes when the event is set."""
    begun, answering = asyncio.Event(), asyncio.Event()

    async def slowly(asked: Asked) -> Answer:
        begun.set()
        await answering.wait()
        return echo(asked)

    server.behaviour = slowly
    task = asyncio.create_task(profiles(adapter, "c1"))
    await begun.wait()
    task.cancel()
    assert isinstance((await asyncio.gather(task, return_exceptions=True))[0], asyncio.CancelledError)
    return answering


async def test_where_1c_has_no_session_the_one_of_a_call_that_was_left_is_waited_for(
    server: FakeOneC, make: Make
) -> None:
    adapter = make()
    answering = await leave_a_starting_call(server, adapter)

    async def refuse(asked: Asked) -> Answer:
        answering.set()
        return Answer(status=406) if asked.wish == "start" else echo(asked)

    server.behaviour = refuse
    for _ in range(2):
        assert set(await profiles(adapter, "c1")) == {"c1"}
    again = (None, "ibsession=s1")
    assert sessions(server) == [("start", None), ("start", None), again, again]


async def test_closing_finishes_the_session_of_a_call_that_was_left(server: FakeOneC, make: Make) -> None:
    adapter = make()
    answering = await leave_a_starting_call(server, adapter)
    closing = asyncio.ensure_future(adapter.close())
    answering.set()
    await closing
    assert sessions(server) == [("start", None), ("finish", "ibsession=s1")]


async def test_no_more_calls_are_left_than_the_pool_has(server: FakeOneC, make: Make) -> None:
    adapter = make(pool=1)
    first = await leave_a_starting_call(server, adapter)
    second = await leave_a_starting_call(server, adapter)
    first.set()
    second.set()
    await adapter.close()
    # The first of them was broken off when the second was left; which session that was, nobody knows.
    assert [wish for wish, _ in sessions(server)] == ["start", "start", "finish"]


async def test_those_who_leave_together_leave_no_more_calls_than_the_pool_has(server: FakeOneC) -> None:
    settings = spec.settings_from(raw_settings(server.address) | {"pool": 2}, HERE)
    _, described = load_calls(settings)
    http = HttpClients().open("erp", settings.address, replace(settings.limits, connections=4))
    calls = Client("erp", settings, http, Answers((), ()))
    begun = asyncio.Semaphore(0)

    async def hang(_: Asked) -> Answer:
        begun.release()
        await asyncio.Event().wait()
        raise AssertionError

    server.behaviour = hang
    for _ in range(3):
        tasks = [asyncio.create_task(calls.call(described.reads["profiles"], [name])) for name in ("c1", "c2")]
        for _ in tasks:
            await begun.acquire()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert len(calls._left) == 2
    await calls.close()


async def test_a_retry_does_not_wait_for_a_call_that_was_left_and_hangs(server: FakeOneC, make: Make) -> None:
    adapter = make()
    await leave_a_starting_call(server, adapter)
    server.behaviour = echo
    server.script = [Answer(status=406)]
    async with asyncio.timeout(PATIENCE_SECONDS / 2):
        assert set(await profiles(adapter, "c1")) == {"c1"}
    assert sessions(server) == [("start", None)] * 3


async def test_closing_does_not_wait_for_a_call_that_was_left_and_hangs(
    server: FakeOneC, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "_FAREWELL_SECONDS", 0.03)
    adapter = make()
    await leave_a_starting_call(server, adapter)
    async with asyncio.timeout(PATIENCE_SECONDS):
        await adapter.close()
