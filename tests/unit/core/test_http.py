"""`bff.http`: requests, deadlines, statuses, certificates; and servers that are slow, hang, or are somebody else."""

import asyncio
import socket
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from typing import Any

import pytest

from bff.errors import BackOfficeError, BadReply, Busy, SignInRefused, TimedOut, Unavailable, Upstream
from bff.http import MAX_RETRY_AFTER_SECONDS
from tests.fakes.certificates import Authority
from tests.fakes.http_server import Script, answers, hangs, head, repeats, scripted, sends
from tests.unit.core.http_clients import Open, ask

pytestmark = pytest.mark.anyio


async def test_a_request_arrives_as_it_was_made(client: Open) -> None:
    async with scripted(answers(b'{"a": 1}', X_Trace="7")) as server:
        made = client(server.address + "/api/", headers={"Authorization": "Bearer t"})
        params = [("id", "a b"), ("id", "ж&")]
        reply = await made.request("POST", "/orders", params=params, headers={"X-One": "1"}, body=b"<a/>")
        asked = server.asked[0]
    assert (asked.method, asked.target, asked.body) == ("POST", "/api/orders?id=a+b&id=%D0%B6%26", b"<a/>")
    assert asked.headers["authorization"] == "Bearer t"
    assert asked.headers["x-one"] == "1"
    assert asked.headers["accept-encoding"] == "gzip"
    assert asked.headers["user-agent"].startswith("kabinet/")
    assert (reply.status, reply.body, reply.headers["x-trace"], reply.retry_after) == (200, b'{"a": 1}', "7", None)


async def test_proxies_of_the_environment_are_not_used(client: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    assert (await ask(client, answers(b"ok"))).body == b"ok"


@pytest.mark.parametrize(
    "script",
    [
        hangs(),
        hangs(head(Content_Length="5") + b"abc"),
        repeats(head(Content_Length="100000"), b"x", pause=0.01),
        repeats(b"HTTP/1.1 200 -\r\n", b"X-Header: 1\r\n", pause=0.01),
        repeats(b"", b"HTTP/1.1 100 Continue\r\n\r\n", pause=0.01),
    ],
    ids=["silence", "half a body", "a drip of body", "a drip of headers", "promises without an end"],
)
async def test_the_total_deadline_holds_however_the_server_drags(client: Open, script: Script) -> None:
    with pytest.raises(TimedOut, match=r"^erp: no whole answer within 0\.06 s$"):
        await ask(client, script, total_seconds=0.06)


async def test_waiting_for_a_connection_counts_against_the_deadline(client: Open) -> None:
    async with scripted(hangs()) as server:
        one = client(server.address, connections=1, total_seconds=0.06)
        found = await asyncio.gather(*(one.request("GET") for _ in range(3)), return_exceptions=True)
        assert [type(each) for each in found] == [TimedOut] * 3


async def test_nobody_listening_is_unavailable(client: Open) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with pytest.raises(Unavailable, match="no answer"):
        await client(f"http://127.0.0.1:{port}").request("GET")


async def test_a_host_without_an_address_is_unavailable(client: Open) -> None:
    with pytest.raises(Unavailable):
        await client("http://nobody.invalid").request("GET")


@pytest.fixture
def black_hole() -> Iterator[str]:
    """A port where packets vanish: its queue of waiting connections is full."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as server, ExitStack() as waiting:
        address = server.getsockname()
        with suppress(TimeoutError):
            while True:
                waiting.enter_context(socket.create_connection(address, timeout=0.1))
        yield f"127.0.0.1:{address[1]}"


async def test_a_black_hole_costs_only_the_connect_timeout(client: Open, black_hole: str) -> None:
    with pytest.raises(Unavailable, match=r"no connection within 0\.05 s"):
        await client(f"http://{black_hole}", connect_seconds=0.05).request("GET")


async def test_a_tls_handshake_that_hangs_costs_only_the_connect_timeout(client: Open) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        with pytest.raises(Unavailable):
            await client(f"https://127.0.0.1:{port}", connect_seconds=0.05).request("GET")


async def test_redirects_are_not_followed_and_credentials_not_sent_on(client: Open) -> None:
    async with scripted(answers(b"stolen")) as elsewhere:
        for status in (301, 302, 303, 307, 308):
            async with scripted(answers(status=status, Location=elsewhere.address + "/x")) as server:
                made = client(server.address, headers={"Authorization": "Bearer t"})
                reply = await made.request("POST", "/", body=b"{}")
            with pytest.raises(BadReply, match="redirects are not followed"):
                reply.refuse_errors()
        assert elsewhere.connections == 0


async def test_cookies_of_one_answer_do_not_go_with_the_next_call(client: Open) -> None:
    async with scripted(answers(Set_Cookie="ibsession=of-somebody; Path=/")) as server:
        made = client(server.address)
        first = await made.request("GET")
        await made.request("GET")
        assert first.headers["set-cookie"].startswith("ibsession=")
        assert "cookie" not in server.asked[1].headers


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (401, SignInRefused),
        (403, SignInRefused),
        (429, Busy),
        (503, Busy),
        (304, BadReply),
        (404, Upstream),
        (500, Upstream),
        (599, Upstream),
    ],
)
async def test_what_a_status_means(client: Open, status: int, error: type[BackOfficeError]) -> None:
    reply = await ask(client, answers(status=status))
    with pytest.raises(error) as caught:
        reply.refuse_errors()
    assert caught.value.back_office == "erp"
    assert str(status) in str(caught.value)


async def test_success_is_no_error(client: Open) -> None:
    for status in (200, 201, 204, 299):
        (await ask(client, sends(head(status)))).refuse_errors()


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("0", 0),
        ("7", 7),
        ("999999999999", MAX_RETRY_AFTER_SECONDS),
        ("9" * 5000, MAX_RETRY_AFTER_SECONDS),
        ("Sat, 21 Nov 2026 10:00:30 GMT", 30),
        ("Sat, 21 Nov 2026 13:00:30 +0300", 30),
        ("Sat, 21 Nov 2026 09:00:00 GMT", 0),
        ("Sat, 21 Nov 2099 09:00:00 GMT", MAX_RETRY_AFTER_SECONDS),
        ("Sat, 21 Nov 2026 10:00:30 -0000", None),
        ("-5", None),
        ("1.5", None),
        ("soon", None),
        ("", None),
        ("5, 10", None),
        ("Sat, 99 Nov 2026 99:99:99 GMT", None),
        ("\xb2", None),
    ],
)
async def test_retry_after(client: Open, value: str, seconds: float | None) -> None:
    script = sends(b"HTTP/1.1 503 -\r\nRetry-After: " + value.encode("latin-1") + b"\r\nContent-Length: 0\r\n\r\n")
    assert (await ask(client, script)).retry_after == seconds


async def test_fifty_calls_given_up_at_a_hung_server_leave_the_pool_usable(client: Open) -> None:
    async with scripted(hangs()) as server:
        made = client(server.address, connections=4)
        calls = [asyncio.create_task(made.request("GET")) for _ in range(50)]
        await server.heard(4)
        for call in calls:
            call.cancel()
        gone = await asyncio.gather(*calls, return_exceptions=True)
        assert all(isinstance(each, asyncio.CancelledError) for each in gone)

        server.script = answers(b"ok")
        replies = await asyncio.gather(*(made.request("GET") for _ in range(50)))
        assert {reply.body for reply in replies} == {b"ok"}
        assert server.connections <= 4 + 4


async def test_an_answer_that_came_too_late_is_never_given_to_the_next_call(client: Open) -> None:
    given_up = asyncio.Event()

    async def slow_then_quick(asked: Any, writer: asyncio.StreamWriter) -> None:
        if asked.target == "/slow":
            await given_up.wait()
        writer.write(head(Content_Length=str(len(asked.target))) + asked.target.encode())

    async with scripted(slow_then_quick) as server:
        made = client(server.address, connections=1)
        slow = asyncio.create_task(made.request("GET", "/slow"))
        await server.heard(1)
        slow.cancel()
        await asyncio.wait([slow])
        assert slow.cancelled()
        given_up.set()
        for _ in range(5):
            assert (await made.request("GET", "/quick")).body == b"/quick"


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("tls"))


async def test_a_certificate_that_nobody_vouches_for_is_refused(client: Open, authority: Authority) -> None:
    async with scripted(answers(b"ok"), tls=authority.server("127.0.0.1")) as server:
        for address in (server.address, server.address.replace("https", "HTTPS")):
            with pytest.raises(Unavailable):
                await client(address, headers={"Authorization": "Bearer t"}).request("GET")
        assert server.asked == []


async def test_a_certificate_of_the_given_authority_is_accepted(client: Open, authority: Authority) -> None:
    async with scripted(answers(b"ok"), tls=authority.server("127.0.0.1")) as server:
        assert (await client(server.address, ca_file=authority.file).request("GET")).body == b"ok"


async def test_a_certificate_for_another_host_is_refused(client: Open, authority: Authority) -> None:
    async with scripted(answers(b"ok"), tls=authority.server("1c.example.test")) as server:
        with pytest.raises(Unavailable):
            await client(server.address, ca_file=authority.file).request("GET")
        assert server.asked == []
