"""Paths over XML and JSON: one value, several nodes, and what is absent, empty or null."""

from decimal import Decimal
from typing import Any

import pytest

from bff.mapping import Dialect, parse_json, parse_xml
from bff.mapping.paths import Absent, Misfit, PathError, scalar, several

XML = parse_xml(
    """
    <s:Envelope xmlns:s="urn:soap" xmlns="urn:shop" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">
      <return ид=" 7 " пусто="" пробел=" ">
        <Клиент><Имя> Анна </Имя><Пусто/><Нет xsi:nil="true"/><Пробел>  </Пробел></Клиент>
        <other:Город xmlns:other="urn:other">Тверь</other:Город>
        <Дважды>1</Дважды><Дважды>2</Дважды>
        <Список><Строка>1</Строка><Строка xsi:nil="1"/><Прочее/><Строка>2</Строка></Список>
        <ПустойСписок/>
        <НетСписка xsi:nil="true"/>
      </return>
    </s:Envelope>
    """.encode()
)
JSON: Any = parse_json(
    """
    {"return": {"Клиент": {"Имя": " Анна ", "Пусто": "", "Пробел": "  ", "Нет": null, "Число": 1.50, "Целое": 7,
                           "Да": true},
                "Список": [1, 2], "ПустойСписок": [], "НетСписка": null, "Один": {"x": 1}, "@type": "t", "a.b": "c"}}
    """
)


def one(path: str, dialect: Dialect) -> Any:
    return scalar(path, dialect)(XML if dialect is Dialect.XML else JSON)


def some(path: str, dialect: Dialect, *, optional: bool = False) -> list[Any]:
    return several(path, dialect, optional=optional)(XML if dialect is Dialect.XML else JSON)


@pytest.mark.parametrize("dialect", Dialect)
@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("return/Клиент/Имя", "Анна"),
        ("return/Клиент/Пусто", None),
        ("return/Клиент/Пробел", None),
        ("return/Клиент/Нет", None),
        ("return/Клиент/Нет/Глубже", None),
        ("return/Клиент/Неведомое", None),
        ("return/Неведомое/Имя", None),
        ("Неведомое", None),
    ],
)
def test_one_value(dialect: Dialect, path: str, value: str | None) -> None:
    assert one(path, dialect) == value


def test_one_value_of_xml() -> None:
    assert one("return/Город", Dialect.XML) == "Тверь"
    assert one("return/@ид", Dialect.XML) == "7"
    assert [one(f"return/@{name}", Dialect.XML) for name in ("нет", "пусто", "пробел")] == [None] * 3
    assert one("@нет", Dialect.XML) is None
    (first, _) = some("return/Список/Строка", Dialect.XML)
    assert scalar(".", Dialect.XML)(first) == "1"


def test_one_value_of_json_keeps_its_kind() -> None:
    assert one("return/Клиент/Число", Dialect.JSON) == Decimal("1.50")
    assert one("return/Клиент/Целое", Dialect.JSON) == 7
    assert one("return/Клиент/Да", Dialect.JSON) is True
    assert one("return/@type", Dialect.JSON) == "t"
    assert one("return/a.b", Dialect.JSON) == "c"
    assert scalar(".", Dialect.JSON)("x") == "x"


@pytest.mark.parametrize(
    ("path", "dialect"),
    [
        ("return/Дважды", Dialect.XML),
        ("return/Дважды/Глубже", Dialect.XML),
        ("return/Клиент", Dialect.XML),
        (".", Dialect.XML),
        ("return/Клиент", Dialect.JSON),
        ("return/Список", Dialect.JSON),
        ("return/Список/0", Dialect.JSON),
        ("return/Клиент/Имя/Глубже", Dialect.JSON),
        (".", Dialect.JSON),
    ],
)
def test_what_is_no_single_value_is_a_misfit(path: str, dialect: Dialect) -> None:
    with pytest.raises(Misfit) as caught:
        one(path, dialect)
    assert "Анна" not in str(caught.value)


@pytest.mark.parametrize("dialect", Dialect)
def test_an_absent_container_is_not_an_empty_one(dialect: Dialect) -> None:
    last = "/Строка" if dialect is Dialect.XML else ""
    assert len(some(f"return/Список{last}", dialect)) == 2
    assert some(f"return/ПустойСписок{last}", dialect) == []
    assert some(f"return/НетСписка{last}", dialect) == []
    with pytest.raises(Absent, match="Неведомое"):
        some(f"return/Неведомое{last}", dialect)
    assert some(f"return/Неведомое{last}", dialect, optional=True) == []


def test_several_of_json() -> None:
    assert some("return/Один", Dialect.JSON) == [{"x": 1}]
    assert several(".", Dialect.JSON)([1, 2]) == [1, 2]
    assert several("a/b", Dialect.JSON)({"a": None}) == []
    with pytest.raises(Misfit):
        some("return/Список/x", Dialect.JSON)


def test_several_of_xml() -> None:
    assert several(".", Dialect.XML)(XML) == [XML]
    assert len(some("return/Дважды", Dialect.XML)) == 2
    with pytest.raises(Misfit):
        some("return/Дважды/Строка", Dialect.XML)


@pytest.mark.parametrize(
    "path", ["", "/", "a/", "/a", "a//b", "a/{b}", "a[1]", "a:b", "*", "..", "a b", "@", "@a/b", "a/@"]
)
def test_what_is_no_path_over_xml(path: str) -> None:
    with pytest.raises(PathError):
        scalar(path, Dialect.XML)


@pytest.mark.parametrize("path", ["", "/", "a/", "/a", "a//b"])
def test_what_is_no_path_over_json(path: str) -> None:
    with pytest.raises(PathError):
        several(path, Dialect.JSON)


def test_an_attribute_is_no_list() -> None:
    with pytest.raises(PathError):
        several("a/@b", Dialect.XML)
