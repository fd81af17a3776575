"""Settings of keys and of providers, and the verifier that they make."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from bff.app import _verifier
from bff.config import IdentitySettings, load_settings
from bff.domain import CustomerId
from bff.domain.clock import utc_now
from bff.identity import Principal, TokenVerifier
from bff.identity.provider_settings import ProviderSettings
from tests.fakes.http_server import answers
from tests.identity.oidc.keys import AUDIENCE, claims, jwks, signed
from tests.identity.oidc.publisher import KEYS, Publisher

SECRET = "a secret of the tests, of 32 bytes and more"


def faults(model: type[BaseModel], table: dict[str, Any]) -> str:
    with pytest.raises(ValidationError) as caught:
        model.model_validate(table, context={"folder": Path()})
    assert SECRET not in str(caught.value)
    return str(caught.value)


SOURCES: dict[str, Any] = {"secret": SECRET, "jwks_url": "https://login.example/keys?p=b2c", "discovery": True}


def test_keys_come_from_one_place() -> None:
    base = {"issuer": "https://login.example", "audience": AUDIENCE}
    for name, value in SOURCES.items():
        IdentitySettings.model_validate({**base, name: value})
        for other in SOURCES.keys() - {name}:
            both = {**base, name: value, other: SOURCES[other]}
            assert "set exactly one of secret" in faults(IdentitySettings, both)
    assert "set exactly one of secret" in faults(IdentitySettings, base)


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        ({"jwks_url": "http://login.example/keys"}, "jwks_url: use https"),
        ({"jwks_url": "keys.json"}, "jwks_url: write https"),
        ({"jwks_url": "https://u:password@login.example/"}, "jwks_url: user and password"),
        ({"discovery": True, "issuer": "http://login.example"}, "issuer: use https"),
        ({"discovery": True, "issuer": "https://login.example?a=b"}, "issuer: an address has no ?"),
        ({"discovery": True, "issuer": "shop"}, "issuer: write https"),
        ({"secret": "short"}, "shorter than 32 bytes"),
        ({"discovery": True, "token_type": "jwt"}, "token_type"),
        ({"discovery": True, "keys_refresh_seconds": 1}, "keys_refresh_seconds"),
        ({"discovery": True, "scopes_claim": ""}, "scopes_claim"),
    ],
    ids=str,
)
def test_what_is_wrong_is_said(table: dict[str, Any], expected: str) -> None:
    assert expected in faults(IdentitySettings, {"issuer": "https://login.example", "audience": AUDIENCE, **table})


def test_an_issuer_whose_keys_are_known_may_be_any_name() -> None:
    IdentitySettings.model_validate({"issuer": "shop", "audience": AUDIENCE, "secret": SECRET})
    IdentitySettings.model_validate(
        {"issuer": "shop", "audience": AUDIENCE, "jwks_url": "http://keys.lan/", "allow_plain_http": True}
    )


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        ({"issuer": "http://login.example"}, "issuer: use https"),
        ({"scopes": ["email"]}, '"openid" is missing'),
        ({"scopes": ["openid", "a b"]}, "scopes"),
        ({"client_secret": ""}, "client_secret"),
        ({"contact_claims": []}, "contact_claims"),
        ({"contact_claims": ["name"]}, "contact_claims"),
        ({"customer_claim": ""}, "customer_claim"),
    ],
    ids=str,
)
def test_what_is_wrong_with_a_provider_is_said(table: dict[str, Any], expected: str) -> None:
    good = {"issuer": "https://login.example", "client_id": "cabinet", "client_secret": SECRET}
    assert SECRET not in repr(ProviderSettings.model_validate(good))
    assert expected in faults(ProviderSettings, {**good, **table})


def made(issuer: str, **table: Any) -> tuple[TokenVerifier | None, list[str]]:
    flags = {"identity": {"issuer": issuer, "audience": AUDIENCE, **table}, "back_offices": {"none": {}}}
    found: list[str] = []
    return _verifier(load_settings(None, flags=flags, environment=False), found, utc_now), found


@pytest.mark.anyio
@pytest.mark.parametrize("by", ["discovery", "jwks_url", "jwks_file"])
async def test_the_settings_make_a_verifier(provider: Publisher, tmp_path: Path, by: str) -> None:
    file = tmp_path / "jwks.json"
    file.write_bytes(jwks("rsa-1"))
    value = {"discovery": True, "jwks_url": provider.issuer + KEYS, "jwks_file": str(file)}[by]
    verifier, found = made(
        provider.issuer, **{by: value}, customer_claim="cid", scopes_claim="scp", token_type="at+jwt"
    )
    assert found == []
    assert verifier is not None
    try:
        principal = await verifier.verify(signed(claims(provider.issuer, cid="c-7", scp=["staff"]), typ="at+jwt"))
        assert principal == Principal(CustomerId("c-7"), scopes=frozenset({"staff"}))
    finally:
        await verifier.close()


def test_a_file_of_keys_that_is_none_is_a_fault(tmp_path: Path) -> None:
    file = tmp_path / "jwks.json"
    file.write_text("{}")
    assert made("shop", jwks_file=str(file)) == (
        None,
        ["identity.jwks_file: jwks.json is not a JWKS document: it has no list of keys"],
    )


@pytest.mark.anyio
async def test_nobody_is_talked_to_before_the_first_token(provider: Publisher) -> None:
    provider.pages.clear()
    provider.pages["/"] = answers(b"", 500)
    verifier, _ = made(provider.issuer, discovery=True)
    assert verifier is not None
    await verifier.close()
    assert provider.server.asked == []
