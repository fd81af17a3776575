"""The ERP's sessions: a pool, one call at a time in each, and an end to them."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from time import perf_counter

import httpx2
import pytest

from bff.demo.launch import DemoOffice, demo_office
from bff.demo.sessions import Sessions, SessionUnknown

Ask = Callable[..., httpx2.Response]

CALL_SECONDS = 0.7
"""Of the slow one: so long that calls made at once meet, on a machine that does other things, too."""


@pytest.fixture(scope="module")
def small() -> Iterator[DemoOffice]:
    with demo_office("erp", options={"pool": 2}) as office:
        yield office


@pytest.fixture
def erp(small: DemoOffice) -> DemoOffice:
    small.reset()
    return small


@pytest.fixture(scope="module")
def slow() -> Iterator[DemoOffice]:
    with demo_office("erp", options={"pool": 2, "call_ms": CALL_SECONDS * 1000}) as office:
        yield office


def start(ask: Ask, erp: DemoOffice) -> str:
    """Open a session and return its cookie."""
    response = ask(erp.service, headers={"IBSession": "start"})
    assert response.status_code == 200
    cookie, _, path = response.headers["Set-Cookie"].partition("; ")
    assert path == "path=/shop"
    return str(cookie)


def finish(ask: Ask, erp: DemoOffice, cookie: str) -> httpx2.Response:
    return ask(erp.service, headers={"IBSession": "finish", "Cookie": cookie})


def test_a_session_lives_from_start_to_finish(erp: DemoOffice, ask: Ask) -> None:
    cookie = start(ask, erp)
    assert erp.stats()["sessions"] == 1
    assert ask(erp.service, headers={"Cookie": cookie}).status_code == 200
    assert finish(ask, erp, cookie).status_code == 200
    assert erp.stats()["sessions"] == 0

    gone = ask(erp.service, headers={"Cookie": cookie})
    assert (gone.status_code, gone.text) == (400, "Сеанс отсутствует или удален")
    assert finish(ask, erp, cookie).status_code == 400
    assert ask(erp.service, headers={"IBSession": "finish"}).status_code == 400
    assert ask(erp.service, headers={"IBSession": "pause"}).status_code == 400


def test_finish_needs_no_call(erp: DemoOffice, ask: Ask, http: httpx2.Client) -> None:
    headers = {"IBSession": "finish", "Cookie": start(ask, erp)}
    assert http.post(erp.service, headers=headers, auth=("cabinet", "demo")).status_code == 200
    assert erp.stats()["sessions"] == 0


def test_the_pool_has_an_end(erp: DemoOffice, ask: Ask) -> None:
    cookies = [start(ask, erp), start(ask, erp)]
    assert ask(erp.service, headers={"IBSession": "start"}).status_code == 406
    assert ask(erp.service).status_code == 406  # a call of its own needs a session too
    assert ask(erp.service, headers={"Cookie": cookies[0]}).status_code == 200
    finish(ask, erp, cookies[0])
    assert ask(erp.service).status_code == 200
    finish(ask, erp, cookies[1])


def test_a_session_serves_one_call_after_the_other(slow: DemoOffice, ask: Ask) -> None:
    cookie = start(ask, slow)

    def met() -> int:
        with ThreadPoolExecutor(3) as threads:
            began = perf_counter()
            calls = [threads.submit(ask, slow.service, headers={"Cookie": cookie}) for _ in range(3)]
            assert [call.result().status_code for call in calls] == [200, 200, 200]
            assert perf_counter() - began >= 3 * CALL_SECONDS
        return slow.stats()["most_in_flight"]

    # On a busy machine they may miss each other, but not each time.
    assert any(met() == 3 for _ in range(3))
    assert slow.stats() == {"sessions": 1, "in_flight": 0, "most_in_flight": 3}
    slow.reset()
    assert slow.stats()["most_in_flight"] == 0
    finish(ask, slow, cookie)


def test_calls_without_a_session_run_side_by_side_and_leave_none(slow: DemoOffice, ask: Ask) -> None:
    def one_too_many() -> bool:
        with ThreadPoolExecutor(3) as threads:
            calls = [threads.submit(ask, slow.service) for _ in range(3)]
            statuses = sorted(call.result().status_code for call in calls)
        assert statuses[:2] == [200, 200]
        return statuses[2] == 406

    # The same.
    assert any(one_too_many() for _ in range(3))
    assert slow.stats()["sessions"] == 0


def test_an_idle_session_ends() -> None:
    now = 100.0
    sessions = Sessions(pool=1, idle_seconds=20, clock=lambda: now)
    session = sessions.open()
    now = 120.0
    assert sessions.find(session.key) is session
    now = 120.1
    with pytest.raises(SessionUnknown):
        sessions.find(session.key)
    assert len(sessions) == 0
