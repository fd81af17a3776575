"""`bff.http` and what servers send: cut, too much, packed, broken, in an encoding that nobody asked for."""

import gzip
import tracemalloc
import zlib

import pytest

from bff.errors import BadReply, Busy, TooLarge, Unavailable
from tests.fakes.http_server import Script, answers, hangs, head, repeats, scripted, sends
from tests.unit.core.http_clients import CHUNK, CHUNKED, Open, ask

pytestmark = pytest.mark.anyio


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
    ids=["gzip", "capitals", "deflate", "identity", "none"],
)
async def test_known_encodings_are_decoded(client: Open, body: bytes, encoding: str) -> None:
    assert (await ask(client, answers(body, Content_Encoding=encoding))).body == b"{}"


async def test_an_error_without_a_body_may_name_an_encoding(client: Open) -> None:
    reply = await ask(client, answers(b"", status=503, Content_Encoding="gzip", Retry_After="7"))
    with pytest.raises(Busy) as caught:
        reply.refuse_errors()
    assert caught.value.retry_after == 7
