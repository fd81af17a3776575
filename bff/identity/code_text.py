"""The words that bring a code. In Russian, one short message has up to 70 characters."""

from collections.abc import Mapping

from bff.identity.codes import Purpose

DEFAULT_LANGUAGE = "ru"

TEXTS: Mapping[Purpose, Mapping[str, str]] = {
    Purpose.SIGN_IN: {
        "ru": "Код для входа: {code}. Никому его не сообщайте.",
        "en": "Your sign-in code: {code}. Do not tell it to anyone.",
    },
    Purpose.SECOND_FACTOR: {
        "ru": "Код подтверждения: {code}. Никому его не сообщайте.",
        "en": "Your confirmation code: {code}. Do not tell it to anyone.",
    },
}


def code_text(purpose: Purpose, code: str, language: str, web_otp_host: str | None = None) -> str:
    """
    The message, in the default language where there are no words in the wished one.

    With a host, its last line is what browsers look for (WICG, "Origin-bound one-time codes delivered via SMS").
    """
    texts = TEXTS[purpose]
    text = texts.get(language, texts[DEFAULT_LANGUAGE]).format(code=code)
    return text if web_otp_host is None else f"{text}\n\n@{web_otp_host} #{code}"
