"""Words for people: every code in every language, and the language that the browser asks for."""

import pytest

from bff.errors import Code
from bff.web.messages import DEFAULT_LANGUAGE, MESSAGES, choose_language, message

ABOUT_THE_DOCUMENT = {Code.GRAPHQL_PARSE_FAILED, Code.GRAPHQL_VALIDATION_FAILED}
"""Their words are graphql-core's, about the client's own text."""


@pytest.mark.parametrize("code", [code for code in Code if code not in ABOUT_THE_DOCUMENT])
def test_every_code_has_words_in_every_language(code: Code) -> None:
    for language in ("ru", "en"):
        assert message(code, language)
    assert MESSAGES[code].keys() == MESSAGES[Code.INTERNAL].keys()


@pytest.mark.parametrize(
    ("wish", "language"),
    [
        (None, "ru"),
        ("", "ru"),
        ("ru", "ru"),
        ("en", "en"),
        ("EN-us", "en"),
        ("en-GB,en;q=0.9,ru;q=0.8", "en"),
        ("ru;q=0.5, en;q=0.9", "en"),
        ("en; q=0.9, ru; q=0.5", "en"),
        ("en ;Q=0.9", "en"),
        ("de, en;q=0.1", "en"),
        ("de", "ru"),
        ("*", "ru"),
        ("en;q=0", "ru"),
        ("en;q=0.000, de", "ru"),
        ("en;q=much", "ru"),
        ("en;q=nan", "ru"),
        (";;;,,,;q=,=", "ru"),
        ("en;q=1" + "0" * 500, "en"),
        ("x" * 100_000, "ru"),
        ("\xff\xfe", "ru"),
        ("english", "ru"),
    ],
)
def test_the_language_is_the_first_wish_that_there_are_words_for(wish: str | None, language: str) -> None:
    assert choose_language(wish) == language


def test_the_default_language_has_words() -> None:
    assert DEFAULT_LANGUAGE in MESSAGES[Code.INTERNAL]
