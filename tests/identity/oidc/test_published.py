"""Published keys: fetched when needed, seldom, by one for all, and kept."""

import asyncio
import json
import secrets
from typing import Any

import pytest

from bff.errors import BadReply, Unauthenticated
from bff.http import HttpClients
from bff.identity import KeysUnavailable, TokenVerifier
from bff.identity.published import ProviderHttp
from bff.identity.signatures import Signatures
from tests.fakes.http_server import Asked, answers, hangs, head, repeats, sends
from tests.identity.oidc.keys import claims, jwks, key, public, signed
from tests.identity.oidc.publisher import KEYS, METADATA, Publisher

pytestmark = pytest.mark.anyio


async def refused(verifier: TokenVerifier, token: str) -> str:
    with pytest.raises(Unauthenticated) as caught:
        await verifier.verify(token)
    return str(caught.value)


@pytest.mark.parametrize("discovery", [True, False])
async def test_keys_are_fetched_for_the_first_token_and_then_kept(provider: Publisher, *, discovery: bool) -> None:
    async with provider.verifier(discovery=discovery) as verifier:
        assert provider.fetches() == 0
        token = signed(claims(provider.issuer))
        assert verifier.verify_at_once(token) is None
        for _ in range(3):
            assert (await verifier.verify(token)).customer == "c-1"
            assert verifier.verify_at_once(signed(claims(provider.issuer, sub="c-2"))) is not None
        assert (provider.fetches(METADATA), provider.fetches()) == (int(discovery), 1)


@pytest.mark.parametrize(("name", "algorithm"), [("rsa-1", "PS256"), ("ec-1", "ES256"), ("ed-1", "Ed25519")])
async def test_every_kind_of_published_key_is_used(provider: Publisher, name: str, algorithm: str) -> None:
    provider.publish("rsa-1", "ec-1", "ed-1")
    async with provider.verifier() as verifier:
        assert (await verifier.verify(signed(claims(provider.issuer), name, algorithm))).customer == "c-1"


async def test_many_first_tokens_at_once_are_one_fetch(provider: Publisher) -> None:
    async with provider.verifier() as verifier:
        tokens = [signed(claims(provider.issuer, sub=f"c-{number}")) for number in range(50)]
        found = await asyncio.gather(*map(verifier.verify, tokens))
        assert [each.customer for each in found] == [f"c-{number}" for number in range(50)]
        assert provider.fetches() == 1


async def test_a_thousand_random_key_ids_are_one_fetch_in_thirty_seconds(provider: Publisher) -> None:
    async with provider.verifier() as verifier:
        await verifier.verify(signed(claims(provider.issuer)))
        parts = signed(claims(provider.issuer)).split(".", 1)[1]
        heads = [signed({}, kid=secrets.token_hex(8)).split(".")[0] for _ in range(1_000)]
        for round_, seconds in enumerate((1.0, 30.0, 0.0, 29.9, 0.1)):
            provider.now += seconds
            outcomes = await asyncio.gather(
                *(verifier.verify(f"{start}.{parts}") for start in heads), return_exceptions=True
            )
            assert {type(outcome) for outcome in outcomes} == {Unauthenticated}, round_
            # The first fetch was a second before: nothing is asked until thirty are over.
            assert provider.fetches() == [1, 2, 2, 2, 3][round_]
        assert (await verifier.verify(signed(claims(provider.issuer)))).customer == "c-1"


async def test_a_new_key_is_found_and_a_withdrawn_one_is_good_no_more(provider: Publisher) -> None:
    async with provider.verifier() as verifier:
        old = signed(claims(provider.issuer))
        await verifier.verify(old)
        provider.publish("rsa-2")
        provider.now += 30
        assert (await verifier.verify(signed(claims(provider.issuer), "rsa-2"))).customer == "c-1"
        # It was remembered, with a good signature; its key is gone.
        await refused(verifier, old)


async def test_keys_are_refreshed_behind_the_requests(provider: Publisher) -> None:
    async with provider.verifier(refresh_seconds=600) as verifier:
        old = signed(claims(provider.issuer))
        await verifier.verify(old)
        provider.publish("rsa-2")
        provider.now += 599
        await verifier.verify(old)
        provider.now += 1
        # Nobody waits: this answer is by the keys at hand, and those that come are for the next one.
        assert verifier.verify_at_once(old) is not None
        await provider.server.heard(4)
        for _ in range(1_000):
            if verifier.verify_at_once(signed(claims(provider.issuer), "rsa-2")) is not None:
                break
            await asyncio.sleep(0.01)
        await refused(verifier, old)
        assert provider.fetches() == 2


async def test_a_refresh_that_brings_the_same_keys_forgets_nothing(provider: Publisher) -> None:
    async with provider.published(refresh_seconds=600) as published:
        first = await published.documents()
        provider.now += 600
        assert await published.documents() is first
        while (again := await published.documents()) is first:  # noqa: ASYNC110 (it happens behind our back)
            await asyncio.sleep(0.01)
        assert again.keys is first.keys


@pytest.mark.parametrize(
    "broken",
    [
        answers(b"", 500),
        answers(b"", 503, Retry_After="10"),
        answers(b"", 302, Location="http://127.0.0.1:1/keys"),
        answers(b"not json"),
        answers(b"[]"),
        answers(b"{}"),
        answers(b'{"keys": []}'),
        answers(b'{"keys": [{"kty": "oct", "k": "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LXNlYw"}]}'),
        answers(b"[" * 100_000),
        sends(head(Content_Length="100"), b"{"),
        sends(b"\x00\xff garbage"),
        repeats(head(), b" " * 65_536),
    ],
    ids=range(12),
)
async def test_the_last_good_keys_are_kept(provider: Publisher, broken: Any) -> None:
    async with provider.verifier(refresh_seconds=600) as verifier:
        token = signed(claims(provider.issuer))
        await verifier.verify(token)
        provider.pages[KEYS] = broken
        provider.now += 1_000_000
        await refused(verifier, signed(claims(provider.issuer), "rsa-2"))
        assert provider.fetches() == 2
        assert (await verifier.verify(token)).customer == "c-1"
        provider.publish("rsa-1", "rsa-2")
        provider.now += 30
        assert (await verifier.verify(signed(claims(provider.issuer), "rsa-2"))).customer == "c-1"


async def test_without_keys_nobody_gets_in_and_nobody_is_signed_out(provider: Publisher) -> None:
    good = provider.pages.pop(KEYS)
    async with provider.verifier() as verifier:
        token = signed(claims(provider.issuer))
        for _ in range(3):
            with pytest.raises(KeysUnavailable):
                await verifier.verify(token)
        assert provider.fetches() == 1
        # What no key could make good is refused all the same, and asks nobody.
        await refused(verifier, signed(claims(provider.issuer), alg="none"))
        provider.pages[KEYS] = good
        provider.now += 2
        assert (await verifier.verify(token)).customer == "c-1"


async def test_a_provider_that_hangs_holds_up_no_other_token(provider: Publisher) -> None:
    async with provider.verifier() as verifier:
        token = signed(claims(provider.issuer))
        await verifier.verify(token)
        provider.pages[METADATA] = hangs()
        provider.now += 30
        waiting = asyncio.create_task(refused(verifier, signed(claims(provider.issuer), "rsa-2")))
        await provider.server.heard(3)
        assert (await verifier.verify(token)).customer == "c-1"
        assert not waiting.done()
        waiting.cancel()


async def test_who_goes_away_leaves_the_fetch_to_the_others(provider: Publisher) -> None:
    let_go = asyncio.Event()
    good = provider.pages[KEYS]

    async def held(asked: Asked, writer: asyncio.StreamWriter) -> None:
        await let_go.wait()
        await good(asked, writer)

    provider.pages[KEYS] = held
    async with provider.verifier() as verifier:
        tasks = [asyncio.create_task(verifier.verify(signed(claims(provider.issuer)))) for _ in range(2)]
        await provider.server.heard(2)
        tasks[0].cancel()
        let_go.set()
        assert (await tasks[1]).customer == "c-1"
        assert tasks[0].cancelled()
        assert provider.fetches() == 1


async def test_closing_ends_a_fetch(provider: Publisher) -> None:
    provider.pages[METADATA] = hangs()
    async with provider.verifier() as verifier:
        waiting = asyncio.create_task(verifier.verify(signed(claims(provider.issuer))))
        await provider.server.heard(1)
    with pytest.raises(asyncio.CancelledError):
        await waiting


@pytest.mark.parametrize(
    "changed",
    [
        {"issuer": "https://another.example"},
        {"issuer": None},
        {"jwks_uri": None},
        {"jwks_uri": "ftp://127.0.0.1/keys"},
        {"jwks_uri": "http://keys.example/keys"},
        {"jwks_uri": "http://user:password@127.0.0.1/keys"},
        {"jwks_uri": "/keys"},
        {"jwks_uri": "http://[::1"},
    ],
    ids=str,
)
async def test_metadata_that_is_not_this_providers_gives_no_keys(provider: Publisher, changed: dict[str, Any]) -> None:
    provider.describe(**changed)
    async with provider.verifier() as verifier:
        with pytest.raises(KeysUnavailable):
            await verifier.verify(signed(claims(provider.issuer)))
    assert provider.fetches() == 0


async def test_a_slash_at_the_end_belongs_to_the_issuer(provider: Publisher) -> None:
    """Auth0 has one."""
    provider.describe(issuer=provider.issuer + "/")
    async with provider.verifier() as verifier:
        with pytest.raises(KeysUnavailable):
            await verifier.verify(signed(claims(provider.issuer)))


async def test_nothing_goes_without_tls_for_a_provider_with_tls() -> None:
    http = ProviderHttp(HttpClients(), "identity", address="https://login.example", allow_plain_http=True)
    assert http.may_call("https://keys.example/a?b=c")
    assert not http.may_call("http://127.0.0.1/keys")
    with pytest.raises(BadReply):
        await http.document("http://127.0.0.1/keys")
    await http.close()


async def test_keys_that_are_of_no_use_are_left_out(provider: Publisher) -> None:
    """Among them one for encryption under the id of a good one, a curve and a kind that we do not know, a small one."""
    entries = [
        5,
        {},
        {"kty": "AKP", "alg": "ML-DSA-44", "pub": "AAAA"},
        {"kty": "RSA"},
        {"kty": "EC", "crv": "P-999", "x": "AAAA", "y": "AAAA"},
        public("ec-1", kid="rsa-1", use="enc"),
        {"kty": "RSA", "n": public("rsa-3")["n"][:64], "e": "AQAB", "kid": "small"},
        public("rsa-1"),
    ]
    provider.pages[KEYS] = answers(json.dumps({"keys": entries}).encode())
    async with provider.published() as published:
        assert [key.kid for key in (await published.documents()).keys.keys] == ["rsa-1"]


async def test_of_very_many_keys_the_first_are_used(provider: Publisher) -> None:
    entries = [public("ec-1", kid=f"ec-{number}") for number in range(500)]
    provider.pages[KEYS] = answers(json.dumps({"keys": entries}).encode())
    async with provider.published() as published:
        assert len((await published.documents()).keys.keys) == 100


async def test_a_secret_among_the_keys_spoils_them_all(provider: Publisher) -> None:
    private = key("rsa-1").as_dict(private=True)
    provider.pages[KEYS] = answers(json.dumps({"keys": [*json.loads(jwks("rsa-2"))["keys"], private]}).encode())
    async with provider.verifier() as verifier:
        with pytest.raises(KeysUnavailable):
            await verifier.verify(signed(claims(provider.issuer), "rsa-2"))


async def test_a_reader_of_tokens_finds_a_new_key(provider: Publisher) -> None:
    """As sign-in does with ID tokens."""
    async with provider.published() as published:
        signatures = Signatures(published)
        assert (await signatures.read(signed(claims(provider.issuer)))).claims["sub"] == "c-1"
        old = published.at_hand()
        provider.publish("rsa-2")
        provider.now += 30
        assert (await signatures.read(signed(claims(provider.issuer), "rsa-2"))).header["kid"] == "rsa-2"
        with pytest.raises(Unauthenticated):
            await signatures.read(signed(claims(provider.issuer), "rsa-1"))
        # Who still has the old keys is given the new ones, and nobody is asked.
        assert await published.newer(old) is published.at_hand()
        assert provider.fetches() == 2
