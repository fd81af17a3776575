"""Hostile answers below the document are what their names say: lengths, chunks, bytes without an end, bombs, heads."""

import gzip
import json
import zlib

import pytest

from tests.resilience.hostile import HostileOffice
from tests.resilience.hostilities import CANARY, Hostility
from tests.resilience.plain_client import ERP, ask, raw, request, split


@pytest.mark.parametrize("name", ["erp", "cms"])
def test_lengths_that_lie(name: str, bad: dict[str, HostileOffice]) -> None:
    whole = ask(bad[name], request(name))[2]
    answers = {}
    for hostility in (
        Hostility.CUT_RIGHT_LENGTH,
        Hostility.CUT_WRONG_LENGTH,
        Hostility.LENGTH_TOO_SHORT,
        Hostility.LENGTH_TOO_LONG,
    ):
        bad[name].set(hostility)
        headers, body = split(raw(bad[name], request(name)))
        answers[hostility] = (int(headers["content-length"]), len(body))
    half, length = len(whole) // 2, len(whole)
    assert answers == {
        Hostility.CUT_RIGHT_LENGTH: (half, half),
        Hostility.CUT_WRONG_LENGTH: (length, half),
        Hostility.LENGTH_TOO_SHORT: (half, length),
        Hostility.LENGTH_TOO_LONG: (length + 1, length),
    }
    bad[name].set(Hostility.LENGTHS_DIFFER)
    assert raw(bad[name], request(name)).lower().count(b"content-length:") == 2
    bad[name].set(Hostility.LENGTH_NOT_A_NUMBER)
    assert split(raw(bad[name], request(name)))[0]["content-length"] == CANARY


def test_a_second_answer_comes_unasked(bad: dict[str, HostileOffice]) -> None:
    bad["cms"].set(Hostility.SECOND_ANSWER)
    answer = raw(bad["cms"], request("cms"))
    assert answer.count(b"HTTP/1.1 200") == 2
    assert answer.endswith(CANARY.encode() + b'"}')


def test_chunks(bad: dict[str, HostileOffice]) -> None:
    whole = ask(bad["cms"], request("cms"))[2]
    for hostility in (Hostility.CHUNKS_CUT, Hostility.CHUNKS_HANG):
        bad["cms"].set(hostility)
        headers, body = split(raw(bad["cms"], request("cms")))
        assert headers["transfer-encoding"] == "chunked"
        assert body == f"{len(whole):x}\r\n".encode() + whole + b"\r\n"
    bad["cms"].set(Hostility.CHUNKS_BROKEN)
    assert raw(bad["cms"], request("cms")).endswith(f"\r\n{CANARY}\r\n".encode())


@pytest.mark.parametrize(
    "hostility",
    [
        Hostility.ENDLESS,
        Hostility.ENDLESS_CHUNKS,
        Hostility.GIGABYTE,
        Hostility.ENDLESS_HEADERS,
    ],
)
def test_bytes_without_an_end_are_counted(hostility: Hostility, bad: dict[str, HostileOffice]) -> None:
    bad["erp"].set(hostility)
    answer = raw(bad["erp"], request("erp"), most=20_000_000)
    assert len(answer) >= 20_000_000
    sent = bad["erp"].sent[ERP]
    assert len(answer) - 3_000_000 < sent < len(answer) + 10_000_000
    assert ("content-length: 1000000000" in answer[:1_000].decode().lower()) == (hostility is Hostility.GIGABYTE)


def test_interim_answers_without_an_end(bad: dict[str, HostileOffice]) -> None:
    bad["erp"].set(Hostility.ENDLESS_INTERIM)
    assert raw(bad["erp"], request("erp"), most=20_000).count(b"HTTP/1.1 103 ") > 200


def test_bombs(bad: dict[str, HostileOffice]) -> None:
    good = json.loads(ask(bad["cms"], request("cms"))[2])
    bad["cms"].set(Hostility.GZIP_10_MB)
    status, headers, body = ask(bad["cms"], request("cms"))
    assert (status, headers["content-encoding"]) == (200, "gzip")
    assert len(body) < 20_000
    unzipped = gzip.decompress(body)
    assert len(unzipped) > 10_000_000
    assert json.loads(unzipped) == good

    bad["cms"].set(Hostility.GZIP_1_GB)
    headers, body = split(raw(bad["cms"], request("cms")))
    assert headers["content-encoding"] == "gzip"
    assert len(body) < 2_000_000
    decoder, size = zlib.decompressobj(wbits=31), 0
    # A tenth of it, so that the test is quick.
    for start in range(0, len(body) // 10, 1_000):
        size += len(decoder.decompress(body[start : start + 1_000]))
    assert size > 90_000_000


def test_broken_encodings(bad: dict[str, HostileOffice]) -> None:
    bad["cms"].set(Hostility.GZIP_BROKEN)
    with pytest.raises((zlib.error, gzip.BadGzipFile)):
        gzip.decompress(ask(bad["cms"], request("cms"))[2])
    bad["cms"].set(Hostility.GZIP_TRAILED)
    assert ask(bad["cms"], request("cms"))[2].endswith(CANARY.encode())
    bad["cms"].set(Hostility.UNKNOWN_ENCODING)
    assert ask(bad["cms"], request("cms"))[1]["content-encoding"] == "br"


def test_heads_that_are_none(bad: dict[str, HostileOffice]) -> None:
    bad["cms"].set(Hostility.LARGE_HEADER)
    assert len(ask(bad["cms"], request("cms"))[1]["x-padding"]) > 100_000
    bad["cms"].set(Hostility.HTTP_09)
    assert raw(bad["cms"], request("cms")).startswith(CANARY.encode())
