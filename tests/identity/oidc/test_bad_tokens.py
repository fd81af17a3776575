"""
Bad inputs, group E, at the verifier: the safe answer is always the same error, and keys are asked for within bounds.

The first half is one test a case of the group; the second says what is believed all the same.
"""

import json
import time
from datetime import UTC, datetime
from typing import Any

import pytest
from joserfc.jwk import RSAKey

from bff.errors import Code, Unauthenticated
from bff.identity import Principal, TokenVerifier
from tests.fakes.http_server import answers
from tests.identity.oidc.keys import claims, hs256, key, segment, signed
from tests.identity.oidc.publisher import Publisher

pytestmark = pytest.mark.anyio


async def refused(provider: Publisher, *tokens: str, fetches: int = 1, **more: Any) -> None:
    """Every one is refused in one way, after a good one was believed; and with so many fetches of keys in all."""
    async with provider.verifier(**more) as verifier:
        good = signed(claims(provider.issuer), typ="at+jwt")
        await verifier.verify(good)
        provider.now += 3_000
        for token in tokens:
            for _ in range(2):
                with pytest.raises(Unauthenticated) as caught:
                    await verifier.verify(token)
                assert caught.value.public_code is Code.UNAUTHENTICATED
                assert token not in str(caught.value)
        assert (await verifier.verify(good)).customer == "c-1"
    assert provider.fetches() == fetches


async def test_alg_none(provider: Publisher) -> None:
    said = claims(provider.issuer)
    algorithms: list[Any] = ["none", "None", "NONE", "", None, ..., 5, ["RS256"], {}]
    for algorithm in algorithms:
        header = {"typ": "JWT", "kid": "rsa-1"} | ({} if algorithm is ... else {"alg": algorithm})
        await refused(provider, f"{segment(header)}.{segment(said)}.", signed(said, alg=algorithm), fetches=1)
        provider.server.asked.clear()


async def test_hs256_with_the_public_key(provider: Publisher) -> None:
    rsa = key("rsa-1")
    assert isinstance(rsa, RSAKey)
    pem = rsa.as_pem(private=False)
    published = json.dumps(rsa.as_dict(private=False)).encode()
    secrets = (pem, pem.strip(), pem.replace(b"\n", b""), rsa.as_der(private=False), published, b"")
    said = claims(provider.issuer)
    await refused(provider, *(hs256(said, secret, kid="rsa-1") for secret in secrets))
    await refused(provider, *(hs256(said, secret) for secret in secrets), fetches=2)


@pytest.mark.parametrize(
    "kid", ["../../etc/passwd", "/dev/zero", "' OR 1=1 --", "a" * 3_000, "", "rsa-1\x00", "\ud800"]
)
async def test_kid_of_no_key(provider: Publisher, kid: str) -> None:
    """It is compared, and nothing else is done with it. One of these asks the provider once."""
    await refused(provider, signed(claims(provider.issuer), kid=kid), fetches=2)


@pytest.mark.parametrize("kid", [5, None, [], {}, ["rsa-1"], True], ids=str)
async def test_kid_that_is_no_text(provider: Publisher, kid: Any) -> None:
    await refused(provider, signed(claims(provider.issuer), kid=kid))


async def test_jku_and_all_other_keys_that_a_token_brings(provider: Publisher) -> None:
    """Signed by an attacker's key, which the token offers in every way there is. Nobody asks for it anywhere."""
    own = key("rsa-9").as_dict(private=False)
    provider.pages["/evil"] = answers(json.dumps({"keys": [{**own, "kid": "rsa-1"}]}).encode())
    evil = provider.issuer + "/evil"
    offers: list[dict[str, Any]] = [{"jku": evil}, {"x5u": evil}, {"jwk": own}, {"x5c": ["AAAA"]}, {"jku": 5}]
    await refused(provider, *(signed(claims(provider.issuer), "rsa-9", kid="rsa-1", **offer) for offer in offers))
    assert provider.fetches("/evil") == 0


@pytest.mark.parametrize("aud", ["another", ["another"], [], {}, "", None, 5, ["another", 5], ...], ids=str)
async def test_wrong_aud(provider: Publisher, aud: Any) -> None:
    await refused(provider, signed(claims(provider.issuer, aud=aud)))


async def test_wrong_iss(provider: Publisher) -> None:
    wrong = [
        "https://evil.example",
        provider.issuer + "/",
        provider.issuer.upper(),
        "",
        None,
        5,
        [provider.issuer],
        ...,
    ]
    await refused(provider, *(signed(claims(provider.issuer, iss=iss)) for iss in wrong))


@pytest.mark.parametrize("name", ["exp", "iat", "sub"])
async def test_no_exp_and_what_else_is_required(provider: Publisher, name: str) -> None:
    await refused(
        provider, signed(claims(provider.issuer, **{name: ...})), signed(claims(provider.issuer, **{name: None}))
    )


@pytest.mark.parametrize("name", ["exp", "iat", "nbf"])
async def test_exp_as_text_and_other_times_that_are_none(provider: Publisher, name: str) -> None:
    now = int(time.time())
    times = [str(now + 60), "", True, [now + 60], {"at": now}, float("nan"), float("inf")]
    await refused(provider, *(signed(claims(provider.issuer, **{name: each})) for each in times))


async def test_exp_over(provider: Publisher) -> None:
    now = int(time.time())
    await refused(provider, *(signed(claims(provider.issuer, exp=exp)) for exp in (now - 60, 0, -1, -1e300)))


async def test_nbf_ahead(provider: Publisher) -> None:
    now = int(time.time())
    await refused(
        provider, signed(claims(provider.issuer, nbf=now + 600)), signed(claims(provider.issuer, iat=now + 600))
    )


@pytest.mark.parametrize("crit", [["exp"], ["urn:example:new"], ["b64"], ["kid"], [], "exp", 5, [[]], None], ids=str)
async def test_unknown_crit(provider: Publisher, crit: Any) -> None:
    header: dict[str, Any] = {"crit": crit, "exp": 1, "urn:example:new": 1}
    said = claims(provider.issuer)
    await refused(provider, signed(said, **header), signed(said, **header, b64=True), signed(said, **header, b64=False))


async def test_an_id_token_as_an_access_token(provider: Publisher) -> None:
    """Its audience is a client. Where the shop has one name for both, it is told by what stands in it."""
    theirs = signed(claims(provider.issuer, aud="web-client", nonce="n"))
    marked = [signed(claims(provider.issuer, **{name: "x"})) for name in ("nonce", "at_hash", "c_hash", "s_hash")]
    await refused(provider, theirs, *marked)


async def test_other_tokens_of_the_provider(provider: Publisher) -> None:
    said = claims(provider.issuer)
    kinds = ("logout+jwt", "secevent+jwt", "dpop+jwt", "oauth-authz-req+jwt", "id_token+jwt", "", "at", 5)
    await refused(provider, *(signed(said, typ=kind) for kind in kinds))
    marks: list[dict[str, Any]] = [
        {"typ": "ID"},
        {"typ": "Refresh"},
        {"typ": "Logout"},
        {"typ": 5},
        {"token_use": "id"},
        {"typ": "Bearer", "token_use": "id"},
    ]
    await refused(provider, *(signed(claims(provider.issuer, **mark)) for mark in marks), fetches=2)


async def test_only_tokens_that_say_so_where_the_settings_want_it(provider: Publisher) -> None:
    said = claims(provider.issuer)
    untyped = (signed(said), signed(said, typ="JWT"), signed(claims(provider.issuer, typ="Bearer"), typ="JWT"))
    await refused(provider, *untyped, token_type="at+jwt")


async def test_another_customer_in_a_good_signature(provider: Publisher) -> None:
    start, _, signature = signed(claims(provider.issuer)).split(".")
    await refused(provider, f"{start}.{segment(claims(provider.issuer, sub='c-2'))}.{signature}")


@pytest.mark.parametrize("scope", [5, {"a": 1}, ["a", 5], [["a"]], True, ["a"] * 300], ids=str)
async def test_scopes_that_are_none(provider: Publisher, scope: Any) -> None:
    await refused(provider, signed(claims(provider.issuer, scope=scope)))


async def believed(verifier: TokenVerifier, token: str) -> Principal:
    """The same the first time, and remembered."""
    first = await verifier.verify(token)
    assert verifier.verify_at_once(token) == first
    return first


async def test_header_fields_of_real_providers_are_tolerated(provider: Publisher) -> None:
    """Entra sends `x5t` and `ver`, Zitadel and others what they like."""
    async with provider.verifier() as verifier:
        headers: list[dict[str, Any]] = [
            {"x5t": "AAAA", "ver": "2.0"},
            {"x5c": ["A" * 2_000]},
            {"typ": "application/at+jwt"},
            {"typ": "AT+JWT"},
            {"zzz": [1]},
        ]
        for header in headers:
            assert (await believed(verifier, signed(claims(provider.issuer), **header))).customer == "c-1"


async def test_access_tokens_of_real_providers_are_believed(provider: Publisher) -> None:
    async with provider.verifier() as verifier:
        marks: list[dict[str, Any]] = [{"typ": "Bearer", "nonce": "n"}, {"token_use": "access"}, {"azp": "web-client"}]
        for mark in marks:
            assert (await believed(verifier, signed(claims(provider.issuer, **mark)))).customer == "c-1"


@pytest.mark.parametrize(
    ("scope", "expected"),
    [
        ("staff:read profile", {"staff:read", "profile"}),
        ("  a  b ", {"a", "b"}),
        (["a", "b", ""], {"a", "b"}),
        ("", set()),
        ([], set()),
        (None, set()),
        (..., set()),
    ],
    ids=str,
)
async def test_scopes_come_as_a_text_or_a_list(provider: Publisher, scope: Any, expected: set[str]) -> None:
    async with provider.verifier(scopes_claim="scp") as verifier:
        token = signed(claims(provider.issuer, scp=scope, scope="another:claim"))
        assert (await believed(verifier, token)).scopes == expected


async def test_the_time_is_asked_for_each_time(provider: Publisher) -> None:
    now = datetime.now(UTC)
    async with provider.verifier(clock=lambda: now) as verifier:
        exp = int(now.timestamp()) + 60
        token = signed(claims(provider.issuer, exp=exp))
        await believed(verifier, token)
        now = datetime.fromtimestamp(exp + 4, UTC)
        await believed(verifier, token)
        now = datetime.fromtimestamp(exp + 5, UTC)
        with pytest.raises(Unauthenticated):
            verifier.verify_at_once(token)
