"""1C's sessions, and the limit on calls in flight."""

import asyncio
from contextlib import suppress

import pytest

from adapters.erp.onec_soap import client, spec
from adapters.erp.onec_soap.answers import Answers
from adapters.erp.onec_soap.client import Client
from adapters.erp.onec_soap.mapping import load_calls
from adapters.erp.onec_soap.sessions import cookie_of
from bff.errors import Busy, TimedOut, Upstream
from bff.http import HttpClients
from bff.plugins import Adapter
from tests.patience import PATIENCE_SECONDS
from tests.unit.adapters.fake_http import Answer
from tests.unit.adapters.onec_soap.asking import clients, echo, failure, profiles, sessions
from tests.unit.adapters.onec_soap.conftest import HERE, Make, raw_settings
from tests.unit.adapters.onec_soap.fake_1c import Asked, FakeOneC, fault

pytestmark = pytest.mark.anyio

PLAIN = {"Content-Type": "text/plain; charset=utf-8"}


async def test_the_first_call_starts_a_session_and_later_ones_use_it(server: FakeOneC, adapter: Adapter) -> None:
    server.behaviour = echo
    for _ in range(3):
        await profiles(adapter, "c1")
    assert sessions(server) == [("start", None), (None, "ibsession=s1"), (None, "ibsession=s1")]


async def test_without_reuse_nothing_is_said_of_sessions(server: FakeOneC, make: Make) -> None:
    server.behaviour = lambda asked: Answer(echo(asked).body, headers={"Set-Cookie": "ibsession=x"})
    adapter = make(sessions="none")
    for _ in range(2):
        await profiles(adapter, "c1")
    assert sessions(server) == [(None, None), (None, None)]


@pytest.mark.parametrize(
    "lost",
    [
        Answer("Сеанс не найден".encode(), 400, PLAIN),
        Answer("Нет сеансов".encode(), 406, PLAIN),
        Answer("Сеанс отсутствует или удалён".encode(), 500, PLAIN),
        fault("Сеанс работы завершен администратором"),
        fault("сеанс работы завершён администратором", 200),
        fault("Лицензия отозвана."),
    ],
    ids=["400", "406", "plain 500", "fault", "fault with 200", "the mapping's own"],
)
async def test_a_lost_session_is_replaced_once(server: FakeOneC, adapter: Adapter, lost: Answer) -> None:
    server.behaviour = echo
    await profiles(adapter, "c1")
    server.script = [lost]
    assert set(await profiles(adapter, "c1")) == {"c1"}
    assert sessions(server) == [("start", None), (None, "ibsession=s1"), ("start", None)]


@pytest.mark.parametrize(
    ("lost", "meaning"),
    [
        (Answer(b"", 400), Upstream),
        (Answer(b"", 406, {"Retry-After": "2"}), Busy),
        (fault("Сеанс отсутствует или удален"), Upstream),
    ],
    ids=["400", "406", "fault"],
)
async def test_a_session_lost_twice_is_an_error_after_exactly_one_retry(
    server: FakeOneC, adapter: Adapter, lost: Answer, meaning: type[Exception]
) -> None:
    server.script = [lost, lost]
    error = await failure(adapter)
    assert type(error) is meaning
    assert sessions(server) == [("start", None), ("start", None)]
    if isinstance(error, Busy):
        assert error.retry_after == 2


async def test_only_a_406_is_waited_for(server: FakeOneC) -> None:
    pauses: list[int] = []

    async def pause() -> None:
        pauses.append(len(server.asked))

    settings = spec.settings_from(raw_settings(server.address), HERE)
    _, described = load_calls(settings)
    http = HttpClients().open("erp", settings.address, settings.limits)
    calls = Client("erp", settings, http, Answers((), ()), pause)
    server.behaviour = echo
    for status in (406, 400):
        server.script = [Answer(status=status)]
        assert set(await calls.call(described.reads["profiles"], ["c1"])) == {"c1"}
    await calls.close()
    assert pauses == [1]


async def test_calls_in_flight_never_above_the_pool_and_a_session_serves_one_at_a_time(
    server: FakeOneC, make: Make
) -> None:
    full = asyncio.Event()

    async def slowly(asked: Asked) -> Answer:
        if server.in_flight == 4:
            full.set()
        await full.wait()
        await asyncio.sleep(0.005)
        return echo(asked)

    server.behaviour = slowly
    adapter = make(pool=4)
    await asyncio.gather(*(profiles(adapter, f"c{number}") for number in range(50)))
    assert len(server.asked) == 50
    assert server.most_in_flight == 4
    assert server.most_in_a_session == 1
    assert server.sessions_opened == 4


async def test_the_parts_of_one_batch_keep_to_the_pool_too(server: FakeOneC, make: Make) -> None:
    full = asyncio.Event()

    async def slowly(asked: Asked) -> Answer:
        if server.in_flight == 2:
            full.set()
        await full.wait()
        await asyncio.sleep(0.001)
        return echo(asked)

    server.behaviour = slowly
    adapter = make(pool=2, batch=1)
    await profiles(adapter, *(f"c{number}" for number in range(20)))
    assert server.most_in_flight == 2


async def test_calls_one_after_the_other_keep_one_session_warm(server: FakeOneC, make: Make) -> None:
    server.behaviour = echo
    adapter = make(pool=8)
    for _ in range(10):
        await profiles(adapter, "c1")
    assert server.sessions_opened == 1


async def test_a_fault_keeps_the_session(server: FakeOneC, adapter: Adapter) -> None:
    server.script = [fault("Ошибка"), clients("c1")]
    await failure(adapter)
    await profiles(adapter, "c1")
    assert sessions(server) == [("start", None), (None, "ibsession=s1")]


async def test_a_cancelled_call_leaves_the_pool_usable_and_its_session_alone(server: FakeOneC, make: Make) -> None:
    begun = asyncio.Event()

    async def hang(_: Asked) -> Answer:
        begun.set()
        await asyncio.Event().wait()
        raise AssertionError

    adapter = make(pool=1)
    server.behaviour = echo
    await profiles(adapter, "c1")
    server.behaviour = hang
    for _ in range(5):
        begun.clear()
        task = asyncio.create_task(profiles(adapter, "c1"))
        await begun.wait()
        waiting = asyncio.create_task(profiles(adapter, "c2"))
        await asyncio.sleep(0)
        waiting.cancel()
        task.cancel()
        assert all(
            isinstance(end, asyncio.CancelledError)
            for end in await asyncio.gather(task, waiting, return_exceptions=True)
        )
    server.behaviour = echo
    assert set(await profiles(adapter, "c1")) == {"c1"}
    assert sessions(server) == [("start", None), (None, "ibsession=s1"), *[("start", None)] * 5]
    assert server.most_in_a_session == 1


async def test_a_session_that_timed_out_is_not_used_again(server: FakeOneC, make: Make) -> None:
    adapter = make(timeout_ms=300)

    async def until_in_time() -> None:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while True:
                with suppress(TimedOut):
                    await profiles(adapter, "c1")
                    return

    async def never(_: Asked) -> Answer:
        await asyncio.Event().wait()
        raise AssertionError

    server.behaviour = echo
    await until_in_time()
    server.behaviour = never
    assert isinstance(await failure(adapter), TimedOut)
    server.behaviour = echo
    await until_in_time()
    assert sessions(server)[-1] == ("start", None)


async def test_waiting_for_a_slot_is_not_timed(server: FakeOneC, make: Make) -> None:
    async def slowly(asked: Asked) -> Answer:
        await asyncio.sleep(0.5)
        return echo(asked)

    server.behaviour = slowly

    async def are_in_time() -> bool:
        # For each call time enough, for all of them too little.
        adapter = make(pool=1, timeout_ms=1_900)
        calls = (profiles(adapter, f"c{number}") for number in range(4))
        found = await asyncio.gather(*calls, return_exceptions=True)
        assert all(isinstance(each, TimedOut | dict) for each in found)
        return not any(isinstance(each, TimedOut) for each in found)

    # A call may be late on a busy machine, but not each time.
    assert await are_in_time() or await are_in_time() or await are_in_time()


async def test_closing_finishes_every_open_session(server: FakeOneC, make: Make) -> None:
    together = asyncio.Barrier(2)

    async def pair(asked: Asked) -> Answer:
        await together.wait()
        return echo(asked)

    server.behaviour = pair
    adapter = make(pool=3)
    await asyncio.gather(profiles(adapter, "c1"), profiles(adapter, "c2"))
    server.behaviour = lambda _: Answer()
    await adapter.close()
    assert sorted(sessions(server)[2:]) == [("finish", "ibsession=s1"), ("finish", "ibsession=s2")]
    assert "authorization" in server.asked[-1].headers


async def test_closing_does_not_wait_for_a_1c_that_hangs(
    server: FakeOneC, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "_FAREWELL_SECONDS", 0.03)
    server.behaviour = echo
    adapter = make()
    await profiles(adapter, "c1")

    async def hang(_: Asked) -> Answer:
        await asyncio.Event().wait()
        raise AssertionError

    server.behaviour = hang
    async with asyncio.timeout(PATIENCE_SECONDS):
        await adapter.close()


@pytest.mark.parametrize(
    ("header", "cookie"),
    [
        (None, None),
        ("", None),
        ("ibsession=abc-1/=", "abc-1/="),
        ("other=1; path=/, ibsession=abc; path=/shop", "abc"),
        ("notibsession=abc", None),
        ("ibsession=; expires=Thu, 01 Jan 1970 00:00:00 GMT", None),
        ("ibsession=a b", "a"),
        ('ibsession="x', None),
    ],
)
async def test_cookie_of(header: str | None, cookie: str | None) -> None:
    assert cookie_of(header) == cookie
