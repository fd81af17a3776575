"""Bad inputs, group E: tokens, through the endpoint. One UNAUTHENTICATED without a word more, and nobody is asked."""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from typing import Any

import httpx2
import pytest

from bff.demo.secret import demo_secret
from bff.identity.subkeys import Subkeys
from tests.identity.oidc.keys import AUDIENCE, claims, hs256, key, segment, signed
from tests.identity.oidc.publisher import Publisher, be_patient, publisher
from tests.resilience.loop_thread import LoopThread
from tests.sign_in.conftest import Logs, OpenShop
from tests.sign_in.customer import PROFILE, REFRESH, SIGN_OUT, Customer, codes
from tests.sign_in.shop import ANNA, NO_CALLS, OLEG, Shop

MESSAGE = "Войдите, чтобы увидеть личный кабинет."


def refused(reply: httpx2.Response) -> None:
    """The one answer to a token that is not believed."""
    assert reply.status_code == 401
    assert reply.json() == {"errors": [{"message": MESSAGE, "extensions": {"code": "UNAUTHENTICATED"}}]}
    assert reply.headers["www-authenticate"] == 'Bearer error="invalid_token"'
    assert reply.headers["cache-control"] == "private, no-store"
    assert "set-cookie" not in reply.headers


def parts(token: str) -> tuple[dict[str, Any], dict[str, Any], str]:
    """Header, claims and signature of a token."""
    head, body, signature = token.split(".")
    header, said = (json.loads(base64.urlsafe_b64decode(each + "====")) for each in (head, body))
    return header, said, signature


def own(said: dict[str, Any], secret: str = demo_secret(), head: str = "") -> str:
    """A token as this service makes them, with what it would never say; `head` is the header's very text."""
    text = f"{head}.{segment(said)}"
    signing = Subkeys(secret).key("access tokens")
    return f"{text}.{segment(hmac.new(signing, text.encode(), hashlib.sha256).digest())}"


Forge = Callable[[str, str], str]
"""Makes a bad token of a good one of Anna's and a good one of Oleg's."""


def changed(token: str, **claims: Any) -> dict[str, Any]:
    said = {**parts(token)[1], **claims}
    return {name: value for name, value in said.items() if value is not ...}


def headless(token: str, **head: Any) -> str:
    """The same claims below another header, unsigned or with the old signature."""
    header, said, signature = parts(token)
    return f"{segment({**header, **head})}.{segment(said)}.{'' if head.get('alg') == 'none' else signature}"


OWN: dict[str, Forge] = {
    "alg none": lambda anna, _: headless(anna, alg="none"),
    "alg none with the signature": lambda anna, _: headless(anna, alg="None"),
    "alg HS512": lambda anna, _: headless(anna, alg="HS512"),
    "another typ": lambda anna, _: headless(anna, typ="JWT"),
    "another kid": lambda anna, _: headless(anna, kid="../../etc/passwd"),
    "unknown crit": lambda anna, _: headless(anna, crit=["exp"]),
    "no signature": lambda anna, _: anna.rpartition(".")[0] + ".",
    "two parts": lambda anna, _: anna.rpartition(".")[0],
    "another's signature": lambda anna, oleg: anna.rpartition(".")[0] + "." + oleg.rpartition(".")[2],
    "another's claims": lambda anna, oleg: ".".join([anna.split(".")[0], oleg.split(".")[1], anna.split(".")[2]]),
    "another secret": lambda anna, _: own(changed(anna), "another secret of 32 bytes or more!!", anna.split(".")[0]),
    "forged sid": lambda anna, _: own(changed(anna, sid="A" * 22), head=anna.split(".")[0]),
    "another's sid": lambda anna, oleg: own(changed(anna, sid=parts(oleg)[1]["sid"]), head=anna.split(".")[0]),
    "sid of a path": lambda anna, _: own(changed(anna, sid="../../x"), head=anna.split(".")[0]),
    "wrong aud": lambda anna, _: own(changed(anna, aud="another"), head=anna.split(".")[0]),
    "wrong iss": lambda anna, _: own(changed(anna, iss="another"), head=anna.split(".")[0]),
    "over": lambda anna, _: own(changed(anna, exp=int(time.time()) - 60), head=anna.split(".")[0]),
    "iat ahead": lambda anna, _: own(changed(anna, iat=int(time.time()) + 3_600), head=anna.split(".")[0]),
    "long": lambda anna, _: anna + "A" * 5_000,
    "nothing": lambda *_: ".",
    "two tokens": lambda anna, oleg: f"{anna}, Bearer {oleg}",
}


@pytest.mark.parametrize("how", OWN)
def test_a_forged_access_token_of_this_service(shop: Shop, how: str) -> None:
    anna, oleg = shop.customer(ANNA).sign_in(), shop.customer(OLEG).sign_in()
    before = shop.calls()
    token = OWN[how](anna.access, oleg.access)
    if len(token) > 1:
        shop.secrets.add(token)
    for query in (PROFILE, SIGN_OUT, "{ __typename }"):
        refused(shop.customer().post(query, Authorization=f"Bearer {token}"))
    assert shop.calls() == before
    # Nobody was signed out by it.
    assert anna.profile() is not None
    assert oleg.profile() is not None


def test_the_forger_can_forge(shop: Shop) -> None:
    """What is made as above and changes nothing is believed: the cases above are refused for what they change."""
    anna = shop.customer(ANNA).sign_in()
    token = own(changed(anna.access), head=anna.access.split(".")[0])
    assert shop.customer().profile(Authorization=f"Bearer {token}") is not None


@pytest.mark.parametrize("scheme", ["Basic {}", "bearer", "Bearer", "Token {}", "{}"])
def test_a_header_that_is_no_bearers(shop: Shop, scheme: str) -> None:
    anna = shop.customer(ANNA).sign_in()
    refused(anna.post(PROFILE, Authorization=scheme.format(anna.access)))


def test_a_refresh_token_is_no_access_token(shop: Shop) -> None:
    anna = shop.customer(ANNA).sign_in()
    refused(anna.post(PROFILE, Authorization=f"Bearer {anna.refresh_token}"))
    assert codes(anna.refresh(anna.access)) == ["UNAUTHENTICATED"]
    assert anna.profile() is not None


def ended(logs: Logs) -> list[str]:
    return [line["why"] for line in logs if line["event"] == "session ended"]


def test_a_spent_refresh_token_ends_the_family(shop: Shop, logs: Logs) -> None:
    """Whoever stole it and whoever it was stolen from: both are out, and only they."""
    anna, oleg = shop.customer(ANNA).sign_in(), shop.customer(OLEG).sign_in()
    stolen = anna.refresh_token
    anna.refresh()
    shop.later(11)
    thief = shop.customer()
    assert codes(thief.refresh(stolen)) == ["UNAUTHENTICATED"]
    assert ended(logs) == ["reuse"]
    refused(anna.post(PROFILE))
    assert codes(anna.refresh()) == ["UNAUTHENTICATED"]
    assert oleg.profile() is not None


def test_a_thief_who_was_first_is_out_when_the_owner_comes(shop: Shop, logs: Logs) -> None:
    anna, thief = shop.customer(ANNA).sign_in(), shop.customer()
    thief.refresh(anna.refresh_token)
    assert thief.profile() is not None
    thief.refresh()
    assert codes(anna.refresh()) == ["UNAUTHENTICATED"]
    assert ended(logs) == ["reuse"]
    assert codes(thief.refresh()) == ["UNAUTHENTICATED"]
    refused(thief.post(PROFILE))


def test_a_lost_reply_costs_no_session(shop: Shop) -> None:
    anna = shop.customer(ANNA).sign_in()
    first = anna.refresh_token
    lost = anna.refresh()["data"]["done"]["tokens"]["refreshToken"]
    shop.later(9)
    again = anna.refresh(first)["data"]["done"]["tokens"]["refreshToken"]
    assert again == lost
    assert anna.profile() is not None


def test_fifty_refreshes_at_once_give_one_successor(shop: Shop, logs: Logs) -> None:
    anna = shop.customer(ANNA).sign_in()
    token = anna.refresh_token
    with ThreadPoolExecutor(50) as threads:
        answers = list(threads.map(lambda _: anna.post(REFRESH, {"token": token}, Authorization=""), range(50)))
    tokens = [answer.json()["data"]["done"]["tokens"] for answer in answers]
    assert len({each["refreshToken"] for each in tokens}) == 1
    for each in tokens[:5]:
        assert anna.profile(Authorization=f"Bearer {each['accessToken']}") is not None
    assert ended(logs) == []


def test_a_refresh_and_a_sign_out_at_once_leave_nobody_in(shop: Shop) -> None:
    for number in range(5):
        anna = shop.customer({"phone": f"+7900000{1010 + number}"}).sign_in()
        with ThreadPoolExecutor(2) as threads:
            refreshed = threads.submit(anna.post, REFRESH, {"token": anna.refresh_token}, Authorization="")
            out = threads.submit(anna.post, SIGN_OUT)
            assert out.result().json()["data"]["done"]["signedOut"] is True
            answer = refreshed.result().json()
        assert anna.tokens is not None
        tokens = answer["data"]["done"]["tokens"] if "errors" not in answer else anna.tokens
        refused(anna.post(PROFILE, Authorization=f"Bearer {tokens['accessToken']}"))
        assert codes(anna.refresh(tokens["refreshToken"])) == ["UNAUTHENTICATED"]


# The shop's own provider.


@pytest.fixture
def provider(servers_loop: LoopThread, monkeypatch: pytest.MonkeyPatch) -> Iterator[Publisher]:
    be_patient(monkeypatch)
    stack = AsyncExitStack()
    yield servers_loop.do(stack.enter_async_context(publisher()))
    servers_loop.do(stack.aclose())


@pytest.fixture
def theirs(new_shop: OpenShop, provider: Publisher) -> Shop:
    """A shop whose customers come with tokens of its provider, or by code."""
    identity = {"secret": None, "issuer": provider.issuer, "audience": AUDIENCE, "discovery": True}
    return new_shop(identity=identity)


def with_public_key(provider: Publisher) -> str:
    pem: bytes = key("rsa-1").as_pem(private=False)  # type: ignore[union-attr]
    return hs256(claims(provider.issuer, sub="c-1001"), pem, kid="rsa-1")


Make = Callable[[Publisher], str]


def said(provider: Publisher, **more: Any) -> dict[str, Any]:
    return claims(provider.issuer, **{"sub": "c-1001", **more})


UNKNOWN_CRIT: dict[str, Any] = {"crit": ["urn:example:new"], "urn:example:new": 1}
THEIRS: dict[str, Make] = {
    "alg none": lambda p: f"{segment({'alg': 'none', 'kid': 'rsa-1'})}.{segment(said(p))}.",
    "HS256 with the public key": with_public_key,
    "kid of a path": lambda p: signed(said(p), kid="../../etc/passwd"),
    "jku": lambda p: signed(said(p), "rsa-9", kid="rsa-1", jku=p.issuer + "/evil"),
    "x5u": lambda p: signed(said(p), "rsa-9", kid="rsa-1", x5u=p.issuer + "/evil"),
    "wrong aud": lambda p: signed(said(p, aud="another")),
    "wrong iss": lambda p: signed(said(p, iss="https://evil.example")),
    "no exp": lambda p: signed(said(p, exp=...)),
    "exp as text": lambda p: signed(said(p, exp=str(int(time.time()) + 600))),
    "nbf ahead": lambda p: signed(said(p, nbf=int(time.time()) + 600)),
    "unknown crit": lambda p: signed(said(p), **UNKNOWN_CRIT),
    "an ID token": lambda p: signed(said(p, nonce="n", at_hash="x")),
    "over": lambda p: signed(said(p, exp=int(time.time()) - 60)),
    "no customer": lambda p: signed(said(p, sub="")),
    "a customer of many lines": lambda p: signed(said(p, sub="c-1001\nc-1002")),
}


@pytest.mark.parametrize("how", THEIRS)
def test_a_bad_token_of_the_shops_provider(theirs: Shop, provider: Publisher, how: str) -> None:
    good = signed(said(provider))
    guest = theirs.customer()
    assert guest.profile(Authorization=f"Bearer {good}") is not None
    before = theirs.calls()
    token = THEIRS[how](provider)
    theirs.secrets.add(good, token)
    refused(guest.post(PROFILE, Authorization=f"Bearer {token}"))
    assert theirs.calls() == before
    assert provider.fetches() <= 2
    assert provider.fetches("/evil") == 0


def test_a_thousand_random_kids_fetch_the_keys_once(theirs: Shop, provider: Publisher) -> None:
    guest = theirs.customer()
    assert guest.profile(Authorization=f"Bearer {signed(said(provider))}") is not None
    fetched = provider.fetches()
    _, _, rest = signed(said(provider)).partition(".")
    for number in range(1_000):
        token = f"{segment({'alg': 'RS256', 'kid': f'random-{number}'})}.{rest}"
        assert guest.post(PROFILE, Authorization=f"Bearer {token}").status_code == 401
    assert provider.fetches() <= fetched + 2


def test_a_token_of_the_provider_has_no_session_to_refresh_or_to_step_up(theirs: Shop, provider: Publisher) -> None:
    guest: Customer = theirs.customer()
    token = f"Bearer {signed(said(provider))}"
    answer = guest.ask("mutation { requestSecondFactor { resendAfter } }", Authorization=token)
    assert codes(answer) == ["NOT_SUPPORTED"]
    assert theirs.sent() == {}
    assert theirs.calls() == NO_CALLS
