"""Replies as documents: what is let in, and what is refused without a word of it in the error."""

import contextlib
import time
import tracemalloc
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bff.errors import BadReply
from bff.mapping import parse_json, parse_xml

DTD = '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]>'
LAUGHS = "".join(f'<!ENTITY {chr(98 + n)} "{("&" + chr(97 + n) + ";") * 10}">' for n in range(9))
BILLION = f'<!DOCTYPE a [<!ENTITY a "aaaaaaaaaa">{LAUGHS}]>'


def utf16(text: str) -> bytes:
    return ('<?xml version="1.0" encoding="UTF-16"?>' + text).encode("utf-16")


@pytest.mark.parametrize(
    "body",
    [
        "<a>да</a>".encode(),
        b"\xef\xbb\xbf" + "<a>да</a>".encode(),
        b"\xef\xbb\xbf\r\n " + "<a>да</a>".encode(),
        b'\n<?xml version="1.0" encoding="UTF-8"?>' + "<a>да</a>".encode(),
        '<?xml version="1.0" encoding="windows-1251"?><a>да</a>'.encode("cp1251"),
        utf16("<a>да</a>"),
        utf16("<a>да</a>").removeprefix(b"\xff\xfe"),
        "<?xml version='1.0' encoding='utf-8' standalone='yes' ?>\r\n<a>да</a>".encode(),
        '<?xml version="1.1"?><a>да</a>'.encode(),
        '<?xml version="1.0" encoding="gbk"?><a>да</a>'.encode("gbk"),
        '<?xml version="1.0"?><!-- <а> --><?п и?><a>да</a><!-- б --><?п?>\n'.encode(),
        "<a>д<?в и?>а</a>".encode(),
        "<a>д<!-- в -->а</a>".encode(),
        "<a><![CDATA[да]]></a>".encode(),
    ],
    ids=lambda body: repr(body[:60]),
)
def test_xml_in_the_ways_it_comes(body: bytes) -> None:
    assert parse_xml(body).text == "да"


def test_elements_may_stand_256_deep() -> None:
    assert len(parse_xml(b"<a>" * 256 + b"</a>" * 256)) == 1


def test_what_nests_too_deeply_takes_little_memory() -> None:
    for depth in (300, 14_000, 1_000_000):
        body = b"<a>" * depth + b"</a>" * depth
        tracemalloc.start()
        with pytest.raises(BadReply):
            parse_xml(body)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak < 10_000_000


def test_a_large_answer_is_read_as_a_small_one() -> None:
    assert len(parse_xml(b"<a>" + "<b>да</b>".encode() * 50_000 + b"</a>")) == 50_000


def test_a_text_may_hold_a_document_type() -> None:
    page = "<!DOCTYPE html><p>да"
    assert parse_xml(f"<a>{' ' * 5_000}<![CDATA[{page}]]></a>".encode()).text == " " * 5_000 + page
    assert parse_xml(utf16(f"<a><![CDATA[{page}]]></a>")).text == page


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"secret",
        b"<html><p>secret</html>",
        b"<a>secret",
        b"<a>secret</a><b/>",
        b"<a>secret\0</a>",
        b"<a>&secret;</a>",
        b'<?xml version="1.0" encoding="secret"?><a/>',
        b"<a>" * 100_000,
        b"<a>" * 100_000 + b"</a>" * 100_000,
        b"<a>" * 2_000_000 + b"secret" + b"</a>" * 2_000_000,
        b"<a>" * 257 + b"</a>" * 257,
        b"<a>" + b"<b/>" * 1_000 + b"<a>" * 256 + b"secret" + b"</a>" * 257,
        utf16("<a>" * 257 + "</a>" * 257),
        b'<?xml version="2.0"?><a>secret</a>',
        b'<?xml version="1.0" encoding="utf-16"?><a>secret</a>',
        b'<?xml version="1.0" encoding="idna"?><a>secret</a>',
        '<?xml version="1.0" encoding="utf-8"?><a>secret\u0439</a>'.encode("cp1251"),
        b"<a>secret&#0;</a>",
        b"<secret:a/>",
        utf16("<!DOCTYPE a><a/>").removeprefix(b"\xff\xfe"),
        ('<?xml version="1.0" encoding="UTF-16"?>' + BILLION + "<a>&j;</a>").encode("utf-16-be"),
        ('<?xml version="1.0" encoding="gbk"?>' + " " * 5_000 + DTD + "<a>&x;</a>").encode("gbk"),
        (" " * 5_000 + "<!-- x -->" * 500 + "<!DOCTYPE a SYSTEM 'http://127.0.0.1:9/secret.dtd'><a/>").encode(),
        (DTD + "<a>&x;</a>").encode(),
        (" " * 5_000 + DTD + "<a>&x;</a>").encode(),
        ("<?xml version='1.0'?><!--" + "x" * 5_000 + "-->" + DTD + "<a>&x;</a>").encode(),
        utf16(DTD + "<a>&x;</a>"),
        utf16("<!DOCTYPE a><a/>"),
        (BILLION + "<a b='&j;'>&j;</a>").encode(),
        utf16(BILLION + "<a b='&j;'>&j;</a>"),
        (" " * 5_000 + "<?pi?>" * 900 + BILLION + "<a b='&j;'>&j;</a>").encode(),
    ],
    ids=lambda body: repr(body[:24]),
)
def test_xml_that_is_refused(body: bytes) -> None:
    start = time.process_time()
    with pytest.raises(BadReply) as caught:
        parse_xml(body)
    assert time.process_time() - start < 0.5
    assert "secret" not in str(caught.value)
    assert "root:" not in str(caught.value)


@pytest.mark.parametrize(
    "body", [b'{"a": "\xd0\xb4"}', b'\xef\xbb\xbf{"a": "\xd0\xb4"}', b' {"a": "\\u0434"}\n', '{"a": "д"}']
)
def test_json_in_the_ways_it_comes(body: bytes | str) -> None:
    assert parse_json(body) == {"a": "д"}


def test_a_json_text_inside_another_may_start_with_a_byte_order_mark() -> None:
    assert parse_json("\ufeff[]") == []


def test_json_numbers_keep_their_digits() -> None:
    numbers = parse_json(b"[0.10, 1e2, 12345678901234567890123, 0.30000000000000000000000000000000001]")
    assert [str(number) for number in numbers] == [
        "0.10",
        "1E+2",
        "12345678901234567890123",
        "0.30000000000000000000000000000000001",
    ]
    assert isinstance(numbers[0], Decimal)


def test_the_last_of_two_members_with_one_name_counts() -> None:
    assert parse_json(b'{"a": 1, "a": 2}') == {"a": 2}


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"secret",
        b'{"secret": 1',
        b'{"secret": 1} {}',
        b'{"secret": NaN}',
        b"[-Infinity]",
        b"[1e99999999999999999999]",
        b"[" + b"9" * 5_000 + b"]",
        b'{"a":"\xff"}',
        '{"a": 1}'.encode("utf-16"),
        b'"a\nb"',
        b"[" * 100_000,
        b"[" * 100_000 + b"]" * 100_000,
        b'{"a":' * 100_000,
        b"<html>secret</html>",
    ],
    ids=lambda body: repr(body[:24]),
)
def test_json_that_is_refused(body: bytes) -> None:
    with pytest.raises(BadReply) as caught:
        parse_json(body)
    assert "secret" not in str(caught.value)


@given(st.binary(max_size=60) | st.text(alphabet="<>/a&;!?[]{}\"'\0 x", max_size=40).map(str.encode))
def test_no_body_raises_anything_else(body: bytes) -> None:
    for parse in (parse_xml, parse_json):
        with contextlib.suppress(BadReply):
            parse(body)
