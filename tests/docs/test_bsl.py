"""The 1C module of docs/webhooks.md: what it computes and names is what the service takes."""

import re

import pytest

from bff.web.hooks import SIGNATURE, TIMESTAMP, _Changed, sign
from tests.docs import bsl
from tests.docs.blocks import ROOT, blocks, in_code, tables

DOCUMENT = ROOT / "docs/webhooks.md"
[MODULE] = [block.text for block in blocks(DOCUMENT) if block.language == "bsl"]


@pytest.mark.parametrize(
    "secret", ["s" * 32, "s" * 63, "s" * 64, "s" * 65, "s" * 200, "секрет для уведомлений кабинета"]
)
@pytest.mark.parametrize("body", ['{"customers": ["c-1001"]}', '{"customers": ["ЦБ-000123"]}', "", "x" * 1_000])
def test_the_signature_computed_in_1c_is_the_services(secret: str, body: str) -> None:
    module = bsl.functions(MODULE, "Подпись", "HMAC", "Хеш", "Склеить", "Байты")
    assert module.Подпись(secret, "1764000000", bsl.Binary(body.encode())) == sign(secret, "1764000000", body.encode())


def test_the_module_sends_what_the_service_reads() -> None:
    assert {TIMESTAMP, SIGNATURE} <= set(re.findall(r'Заголовки\.Вставить\("([\w-]+)"', MODULE))
    names = [in_code(row[0]) for row in tables(DOCUMENT)["What it names"][:5]]
    assert names == list(_Changed.__struct_fields__)
    assert set(re.findall(r'Данные\.Вставить\("(\w+)"', MODULE)) <= set(names)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("Если А Тогда", "КонецЕсли is missing"),
        ("Процедура А()\nЕсли Б Тогда\nКонецПроцедуры", "КонецЕсли was expected"),
        ("КонецЦикла", "nothing was expected"),
        ("А = (1;", r"\) is missing"),
        ('А = "Б;', "a text does not end"),
    ],
)
def test_what_is_not_in_pairs_is_noticed(text: str, fault: str) -> None:
    with pytest.raises(AssertionError, match=fault):
        bsl.check(text, "here")


def test_texts_and_comments_are_no_code() -> None:
    bsl.check('А = "Если ("; // Процедура (\nБ = "скобка "" (";', "here")
