"""Hostile answers below the document: lengths that lie, bytes without an end, bombs, junk. See `WAYS`."""

import gzip
import zlib
from collections.abc import Iterator
from functools import cache
from itertools import repeat

from tests.resilience.documents import Dialect
from tests.resilience.hostilities import CANARY, After, Case, Hostility, Sent, wire

MEGABYTE = 1_000_000
_BLOCK = 65_536


def _endless_start(case: Case) -> bytes:
    """The beginning of an answer as it should be, up to where any number of spaces may stand."""
    return b"<?xml version='1.0'?>" if case.shape.dialect is Dialect.XML else b"{"


@wire(Hostility.CUT_WRONG_LENGTH)
def _cut_wrong_length(case: Case) -> Sent:
    yield case.reply.head() + case.reply.body[: len(case.reply.body) // 2]


@wire(Hostility.LENGTH_TOO_SHORT)
def _length_too_short(case: Case) -> Sent:
    body = case.reply.body
    yield case.with_body(body[: len(body) // 2]).head() + body
    yield After.KEEP


@wire(Hostility.LENGTH_TOO_LONG)
def _length_too_long(case: Case) -> Sent:
    yield case.with_body(case.reply.body + b" ").head() + case.reply.body
    yield After.HANG


@wire(Hostility.LENGTHS_DIFFER)
def _lengths_differ(case: Case) -> Sent:
    yield case.reply.head(("Content-Length", "3")) + case.reply.body


@wire(Hostility.LENGTH_NOT_A_NUMBER)
def _length_not_a_number(case: Case) -> Sent:
    yield case.reply.head(("Content-Length", CANARY), without_length=True) + case.reply.body


@wire(Hostility.SECOND_ANSWER)
def _second_answer(case: Case) -> Sent:
    """A good answer and, unasked, another one: whoever uses the connection again takes it for an answer to that."""
    forged = case.with_body(b'{"success": false, "canary": "' + CANARY.encode() + b'"}')
    yield case.reply.encoded() + forged.encoded()
    yield After.KEEP


def _chunk(content: bytes) -> bytes:
    return f"{len(content):x}\r\n".encode() + content + b"\r\n"


def _chunked(case: Case) -> bytes:
    return case.reply.head(("Transfer-Encoding", "chunked"), without_length=True)


@wire(Hostility.CHUNKS_CUT)
def _chunks_cut(case: Case) -> Sent:
    yield _chunked(case) + _chunk(case.reply.body)


@wire(Hostility.CHUNKS_HANG)
def _chunks_hang(case: Case) -> Sent:
    yield _chunked(case) + _chunk(case.reply.body)
    yield After.HANG


@wire(Hostility.CHUNKS_BROKEN)
def _chunks_broken(case: Case) -> Sent:
    yield _chunked(case) + _chunk(case.reply.body[:20]) + f"{CANARY}\r\n".encode()


@wire(Hostility.ENDLESS)
def _endless(case: Case) -> Sent:
    yield case.reply.head(("Connection", "close"), without_length=True) + _endless_start(case)
    yield from repeat(b" " * _BLOCK)


@wire(Hostility.ENDLESS_CHUNKS)
def _endless_chunks(case: Case) -> Sent:
    yield _chunked(case) + _chunk(_endless_start(case))
    yield from repeat(_chunk(b" " * _BLOCK))


@wire(Hostility.GIGABYTE)
def _gigabyte(case: Case) -> Sent:
    yield case.reply.head(("Content-Length", str(1_000 * MEGABYTE)), without_length=True) + _endless_start(case)
    yield from repeat(b" " * _BLOCK, 1_000 * MEGABYTE // _BLOCK)


def _zipped(case: Case, body: bytes) -> Sent:
    yield case.with_body(body).head(("Content-Encoding", "gzip")) + body
    yield After.KEEP


@wire(Hostility.GZIP_10_MB)
def _gzip_10_mb(case: Case) -> Sent:
    """Ten megabytes of white space around a good answer, in ten kilobytes: who reads it all sees nothing wrong."""
    return _zipped(case, b"".join(_zipped_with_spaces(case.reply.body, 10)))


@wire(Hostility.GZIP_1_GB)
def _gzip_1_gb(case: Case) -> Sent:
    yield case.reply.head(("Content-Encoding", "gzip"), ("Connection", "close"), without_length=True)
    yield from _zipped_with_spaces(case.reply.body, 1_000)


def _zipped_with_spaces(body: bytes, megabytes: int) -> Iterator[bytes]:
    """A body and white space behind it, as gzip, made without ever holding it."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    checksum = zlib.crc32(body)
    yield b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff" + packer.compress(body) + packer.flush(zlib.Z_FULL_FLUSH)
    spaces = b" " * MEGABYTE
    for _ in range(megabytes):
        # The checksum is kept along the way: who reads to the end finds it right.
        checksum = zlib.crc32(spaces, checksum)
        yield _megabyte_of_spaces()
    size = len(body) + megabytes * MEGABYTE
    yield b"\x03\x00" + checksum.to_bytes(4, "little") + (size % 2**32).to_bytes(4, "little")


@cache
def _megabyte_of_spaces() -> bytes:
    """A megabyte of spaces, deflated so that it may follow upon itself."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    return packer.compress(b" " * MEGABYTE) + packer.flush(zlib.Z_FULL_FLUSH)


@wire(Hostility.GZIP_BROKEN)
def _gzip_broken(case: Case) -> Sent:
    good = gzip.compress(case.reply.body)
    return _zipped(case, good[:30] + b"\xff" * 20 + good[50:])


@wire(Hostility.GZIP_TRAILED)
def _gzip_trailed(case: Case) -> Sent:
    return _zipped(case, gzip.compress(case.reply.body) + CANARY.encode())


@wire(Hostility.UNKNOWN_ENCODING)
def _unknown_encoding(case: Case) -> Sent:
    yield case.reply.head(("Content-Encoding", "br")) + case.reply.body
    yield After.KEEP


@wire(Hostility.LARGE_HEADER)
def _large_header(case: Case) -> Sent:
    yield case.reply.head(("X-Padding", (CANARY + " ") * 9_000)) + case.reply.body
    yield After.KEEP


@wire(Hostility.ENDLESS_HEADERS)
def _endless_headers(case: Case) -> Sent:
    yield case.reply.head()[:-2]
    yield from repeat(f"X-{CANARY}: {CANARY}\r\n".encode() * 1_000)


@wire(Hostility.ENDLESS_INTERIM)
def _endless_interim(_: Case) -> Sent:
    for hints in repeat(f"HTTP/1.1 103 Early Hints\r\nLink: <{CANARY}>\r\n\r\n".encode() * 20):
        yield hints
        yield After.PAUSE


@wire(Hostility.HTTP_09)
def _http_09(_: Case) -> Sent:
    yield f"{CANARY}: no status line, as in 1991\r\n".encode()
