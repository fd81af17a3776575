"""Envelopes: the bytes that lxml would write, put together without it."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from lxml import etree

from adapters.erp.onec_soap.envelope import KEY_MARK, Envelope

TEMPLATE = f"""
    <e:Envelope xmlns:e="urn:soap"><e:Body><m:Ask xmlns:m="urn:shop">
    <m:Ids><m:Way>1 &amp; 2</m:Way><m:Id>{KEY_MARK}</m:Id><m:Archived>false</m:Archived></m:Ids>
    <m:Note kind="{KEY_MARK}">not {KEY_MARK}</m:Note></m:Ask></e:Body></e:Envelope>
"""
DECLARATION = b"<?xml version='1.0' encoding='utf-8'?>\n"


def envelope(template: str = TEMPLATE, *, repeated_up: int | None = None, joined: str | None = None) -> Envelope:
    return Envelope(etree.fromstring(template.strip()), repeated_up=repeated_up, joined=joined)


def written(key: str) -> bytes:
    element = etree.Element("key")
    element.text = key
    return etree.tostring(element, encoding="utf-8").removeprefix(b"<key>").removesuffix(b"</key>")


@given(key=st.text(min_size=1))
@example(key="<&>\"'\r\n\t\x85\u00a0\u2028\U0001f600")
@example(key="]]><!--{}%s\\0")
@example(key="\x00")
@example(key="\x1f")
@example(key="\ud800")
@example(key="\uffff")
@example(key=KEY_MARK)
def test_a_key_is_written_as_lxml_writes_it(key: str) -> None:
    asked = envelope(f"<ask><id>{KEY_MARK}</id></ask>")
    try:
        expected = DECLARATION + b"<ask><id>" + written(key) + b"</id></ask>"
    except ValueError:
        with pytest.raises(ValueError, match="XML"):
            asked.fill([key])
    else:
        assert asked.fill([key]) == expected


@pytest.mark.parametrize(("repeated_up", "repeated"), [(0, "Id"), (1, "Ids"), (2, "Ask")])
@pytest.mark.parametrize("keys", [["a"], ["a", "б"], ["a", "<&>", "\r", "{}", "d"]], ids=len)
def test_what_repeats_comes_once_a_key_with_all_that_is_in_it(repeated_up: int, repeated: str, keys: list[str]) -> None:
    body = envelope(repeated_up=repeated_up).fill(keys)
    assert body.startswith(DECLARATION)
    root = etree.fromstring(body)
    found = list(root.iter(f"{{urn:shop}}{repeated}"))
    assert [element.text if repeated_up == 0 else element.findtext(".//{*}Id") for element in found] == keys
    assert [len(element) for element in found] == [[0, 3, 2][repeated_up]] * len(keys)
    assert [element.text for element in root.iter("{*}Way")] == ["1 & 2"] * (1 if repeated_up == 0 else len(keys))
    # One after another, and nothing before, between or after them is lost.
    template = etree.fromstring(TEMPLATE.strip())
    assert len(list(root.iter())) == len(list(template.iter())) + (len(keys) - 1) * (1, 4, 6)[repeated_up]
    assert root.findtext(".//{*}Note") == f"not {KEY_MARK}"


def test_joined_keys_are_one_text() -> None:
    assert b"<m:Id>a;&amp;;c</m:Id>" in envelope(joined=";").fill(["a", "&", "c"])


def test_without_a_place_for_keys_there_is_one_request() -> None:
    asked = envelope("<ask><все/></ask>")
    assert asked.fill([]) == asked.fill(["a"]) == DECLARATION + "<ask><все/></ask>".encode()


def test_no_keys_never_become_an_empty_one() -> None:
    with pytest.raises(ValueError, match="everybody"):
        envelope(repeated_up=0).fill([])
