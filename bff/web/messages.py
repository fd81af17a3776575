"""Words for people, by code: ours, never a back office's. One more language is one more column."""

from collections.abc import Mapping

from bff.errors import Code

DEFAULT_LANGUAGE = "ru"

MESSAGES: Mapping[Code, Mapping[str, str]] = {
    Code.UNAUTHENTICATED: {"ru": "Войдите, чтобы увидеть личный кабинет.", "en": "Sign in to see your account."},
    Code.FORBIDDEN: {"ru": "Это действие недоступно.", "en": "This is not allowed."},
    Code.NOT_FOUND: {"ru": "Такого нет.", "en": "There is no such thing."},
    Code.UNAVAILABLE: {"ru": "Раздел временно недоступен.", "en": "This section is unavailable for now."},
    Code.TIMEOUT: {"ru": "Раздел не успел загрузиться.", "en": "This section took too long."},
    Code.BUSY: {"ru": "Раздел перегружен, попробуйте позже.", "en": "This section is busy, try again later."},
    Code.UPSTREAM: {"ru": "Раздел временно недоступен.", "en": "This section is unavailable for now."},
    Code.UPSTREAM_AUTH: {"ru": "Раздел временно недоступен.", "en": "This section is unavailable for now."},
    Code.BAD_REPLY: {"ru": "Данные не удалось прочитать.", "en": "The data could not be read."},
    Code.TOO_LARGE: {"ru": "Данных слишком много.", "en": "There is too much data."},
    Code.INTEGRITY: {"ru": "Раздел закрыт до проверки.", "en": "This section is closed until it is checked."},
    Code.NOT_SUPPORTED: {"ru": "Раздел отключён.", "en": "This section is switched off."},
    Code.CONFLICT: {"ru": "Данные уже изменились.", "en": "The data has changed meanwhile."},
    Code.BAD_USER_INPUT: {"ru": "Неверный запрос.", "en": "The request is wrong."},
    Code.QUERY_TOO_DEEP: {"ru": "Неверный запрос.", "en": "The request is wrong."},
    Code.QUERY_TOO_COMPLEX: {"ru": "Неверный запрос.", "en": "The request is wrong."},
    Code.PERSISTED_QUERY_NOT_FOUND: {"ru": "Неверный запрос.", "en": "The request is wrong."},
    Code.PERSISTED_QUERY_NOT_SUPPORTED: {"ru": "Неверный запрос.", "en": "The request is wrong."},
    Code.RATE_LIMITED: {"ru": "Слишком много запросов, попробуйте позже.", "en": "Too many requests, try again later."},
    Code.SECOND_FACTOR_REQUIRED: {"ru": "Подтвердите это кодом.", "en": "Confirm this with a code."},
    Code.INTERNAL: {"ru": "Что-то сломалось, мы уже знаем.", "en": "Something broke; we know of it."},
}

PARTLY: Mapping[str, str] = {
    "ru": "Часть данных сейчас недоступна.",
    "en": "Part of this is unavailable right now.",
}
"""For an error beside a value that is there, whatever the code."""


def message(code: Code, language: str) -> str:
    """The words for a code."""
    return MESSAGES[code][language]


def choose_language(accept_language: str | None) -> str:
    """The first language of `Accept-Language` (RFC 9110, 12.5.4) that there are words in, by weight."""
    wishes: list[tuple[float, int, str]] = []
    for place, part in enumerate((accept_language or "")[:200].split(",")):
        tag, _, weight = part.partition(";")
        language = tag.strip().split("-")[0].lower()
        try:
            wishes.append((-float(weight.strip().lower().removeprefix("q=") or 1), place, language))
        except ValueError:
            continue
    for negative, _, language in sorted(wishes):
        if negative < 0 and language in MESSAGES[Code.INTERNAL]:
            return language
    return DEFAULT_LANGUAGE
