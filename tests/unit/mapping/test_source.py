"""Decoders' sources: names are quoted, and what a back office makes up is not kept."""

from typing import Any

import pytest

from bff.errors import BadReply
from bff.mapping import Dialect, compile_reading, parse_json, parse_xml
from bff.mapping.paths import LocalNames, scalar, several
from bff.mapping.source import ListStep, Source, Step, write_source
from bff.mapping.values import text
from tests.unit.mapping.mappings import mapping

EVIL = """x'"); raise SystemExit #\\"""


def source(*steps: Step, lists: tuple[ListStep, ...] = (), known: frozenset[str] = frozenset()) -> Source:
    blank: dict[str, Any] = {"one": None, "two": None, "many": None, "currency": "RUB"}
    return write_source("shop", steps, lists, known=known, blank=blank, build=dict)


def test_it_reads_as_it_was_written_by_hand() -> None:
    many = ListStep("many", several("Список/Строка", Dialect.XML), lambda node: node.text)
    two = Step("two", scalar("Имя/@ид", Dialect.XML), louder, required=True)
    assert source(two, lists=(many,)).text.splitlines() == [
        "def decode(node, known=nothing):",
        '    at = ""',
        "    try:",
        "        found = {}",
        "        for child in node:",
        "            found[local_names[child.tag]] = child",
        "        if len(found) < len(node):",
        "            found = by_name(node, local_names)",
        "        at = 'two'",
        "        its_two = convert_two(find_two(found.get('Имя')))",
        "        if its_two is None:",
        "            raise Misfit('is missing')",
        "        at = 'many'",
        "        its_many = tuple([decode_many(item) for item in find_many(found.get('Список'))])",
        "        return build({'one': blank['one'], 'two': its_two, 'many': its_many, 'currency': blank['currency']})",
        "    except (Absent, Misfit, ValueError, ArithmeticError) as error:",
        "        raise failure(at, error) from None",
    ]


def louder(raw: Any) -> str | None:
    return None if raw is None else str(raw).upper()


@pytest.mark.parametrize("convert", [None, louder])
def test_a_leaf_in_all_that_can_stand_there(convert: Any) -> None:
    decode = source(Step("one", scalar("a", Dialect.XML), convert, required=False)).compile()

    def one(inside: str) -> Any:
        namespace = 'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xmlns:o="urn:other"'
        return decode(parse_xml(f"<r {namespace}>{inside}</r>".encode()))["one"]

    da = "ДА" if convert else "да"
    assert [one("<a>да</a>"), one("<b/><o:a> да\n</o:a><b/>"), one("<a b='1'>да</a>")] == [da] * 3
    assert [one(""), one("<b/>"), one("<a/>"), one("<a> </a>"), one('<a xsi:nil="1"/>')] == [None] * 5
    assert [one('<a xsi:nil="true">да</a>'), one('<a xsi:nil="true"><b/></a>')] == [None] * 2
    assert one('<a xsi:nil="false">да</a>') == da
    with pytest.raises(BadReply, match="shop: one: one value was expected, and several are there"):
        one("<a>да</a><b/><o:a>да</o:a>")
    with pytest.raises(BadReply, match="shop: one: a value was expected, and an element with children is there"):
        one("<a>да<b/></a>")


def test_what_is_known_stands_where_nothing_is_said() -> None:
    step = Step("one", scalar("a", Dialect.XML), None, required=False)
    decode = source(step, known=frozenset({"one", "two"})).compile()
    empty, full = parse_xml(b"<r><a/></r>"), parse_xml(b"<r><a>1</a></r>")
    assert decode(empty, {"one": "0", "two": "2"}) == {"one": "0", "two": "2", "many": None, "currency": "RUB"}
    assert decode(full, {"one": "0"}) == {"one": "1", "two": None, "many": None, "currency": "RUB"}
    assert decode(empty)["one"] is None


def test_names_of_a_mapping_are_only_ever_text() -> None:
    decode = source(Step("one", scalar(EVIL.replace(" ", ""), Dialect.XML), None, required=True)).compile()
    with pytest.raises(BadReply, match="shop: one: is missing"):
        decode(parse_xml(b"<r/>"))
    decode = source(Step("one", scalar(EVIL, Dialect.JSON), text, required=True)).compile()
    assert decode(parse_json('{"x\'\\"); raise SystemExit #\\\\": "да"}'))["one"] == "да"


def test_texts_of_json_inside_xml_are_still_looked_at() -> None:
    table = '[reads.favorites.reply]\njson_at = "a"\nitems = "."\nowner = "who"\nfields = { product = "id" }'
    decode = compile_reading("favorites", mapping(table), Dialect.XML).decode
    for bad in (r"\u0000", r"\ud800"):
        answer = decode(parse_xml(f'<r><a>[{{"who": "c-1", "id": "x{bad}"}}]</a></r>'.encode()))
        assert isinstance(answer["c-1"], BadReply)


def test_names_that_a_back_office_makes_up_are_not_kept() -> None:
    names = LocalNames(["a"])
    assert [names["a"], names["{urn:x}a"], names["{urn:x}b"]] == ["a", "a", "{urn:x}b"]
    assert names["{" + "x" * 5_000 + "}a"] == "a"
    for number in range(5_000):
        assert names[f"{{urn:{number}}}a"] == "a"
    assert len(names) <= 1_000
    assert max(map(len, names)) < 1_000
