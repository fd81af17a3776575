"""Settings, keys and small parts on their own."""

from typing import Any

import pytest
from pydantic import ValidationError

from bff.identity.seal import Seal, bytes_of
from bff.identity.settings import SessionSettings, SignInSettings
from bff.identity.subkeys import Subkeys, as_text, keyed_hash
from tests.identity.sign_in.door import SECRET


def test_defaults_are_the_figures_of_the_design() -> None:
    codes = SignInSettings()
    assert (codes.code_seconds, codes.checks_per_code, codes.failures_per_contact) == (300, 5, 10)
    assert (codes.codes_per_contact, codes.resend_seconds) == (10, (30, 60, 120))
    assert (codes.codes_per_network, codes.codes_per_shop, codes.countries) == (20, 1_000, ("RU",))
    sessions = SessionSettings.model_validate({"secret": SECRET})
    assert (sessions.access_seconds, sessions.grace_seconds, sessions.fresh_seconds) == (600, 10, 300)
    assert SECRET not in repr(sessions)


@pytest.mark.parametrize(
    "settings",
    [
        {"countries": []},
        {"countries": ["ru"]},
        {"refused_prefixes": ["8954"]},
        {"resend_seconds": []},
        {"resend_seconds": [0]},
        {"web_otp_host": "https://shop.example"},
        {"web_otp_host": "shop.example\n@evil.example"},
        {"code_secons": 300},
    ],
)
def test_wrong_settings_of_codes_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        SignInSettings.model_validate(settings)


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"secret": "short"},
        {"secret": SECRET, "idle_seconds": 500},
        {"secret": SECRET, "idle_seconds": 200, "access_seconds": 300},
        {"secret": SECRET, "absolute_seconds": 86_400},
    ],
)
def test_wrong_settings_of_sessions_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(ValidationError) as caught:
        SessionSettings.model_validate(settings)
    assert SECRET not in str(caught.value)


def test_each_purpose_has_a_key_of_its_own() -> None:
    keys, others = Subkeys(SECRET), Subkeys(SECRET + "!")
    assert keys.key("codes") == Subkeys(SECRET).key("codes")
    assert len({keys.key("codes"), keys.key("cookies"), others.key("codes")}) == 3
    assert len(keys.key("codes")) == 32
    with pytest.raises(ValueError, match="32 bytes"):
        Subkeys("short")


def test_rows_of_parts_are_told_apart() -> None:
    key = b"k" * 32
    rows = [("ab", "c"), ("a", "bc"), ("abc",), ("abc", ""), ("", "abc"), ("\ud800",)]
    assert len({keyed_hash(key, *row) for row in rows}) == len(rows)


def test_what_is_sealed_opens_at_its_place_only() -> None:
    seal = Seal(b"k" * 32)
    sealed = seal.close(b"content", "here")
    assert seal.open(sealed, "here") == b"content"
    assert seal.close(b"content", "here") != sealed
    assert b"content" not in sealed
    for bad, place in ((sealed, "there"), (sealed[:-1], "here"), (sealed[:5], "here"), (b"", "here")):
        assert seal.open(bad, place) is None
    assert Seal(b"l" * 32).open(sealed, "here") is None
    assert bytes_of(as_text(sealed)) == sealed
    assert bytes_of("ж") is None
    assert bytes_of("A") is None
