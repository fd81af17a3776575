"""`bff.http` against servers that are slow, lie, stop half-way, send too much, or are somebody else."""

import asyncio
import gzip
import logging
import socket
import tracemalloc
import zlib
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import structlog

from bff.errors import BackOfficeError, BadReply, Busy, SignInRefused, TimedOut, TooLarge, Unavailable, Upstream
from bff.http import MAX_RETRY_AFTER_SECONDS, HttpClient, HttpClients, HttpLimits, HttpReply
from bff.telemetry import configure_logging
from tests.fakes.certificates import Authority
from tests.fakes.http_server import Script, answers, hangs, head, repeats, scripted, sends

pytestmark = pytest.mark.anyio

NOW = datetime(2026, 11, 21, 10, 0, tzinfo=UTC)
CHUNKED = head(Transfer_Encoding="chunked")
CHUNK = b"400\r\n" + b"x" * 1024 + b"\r\n"

Open = Callable[..., HttpClient]


@pytest.fixture
async def client() -> AsyncIterator[Open]:
    """Opens clients with a patience of two seconds, unless the test says less."""
    clients = HttpClients(lambda: NOW)
    opened: list[HttpClient] = []

    def make(
        address: str, *, headers: dict[str, str] | None = None, ca_file: Path | None = None, **limits: Any
    ) -> HttpClient:
        kept = HttpLimits(**{"total_seconds": 2.0, "connect_seconds": 1.0, **limits})
        opened.append(clients.open("erp", address, kept, headers=headers, ca_file=ca_file))
        return opened[-1]

    yield make
    for each in opened:
        await each.close()


async def ask(client: Open, script: Script, **limits: Any) -> HttpReply:
    async with scripted(script) as server:
        return await client(server.address, **limits).request("GET", "/x")


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
        assert server.connections == 1


async def test_nobody_listening_is_unavailable(client: Open) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with pytest.raises(Unavailable, match="no answer"):
        await client(f"http://127.0.0.1:{port}").request("GET")


async def test_a_host_without_an_address_is_unavailable(client: Open) -> None:
    with pytest.raises(Unavailable):
        await client("http://nobody.invalid", connect_seconds=1.0).request("GET")


@pytest.fixture
def black_hole() -> Iterator[str]:
    """A port where packets vanish: its queue of waiting connections is full."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as server:
        address = server.getsockname()
        waiting = []
        for _ in range(4):
            waiting.append(socket.socket())
            waiting[-1].setblocking(False)
            waiting[-1].connect_ex(address)
        yield f"127.0.0.1:{address[1]}"
        for each in waiting:
            each.close()


async def test_a_black_hole_costs_only_the_connect_timeout(client: Open, black_hole: str) -> None:
    with pytest.raises(Unavailable, match=r"no connection within 0\.05 s"):
        await client(f"http://{black_hole}", connect_seconds=0.05, total_seconds=30).request("GET")


async def test_a_tls_handshake_that_hangs_costs_only_the_connect_timeout(client: Open) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        with pytest.raises(Unavailable):
            await client(f"https://127.0.0.1:{port}", connect_seconds=0.05, total_seconds=30).request("GET")


@pytest.mark.parametrize("script", [sends(), sends(b"HTTP/1.1 200")])
async def test_closed_before_an_answer_began_is_unavailable(client: Open, script: Script) -> None:
    with pytest.raises(Unavailable):
        await ask(client, script)


@pytest.mark.parametrize(
    "script",
    [
        sends(head(Content_Length="10") + b"abc"),
        sends(CHUNKED + b"5\r\nhello\r\n"),
        sends(CHUNKED + b"5\r\nhe"),
    ],
    ids=["shorter than declared", "no last chunk", "half a chunk"],
)
async def test_cut_after_the_headers_is_a_bad_reply(client: Open, script: Script) -> None:
    with pytest.raises(BadReply, match="cut short"):
        await ask(client, script)


@pytest.mark.parametrize("script", [sends(CHUNKED + b"five\r\nhello\r\n"), sends(b"SSH-2.0-OpenSSH_9\r\n")])
async def test_what_is_not_http_is_a_bad_reply(client: Open, script: Script) -> None:
    with pytest.raises(BadReply, match="is not HTTP"):
        await ask(client, script)


@pytest.mark.parametrize(
    "script",
    [
        hangs(head(Content_Length="1001")),
        repeats(CHUNKED, CHUNK),
        repeats(head(), b"x" * 1024),
        answers(b"x" * 1001, status=503),
        answers(gzip.compress(b"x" * 1001), Content_Encoding="gzip"),
    ],
    ids=["declared", "chunks without an end", "no length and no end", "an error", "gzip"],
)
async def test_more_than_the_cap_is_too_large(client: Open, script: Script) -> None:
    with pytest.raises(TooLarge):
        await ask(client, script, max_reply_bytes=1000)


async def test_exactly_the_cap_is_read(client: Open) -> None:
    assert len((await ask(client, answers(b"x" * 1000), max_reply_bytes=1000)).body) == 1000
    packed = answers(gzip.compress(b"x" * 1000), Content_Encoding="gzip")
    assert len((await ask(client, packed, max_reply_bytes=1000)).body) == 1000


async def test_a_gzip_bomb_takes_no_memory(client: Open) -> None:
    bomb = answers(gzip.compress(bytes(50_000_000)), Content_Encoding="gzip")
    async with scripted(bomb) as server:
        # More than the bomb has on the wire: its declared length alone does not stop it.
        made = client(server.address, max_reply_bytes=100_000)
        tracemalloc.start()
        try:
            with pytest.raises(TooLarge):
                await made.request("GET")
            assert tracemalloc.get_traced_memory()[1] < 2_000_000
        finally:
            tracemalloc.stop()


async def test_what_follows_the_end_of_gzip_is_not_collected(client: Open) -> None:
    start = head(Transfer_Encoding="chunked", Content_Encoding="gzip")
    packed = gzip.compress(b"{}")
    script = repeats(start + f"{len(packed):x}\r\n".encode() + packed + b"\r\n", CHUNK)
    with pytest.raises(BadReply, match="goes on behind its end"):
        await ask(client, script)


async def test_a_second_gzip_member_is_not_dropped_in_silence(client: Open) -> None:
    body = gzip.compress(b"[1,") + gzip.compress(b"2]")
    with pytest.raises(BadReply):
        await ask(client, answers(body, Content_Encoding="gzip"))


@pytest.mark.parametrize(
    ("body", "encoding"),
    [
        (b"not gzip", "gzip"),
        (gzip.compress(b"x" * 500)[:-4], "gzip"),
        (gzip.compress(b"x" * 500)[:12], "gzip"),
        (gzip.compress(b"x" * 500)[:-8] + b"12345678", "gzip"),
        (b"{}", "br"),
        (b"{}", "gzip, gzip"),
    ],
    ids=["not gzip", "no trailer", "cut", "a wrong checksum", "brotli", "twice"],
)
async def test_a_broken_or_unasked_encoding_is_a_bad_reply(client: Open, body: bytes, encoding: str) -> None:
    with pytest.raises(BadReply):
        await ask(client, answers(body, Content_Encoding=encoding))


@pytest.mark.parametrize(
    ("body", "encoding"),
    [
        (gzip.compress(b"{}"), "gzip"),
        (gzip.compress(b"{}"), " GZip "),
        (zlib.compress(b"{}"), "deflate"),
        (b"{}", "identity"),
        (b"{}", ""),
    ],
)
async def test_known_encodings_are_decoded(client: Open, body: bytes, encoding: str) -> None:
    assert (await ask(client, answers(body, Content_Encoding=encoding))).body == b"{}"


async def test_an_error_without_a_body_may_name_an_encoding(client: Open) -> None:
    reply = await ask(client, answers(b"", status=503, Content_Encoding="gzip", Retry_After="7"))
    with pytest.raises(Busy) as caught:
        reply.refuse_errors()
    assert caught.value.retry_after == 7


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
        made = client(server.address, connections=4, total_seconds=5)
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
    async def slow_then_quick(asked: Any, writer: asyncio.StreamWriter) -> None:
        if asked.target == "/slow":
            await asyncio.sleep(0.05)
        writer.write(head(Content_Length=str(len(asked.target))) + asked.target.encode())

    async with scripted(slow_then_quick) as server:
        made = client(server.address, connections=1, total_seconds=2)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.02):
                await made.request("GET", "/slow")
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


@pytest.fixture
def quiet_logs(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    """Logs as the service sets them up, with every record of the standard library's kept."""
    kept = structlog.get_config()
    levels = {name: logging.getLogger(name).level for name in ("httpx2", "httpx", "httpcore2", "zeep")}
    configure_logging("json")
    caplog.set_level(logging.DEBUG)
    yield caplog
    structlog.configure(**kept)
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)


@pytest.mark.parametrize(
    "script",
    [
        hangs(),
        sends(),
        sends(b"HTTP/1.1 sec-ret-body\r\n\r\n"),
        sends(head(Content_Length="99") + b"sec-ret-body"),
        answers(b"sec-ret-body" * 1000),
        answers(b"sec-ret-body", Content_Encoding="gzip"),
        answers(b"sec-ret-body", Content_Encoding="br"),
        answers(b"sec-ret-body", status=500),
        answers(b"sec-ret-body", status=302, Location="https://x/?sec-ret-location"),
        answers(b"sec-ret-body", status=401),
    ],
)
async def test_no_secret_no_query_and_no_body_is_in_an_error_or_a_log(
    client: Open, script: Script, quiet_logs: pytest.LogCaptureFixture
) -> None:
    async with scripted(script) as server:
        made = client(server.address, headers={"X-Key": "sec-ret-key"}, total_seconds=0.08, max_reply_bytes=1000)

        async def call() -> None:
            reply = await made.request("GET", "/x", params=[("customer", "sec-ret-id")], headers={"X-2": "sec-ret-2"})
            reply.refuse_errors()

        with pytest.raises(BackOfficeError) as caught:
            await call()
    shown = [*told(caught.value), repr(vars(caught.value)), repr(made), quiet_logs.text]
    assert "sec-ret" not in "".join(shown)


def told(error: BaseException | None) -> Iterator[str]:
    """What a traceback in a log tells of an error and of those behind it."""
    while error is not None:
        yield from (str(error), repr(error))
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


async def test_a_reply_prints_without_its_body_and_headers(client: Open) -> None:
    reply = await ask(client, answers(b"sec-ret", Set_Cookie="ibsession=sec-ret"))
    assert "sec-ret" not in f"{reply!r} {reply}"
    assert "status=200" in repr(reply)
