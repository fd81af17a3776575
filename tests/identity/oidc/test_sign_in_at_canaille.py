"""Signing in at a real OpenID provider, over real sockets, from the first page to the last."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from bff.errors import NotSupported, Unauthenticated
from bff.http import HttpClients
from bff.identity import TokenVerifier
from bff.identity.attempts import Seal
from bff.identity.providers import ProviderSubject
from bff.identity.published import ProviderHttp, Published, from_discovery
from bff.web.sign_in_pages import COOKIE
from tests.identity.oidc.browser import Browser, Page
from tests.identity.oidc.canaille import Canaille
from tests.identity.oidc.sign_in_service import SITE, Service, serving

pytestmark = pytest.mark.anyio


@asynccontextmanager
async def shop(canaille: Canaille, method: str = "client_secret_basic", **settings: Any) -> AsyncIterator[Service]:
    """A service whose one provider, `pass`, is the real one."""

    def of(address: str) -> dict[str, Any]:
        return {"pass": {**canaille.register(f"{address}/auth/callback/pass", method), **settings}}

    async with serving(of) as service:
        yield service


async def begun(service: Service, browser: Browser, return_to: str = "/cabinet?tab=orders#latest") -> Page:
    page = await browser.get(f"{service.address}/auth/login/pass?{urlencode({'return_to': return_to})}")
    assert page.status == 303
    return page


async def come_back(service: Service, canaille: Canaille, browser: Browser, user: str = "anna") -> Page:
    """All the way to the provider's answer, which the browser has not yet brought."""
    return await canaille.sign_in(browser, (await begun(service, browser)).location, user)


def failed_page(page: Page) -> None:
    assert page.status == 400
    assert page.text == "Signing in did not succeed. Go back to the site and try again.\n"


async def test_a_customer_signs_in_by_a_verified_phone(canaille: Canaille) -> None:
    async with shop(canaille) as service:
        browser = Browser()
        page = await browser.get((await come_back(service, canaille, browser)).location)
        assert (page.status, page.location) == (
            303,
            f"{SITE}/cabinet?tab=orders&welcome=%D0%B4%D0%B0#latest",
        )
        assert service.came == [ProviderSubject("pass", "anna", phone="+79160000001")]
        assert browser.cookies[urlsplit(service.address).netloc] == {"session": "made", "other": "1"}
        assert dict(page.headers)["referrer-policy"] == "no-referrer"


@pytest.mark.parametrize(
    ("user", "settings", "expected"),
    [
        ("boris", {}, {"email": "boris@shop.test"}),
        ("anna", {"contact_claims": ["email"]}, {"email": "Anna@shop.test"}),
        ("anna", {"contact_claims": ["email", "phone_number"]}, {"email": "Anna@shop.test"}),
        ("eve", {"customer_claim": "sub"}, {"customer": "eve"}),
        ("anna", {"customer_claim": "email", "scopes": ["openid", "email"]}, {"customer": "Anna@shop.test"}),
    ],
    ids=["a mail address", "only mail", "mail first", "the id", "another claim"],
)
async def test_what_a_customer_is_found_by(
    canaille: Canaille, user: str, settings: dict[str, Any], expected: dict[str, Any]
) -> None:
    async with shop(canaille, **settings) as service:
        browser = Browser()
        await browser.get((await come_back(service, canaille, browser, user)).location)
        assert service.came == [ProviderSubject("pass", user, **expected)]


async def test_a_contact_that_the_provider_has_not_verified_opens_nothing(canaille: Canaille) -> None:
    """Eve has Anna's phone and mail address in her profile."""
    async with shop(canaille) as service:
        browser = Browser()
        page = await browser.get((await come_back(service, canaille, browser, "eve")).location)
        assert parse_qs(urlsplit(page.location).query)["sign_in_error"] == ["no_contact"]
        assert service.came == []


@pytest.mark.parametrize(("auth", "signed_in"), [("client_secret_post", True), ("auto", False)])
async def test_a_provider_that_wants_the_secret_in_the_body(canaille: Canaille, auth: str, *, signed_in: bool) -> None:
    """This one takes both ways, and says so; but from this client only one."""
    async with shop(canaille, method="client_secret_post", client_auth=auth) as service:
        browser = Browser()
        page = await browser.get((await come_back(service, canaille, browser)).location)
        assert ("sign_in_error=unavailable" in page.location) is not signed_in
        assert len(service.came) == signed_in


async def test_a_wrong_secret_signs_nobody_in(canaille: Canaille) -> None:
    async with shop(canaille, client_secret="wrong") as service:
        browser = Browser()
        page = await browser.get((await come_back(service, canaille, browser)).location)
        assert "sign_in_error=unavailable" in page.location
        assert service.came == []


async def test_a_replayed_callback_signs_nobody_in(canaille: Canaille) -> None:
    async with shop(canaille) as service:
        browser = Browser()
        back = (await come_back(service, canaille, browser)).location
        kept = dict(browser.cookies[urlsplit(service.address).netloc])
        assert list(kept) == [COOKIE]
        await browser.get(back)
        failed_page(await browser.get(back))
        # Who kept the cookie has a code that the provider takes once.
        page = await Browser({urlsplit(service.address).netloc: kept}).get(back)
        assert "sign_in_error=refused" in page.location
        assert len(service.came) == 1


async def test_anothers_callback_signs_nobody_in(canaille: Canaille) -> None:
    """
    Login CSRF: the attacker's answer in the victim's browser, who has begun nothing, or a sign-in of their own.

    (The attacker's code is used up before the victim gets one: with several codes of one client this provider, where
    it keeps them in memory, takes any of them.)
    """
    async with shop(canaille) as service:
        attacker, victim = Browser(), Browser()
        attackers = (await come_back(service, canaille, attacker, "boris")).location
        failed_page(await victim.get(attackers))
        mine = await begun(service, victim)
        failed_page(await victim.get(attackers))
        assert service.came == []
        await attacker.get(attackers)
        # The victim's own sign-in goes on.
        await victim.get((await canaille.sign_in(victim, mine.location, "anna")).location)
        assert [came.subject for came in service.came] == ["boris", "anna"]


async def test_a_code_of_another_attempt_is_refused(canaille: Canaille) -> None:
    """A stolen code, brought with a state of one's own: the PKCE verifier is another."""
    async with shop(canaille) as service:
        stolen = parse_qs(urlsplit((await come_back(service, canaille, Browser(), "anna")).location).query)["code"][0]
        thief = Browser()
        state = parse_qs(urlsplit((await begun(service, thief)).location).query)["state"][0]
        answer = {"code": stolen, "state": state, "iss": canaille.issuer}
        page = await thief.get(f"{service.address}/auth/callback/pass?{urlencode(answer)}")
        assert "sign_in_error=refused" in page.location
        assert service.came == []


async def test_ten_minutes_at_the_provider_are_the_most(canaille: Canaille) -> None:
    async with shop(canaille) as service:
        browser = Browser()
        back = (await come_back(service, canaille, browser)).location
        service.later = timedelta(minutes=10)
        failed_page(await browser.get(back))
        assert service.came == []


@pytest.mark.parametrize("issuer", [None, "", "https://evil.example"])
async def test_an_answer_of_another_issuer_is_refused(canaille: Canaille, issuer: str | None) -> None:
    """This provider promises to name itself (RFC 9207)."""
    async with shop(canaille) as service:
        browser = Browser()
        parts = urlsplit((await come_back(service, canaille, browser)).location)
        answer = {name: values[0] for name, values in parse_qs(parts.query).items() if name != "iss"}
        answer |= {} if issuer is None else {"iss": issuer}
        page = await browser.get(parts._replace(query=urlencode(answer)).geturl())
        assert "sign_in_error=refused" in page.location
        assert service.came == []


@pytest.mark.parametrize(("error", "said"), [("access_denied", "cancelled"), ("<script>", "refused")])
async def test_an_error_from_the_provider(canaille: Canaille, error: str, said: str) -> None:
    async with shop(canaille) as service:
        browser = Browser()
        state = parse_qs(urlsplit((await begun(service, browser)).location).query)["state"][0]
        answer = {"error": error, "error_description": "<b>", "state": state, "iss": canaille.issuer}
        page = await browser.get(f"{service.address}/auth/callback/pass?{urlencode(answer)}")
        assert page.location == f"{SITE}/cabinet?tab=orders&sign_in_error={said}#latest"
        assert service.came == []


async def test_what_the_session_refuses_has_its_own_code(canaille: Canaille) -> None:
    async with shop(canaille) as service:
        service.refuse = NotSupported("no sign-in for new customers")
        browser = Browser()
        page = await browser.get((await come_back(service, canaille, browser)).location)
        assert "sign_in_error=not_supported" in page.location
        assert "session" not in browser.cookies[urlsplit(service.address).netloc]


async def test_an_id_token_of_the_provider_is_no_access_token(canaille: Canaille) -> None:
    """Here both have the client as their audience, and the same type in their headers."""
    back = "http://127.0.0.1:1/back"
    client = await asyncio.to_thread(canaille.register, back)
    attempt = Seal(b"k" * 32).begin("pass", "/")
    query = {
        "response_type": "code",
        "client_id": client["client_id"],
        "redirect_uri": back,
        "scope": "openid profile",
        "state": attempt.state,
        "nonce": attempt.nonce,
        "code_challenge": attempt.verifier,
        "code_challenge_method": "plain",
    }
    browser = Browser()
    page = await canaille.sign_in(browser, f"{canaille.issuer}/oauth/authorize?{urlencode(query)}", "anna")
    code = parse_qs(urlsplit(page.location).query)["code"][0]
    http = ProviderHttp(HttpClients(), "pass", address=canaille.issuer)
    pair = base64.b64encode(f"{client['client_id']}:{client['client_secret']}".encode()).decode()
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": back, "code_verifier": attempt.verifier}
    reply = await http.request(
        "POST",
        f"{canaille.issuer}/oauth/token",
        headers={"Authorization": f"Basic {pair}", "Content-Type": "application/x-www-form-urlencoded"},
        body=urlencode(form).encode(),
    )
    tokens = json.loads(reply.body)
    published = Published(http, lambda: from_discovery(http, canaille.issuer), refresh_seconds=600)
    verifier = TokenVerifier(published, issuer=canaille.issuer, audience=client["client_id"])
    try:
        assert (await verifier.verify(tokens["access_token"])).customer == "anna"
        with pytest.raises(Unauthenticated, match="no access token"):
            await verifier.verify(tokens["id_token"])
    finally:
        await verifier.close()
