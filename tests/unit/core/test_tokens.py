"""Tokens: whose are believed, and the many that are not."""

import asyncio
import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet, OctKey, OKPKey, RSAKey
from joserfc.jws import JWSRegistry

from bff.errors import Unauthenticated
from bff.identity import Principal, TokenVerifier, read_jwks, shared_secret, sign_token

SECRET = "sec-ret-" * 4
NOW = datetime(2026, 11, 21, 10, 0, tzinfo=UTC)
SECONDS = int(NOW.timestamp())
ISSUER, AUDIENCE = "https://shop.example.test", "cabinet"
CLAIMS: dict[str, Any] = {"iss": ISSUER, "aud": AUDIENCE, "sub": "c-1", "iat": SECONDS, "exp": SECONDS + 60}


def segment(value: Any) -> str:
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def hs256(claims: Any, *, secret: bytes = SECRET.encode(), **header: Any) -> str:
    """A token made by hand: nothing on our side has a say in what stands in it."""
    signed = f"{segment({'alg': 'HS256', **header})}.{segment(claims)}"
    return f"{signed}.{segment(hmac.new(secret, signed.encode(), hashlib.sha256).digest())}"


def verifier(key: OctKey | KeySet | None = None, **more: Any) -> TokenVerifier:
    kept = {"issuer": ISSUER, "audience": AUDIENCE, "clock": lambda: NOW, **more}
    return TokenVerifier(key or shared_secret(SECRET), **kept)


def believed(token: str, by: TokenVerifier | None = None) -> Principal:
    return asyncio.run((by or verifier()).verify(token))


def refused(token: str, by: TokenVerifier | None = None) -> str:
    with pytest.raises(Unauthenticated) as caught:
        believed(token, by)
    assert "sec-ret" not in str(caught.value)
    assert caught.value.__cause__ is None
    return str(caught.value)


@cache
def private_keys() -> dict[str, RSAKey | ECKey | OKPKey]:
    return {
        "rsa": RSAKey.generate_key(2048, {"kid": "rsa"}),
        "ec": ECKey.generate_key("P-256", {"kid": "ec"}),
        "ed": OKPKey.generate_key("Ed25519", {"kid": "ed"}),
    }


@cache
def public_keys() -> KeySet:
    return KeySet.import_key_set({"keys": [key.as_dict(private=False) for key in private_keys().values()]})


def signed(key: str, algorithm: str, claims: dict[str, Any] = CLAIMS, **header: Any) -> str:
    registry = JWSRegistry(algorithms=[algorithm], strict_check_header=False)
    model = registry.algorithms[algorithm]
    warned, model.security_warning = model.security_warning, None
    try:
        return jwt.encode(
            {"alg": algorithm, "kid": key, **header}, dict(claims), private_keys()[key], registry=registry
        )
    finally:
        model.security_warning = warned


def test_a_signed_token_says_who_it_stands_for() -> None:
    assert believed(hs256(CLAIMS)) == Principal("c-1")  # type: ignore[arg-type]  # CustomerId is a str
    token = sign_token(SECRET, "c-2", issuer=ISSUER, audience=AUDIENCE, clock=lambda: NOW)
    assert believed(token).customer == "c-2"


def test_the_audience_may_be_one_of_several() -> None:
    assert believed(hs256({**CLAIMS, "aud": ["other", AUDIENCE]})).customer == "c-1"


@pytest.mark.parametrize(
    ("key", "algorithm"), [("rsa", "RS256"), ("rsa", "PS256"), ("ec", "ES256"), ("ed", "EdDSA"), ("ed", "Ed25519")]
)
def test_every_algorithm_of_public_keys_works_without_a_warning(key: str, algorithm: str) -> None:
    assert believed(signed(key, algorithm), verifier(public_keys())).customer == "c-1"


@pytest.mark.parametrize(
    "changed",
    [
        {"iss": "https://evil.example.test"},
        {"iss": [ISSUER]},
        {"iss": None},
        {"aud": "another-service"},
        {"aud": ["another-service"]},
        {"aud": []},
        {"aud": {AUDIENCE: 1}},
        {"aud": None},
        {"exp": None},
        {"exp": str(SECONDS + 60)},
        {"exp": True},
        {"exp": float("nan")},
        {"exp": float("inf")},
        {"exp": [SECONDS + 60]},
        {"sub": None},
        {"sub": ""},
        {"sub": 5},
        {"sub": ["c-1"]},
        {"sub": "c-1\x00"},
        {"sub": "c-1\n"},
        {"sub": "c-1\u202e"},
        {"sub": "\ud800"},
        {"sub": "c" * 201},
        {"nbf": SECONDS + 60},
        {"nbf": "tomorrow"},
        {"iat": SECONDS + 60},
        {"iat": "today"},
    ],
    ids=str,
)
def test_a_claim_that_is_not_as_it_must_be(changed: dict[str, Any]) -> None:
    refused(hs256({**CLAIMS, **changed}))


@pytest.mark.parametrize("name", ["iss", "aud", "exp", "iat", "sub"])
def test_a_claim_that_is_not_there(name: str) -> None:
    refused(hs256({key: value for key, value in CLAIMS.items() if key != name}))


@pytest.mark.parametrize("claims", [None, 5, "c-1", [], {}])
def test_claims_that_are_none(claims: Any) -> None:
    refused(hs256(claims))


@pytest.mark.parametrize(
    ("after", "good"), [(-1, True), (0, True), (1, True), (4, True), (5, False), (6, False), (86_400, False)]
)
def test_a_token_lives_until_its_end_and_the_leeway(after: int, good: bool) -> None:
    ended = verifier(leeway_seconds=5, clock=lambda: NOW + timedelta(seconds=60 + after))
    if good:
        assert believed(hs256(CLAIMS), ended).customer == "c-1"
    else:
        assert "ExpiredToken" in refused(hs256(CLAIMS), ended)


@pytest.mark.parametrize(("ahead", "good"), [(0, True), (5, True), (6, False)])
def test_a_token_lives_from_its_beginning_less_the_leeway(ahead: int, good: bool) -> None:
    token = hs256({**CLAIMS, "nbf": SECONDS + ahead})
    if good:
        assert believed(token, verifier(leeway_seconds=5)).customer == "c-1"
    else:
        refused(token, verifier(leeway_seconds=5))


def test_time_comes_from_the_clock_at_each_token() -> None:
    moment = NOW
    made = verifier(clock=lambda: moment)
    assert believed(hs256(CLAIMS), made).customer == "c-1"
    moment += timedelta(hours=1)
    refused(hs256(CLAIMS), made)


@pytest.mark.parametrize("algorithm", ["none", "None", "NONE", "", None, 5, [], {}, "HS512", "RS256", "dir"])
def test_an_algorithm_that_is_not_ours(algorithm: Any) -> None:
    refused(hs256(CLAIMS, alg=algorithm))
    unsigned = f"{segment({'alg': algorithm})}.{segment(CLAIMS)}."
    refused(unsigned)
    refused(unsigned, verifier(public_keys()))


def test_the_public_key_is_no_shared_secret() -> None:
    rsa = private_keys()["rsa"]
    for secret in (
        rsa.as_pem(private=False),
        rsa.as_pem(private=False).strip(),
        rsa.as_der(private=False),
        json.dumps(rsa.as_dict(private=False)).encode(),
        b"",
    ):
        refused(hs256(CLAIMS, secret=secret, kid="rsa"), verifier(public_keys()))
        refused(hs256(CLAIMS, secret=secret), verifier(public_keys()))


def test_another_secret_or_a_changed_token_is_refused() -> None:
    refused(hs256(CLAIMS, secret=b"another secret of thirty-two bytes"))
    header, _, signature = hs256(CLAIMS).split(".")
    refused(f"{header}.{segment({**CLAIMS, 'sub': 'c-2'})}.{signature}")


@pytest.mark.parametrize("kid", ["../../etc/passwd", "", "a" * 400, "nobody's", 5, None, [], {}, "ec"])
def test_a_key_id_that_names_no_fitting_key(kid: Any) -> None:
    _, claims, signature = signed("rsa", "RS256").split(".")
    refused(f"{segment({'alg': 'RS256', 'kid': kid})}.{claims}.{signature}", verifier(public_keys()))


def test_keys_are_never_looked_for_where_a_token_says(monkeypatch: pytest.MonkeyPatch) -> None:
    """A token signed by a key of the attacker's own, who offers it in every way that RFC 7515 has."""

    def connect(*_: Any, **__: Any) -> None:
        raise AssertionError("something was fetched")

    monkeypatch.setattr("socket.socket.connect", connect)
    attackers = RSAKey.generate_key(2048, {"kid": "rsa"})
    registry = JWSRegistry(algorithms=["RS256"], strict_check_header=False)
    for header in (
        {"jku": "https://evil.example.test/jwks.json"},
        {"x5u": "https://evil.example.test/chain.pem"},
        {"jwk": attackers.as_dict(private=False)},
        {"x5c": ["AAAA"]},
    ):
        token = jwt.encode(
            {"alg": "RS256", "kid": "rsa", **header}, dict(CLAIMS), attackers, registry=registry
        )  # fmt: skip
        refused(token, verifier(public_keys()))


@pytest.mark.parametrize(
    "crit", [["exp"], ["urn:example:unknown"], ["b64"], "b64", 5, [5], [[]], [None]], ids=str
)  # fmt: skip
def test_a_header_that_must_be_understood_and_is_not(crit: Any) -> None:
    header: dict[str, Any] = {"crit": crit, "b64": True, "urn:example:unknown": 1}
    refused(hs256(CLAIMS, **header))


GARBAGE = [
    "",
    ".",
    "..",
    "...",
    "a.b.c",
    "a.b.c.d.e",
    ".".join([segment({"alg": "dir", "enc": "A256GCM"}), "", "AAAA", "AAAA", "AAAA"]),
    "ж.ж.ж",
    "\xff.\xff.\xff",
    "\ud800.a.b",
    "\x00",
    "a" * 100_000,
    "." * 100_000,
    "." * 8_000,
    hs256(CLAIMS) + "." * 100_000,
    f"{segment(b'[' * 6_000)}.a.b",
    f"{segment(b'not json')}.a.b",
    f"{segment([])}.a.b",
    f"{segment(None)}.a.b",
    f"{segment('alg')}.a.b",
    f"{segment(b'{}' + bytes([255]))}.a.b",
    f"{segment({'alg': 'HS256'})}.%%%.%%%",
]


@pytest.mark.parametrize("token", GARBAGE, ids=range(len(GARBAGE)))
def test_garbage_is_refused_and_nothing_else_happens(token: str) -> None:
    refused(token)
    refused(token, verifier(public_keys()))


def test_a_long_token_is_not_even_looked_at() -> None:
    assert refused(hs256({**CLAIMS, "padding": "x" * 8_192})) == "the token is too long"


def test_claims_nested_beyond_reason_are_refused() -> None:
    deep = b'{"a":' + b"[" * 2_500 + b"]" * 2_500 + b"}"
    signed_part = f"{segment({'alg': 'HS256'})}.{segment(deep)}"
    mac = hmac.new(SECRET.encode(), signed_part.encode(), hashlib.sha256).digest()
    refused(f"{signed_part}.{segment(mac)}")


def test_the_customer_may_stand_in_another_claim() -> None:
    made = verifier(customer_claim="customer_id")
    assert believed(hs256({**CLAIMS, "customer_id": "c-7"}), made).customer == "c-7"
    for wrong in ({}, {"customer_id": 7}, {"customer_id": ""}, {"customer_id": ["c-7"]}, {"customer_id": "c\n7"}):
        assert "'customer_id'" in refused(hs256({**CLAIMS, **wrong}), made)
    token = sign_token(
        SECRET, "c-8", issuer=ISSUER, audience=AUDIENCE, customer_claim="customer_id", clock=lambda: NOW
    )  # fmt: skip
    assert believed(token, made).customer == "c-8"


def test_a_verifier_and_a_principal_print_no_secret() -> None:
    made = verifier()
    assert "sec-ret" not in f"{made!r} {believed(hs256(CLAIMS), made)!r}"


def jwks(folder: Path, *keys: Any) -> Path:
    file = folder / "jwks.json"
    file.write_text(json.dumps({"keys": keys}))
    return file


def test_public_keys_are_read_from_a_file(tmp_path: Path) -> None:
    file = jwks(tmp_path, *(key.as_dict(private=False) for key in private_keys().values()))
    made = verifier(read_jwks(file))
    for key, algorithm in (("rsa", "RS256"), ("ec", "ES256"), ("ed", "EdDSA")):
        assert believed(signed(key, algorithm), made).customer == "c-1"


@pytest.mark.parametrize("key", ["rsa", "ec", "ed"])
def test_a_private_key_among_the_public_ones_is_refused(tmp_path: Path, key: str) -> None:
    others = [each.as_dict(private=False) for name, each in private_keys().items() if name != key]
    with pytest.raises(ValueError, match="must hold public keys, and nothing else"):
        read_jwks(jwks(tmp_path, *others, private_keys()[key].as_dict(private=True)))


def test_a_shared_secret_among_public_keys_is_refused(tmp_path: Path) -> None:
    public = private_keys()["rsa"].as_dict(private=False)
    with pytest.raises(ValueError, match="must hold public keys, and nothing else") as caught:
        read_jwks(jwks(tmp_path, public, {"kty": "oct", "k": segment(b"sec-ret-" * 4)}))
    assert "sec-ret" not in str(caught.value)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"5",
        b"null",
        b"{}",
        b'{"keys": 5}',
        b'{"keys": []}',
        b'{"keys": [5]}',
        b'{"keys": [{}]}',
        b'{"keys": [{"kty": "RSA"}]}',
        b'{"keys": [{"kty": "XYZ"}]}',
        b"\xff",
        b"[" * 100_000,
    ],
    ids=range(13),
)
def test_what_is_no_set_of_keys_is_refused(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "jwks.json"
    file.write_bytes(content)
    with pytest.raises(ValueError, match=r"^jwks\.json "):
        read_jwks(file)


def test_a_file_of_keys_that_is_gone_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="FileNotFoundError"):
        read_jwks(tmp_path / "jwks.json")
