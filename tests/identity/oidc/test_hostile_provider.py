"""Signing in at a provider that is broken, or bad: a redirect with a short word, whatever it sends; never a trace."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import parse_qs, parse_qsl, unquote_plus, urlencode, urlsplit

import pytest

from bff.identity import published
from bff.identity.providers import ProviderSubject
from bff.web.sign_in_pages import COOKIE, is_own_path
from tests.fakes.http_server import Asked, Script, answers, hangs, head, repeats, sends
from tests.identity.oidc.browser import Browser, Page
from tests.identity.oidc.keys import claims, hs256, segment, signed
from tests.identity.oidc.publisher import METADATA, PATIENT, Publisher
from tests.identity.oidc.sign_in_service import SITE, Service, serving

pytestmark = pytest.mark.anyio

SECRET = "a secret: of the client & more"
ENDPOINTS = ("authorization_endpoint", "token_endpoint", "userinfo_endpoint")
PHONE = {"phone_number": "+79160000001", "phone_number_verified": True}


@dataclass(slots=True)
class Case:
    """A sign-in at a provider of which everything may be wrong."""

    provider: Publisher
    service: Service
    browser: Browser = field(default_factory=Browser)
    sent: dict[str, str] = field(default_factory=dict)
    """What the service sent with the browser."""

    def describe(self, **changed: Any) -> None:
        """Publish metadata; what is changed to None is left out."""
        good = {name: f"{self.provider.issuer}/{name}" for name in ENDPOINTS}
        self.provider.describe(**{name: value for name, value in {**good, **changed}.items() if value is not None})

    async def begin(self) -> Page:
        """The first page."""
        page = await self.browser.get(f"{self.service.address}/auth/login/bad?return_to=/here")
        self.sent = dict(parse_qsl(urlsplit(page.location).query))
        return page

    def claims(self, **changed: Any) -> dict[str, Any]:
        """Of a good ID token."""
        good = {"aud": "cabinet", "nonce": self.sent["nonce"], **PHONE}
        return claims(self.provider.issuer, **{**good, **changed})

    def gives(self, id_token: Any, **more: Any) -> None:
        """Answer the request for tokens."""
        body = {"id_token": id_token, "access_token": "an access token", "token_type": "Bearer", **more}
        self.provider.pages["/token_endpoint"] = answers(json.dumps(body).encode())

    async def finish(self, **changed: Any) -> Page:
        """The second page."""
        answer = {"code": "a code", "state": self.sent["state"], **changed}
        return await self.browser.get(f"{self.service.address}/auth/callback/bad?{urlencode(answer, doseq=True)}")

    async def fails(self, said: str) -> None:
        """It is said, and nobody has come."""
        page = await self.finish()
        assert (page.status, page.location) == (303, f"{SITE}/here?sign_in_error={said}")
        assert page.text == ""
        assert self.service.came == []
        assert COOKIE not in self.browser.cookies[urlsplit(self.service.address).netloc]


@asynccontextmanager
async def at(provider: Publisher, **settings: Any) -> AsyncIterator[Case]:
    async with serving(lambda _: {"bad": {"issuer": provider.issuer, **settings}}) as service:
        case = Case(provider, service)
        case.describe()
        yield case


async def test_what_is_sent_is_all_that_there_is_to_send(provider: Publisher) -> None:
    async with at(provider) as case:
        case.describe(authorization_endpoint=f"{provider.issuer}/authorize?tenant=1")
        page = await case.begin()
        assert page.location.startswith(f"{provider.issuer}/authorize?tenant=1&response_type=code&")
        callback = f"{case.service.address}/auth/callback/bad"
        assert case.sent["redirect_uri"] == callback
        assert case.sent["scope"] == "openid phone email"
        assert case.sent["code_challenge_method"] == "S256"
        (cookie,) = (value for name, value in page.headers if name.lower() == "set-cookie")
        attributes = {part.strip().lower() for part in cookie.split(";")[1:]}
        assert attributes == {"max-age=600", "path=/", "secure", "httponly", "samesite=lax"}
        for secret in (case.sent["state"], case.sent["nonce"]):
            assert secret not in cookie
        case.gives(signed(case.claims()))
        await case.finish()
        asked = provider.server.asked[-1]
        form = parse_qs(asked.body.decode())
        assert {name: form[name] for name in form if name != "code_verifier"} == {
            "grant_type": ["authorization_code"],
            "code": ["a code"],
            "redirect_uri": [callback],
        }
        assert len(form["code_verifier"][0]) == 64
        pair = base64.b64decode(asked.headers["authorization"].removeprefix("Basic ")).decode().split(":")
        assert [unquote_plus(part) for part in pair] == ["cabinet", SECRET]
        assert case.service.came == [ProviderSubject("bad", "c-1", phone=PHONE["phone_number"])]  # type: ignore[arg-type]  # a text


async def test_the_secret_goes_into_the_body_where_only_that_is_taken(provider: Publisher) -> None:
    async with at(provider) as case:
        case.describe(token_endpoint_auth_methods_supported=["private_key_jwt", "client_secret_post"])
        await case.begin()
        case.gives(signed(case.claims()))
        await case.finish()
        asked = provider.server.asked[-1]
        assert "authorization" not in asked.headers
        assert parse_qs(asked.body.decode())["client_secret"] == [SECRET]
        assert len(case.service.came) == 1


WRONG_CLAIMS: list[dict[str, Any]] = [
    {"nonce": "another"},
    {"nonce": "\ud800"},
    {"nonce": 5},
    {"nonce": ...},
    {"iss": "https://evil.example"},
    {"aud": "another"},
    {"aud": ["cabinet", "another"]},
    {"aud": ["cabinet", "another"], "azp": "another"},
    {"azp": "another"},
    {"exp": 1},
    {"exp": ...},
    {"iat": ...},
    {"sub": ...},
    {"sub": "a\nb"},
    {"sub": "s" * 256},
]


@pytest.mark.parametrize("changed", WRONG_CLAIMS, ids=str)
async def test_an_id_token_that_is_wrong(provider: Publisher, changed: dict[str, Any]) -> None:
    async with at(provider) as case:
        await case.begin()
        case.gives(signed(case.claims(**changed)))
        await case.fails("refused")


async def test_an_id_token_for_several_of_whom_we_are_the_party(provider: Publisher) -> None:
    async with at(provider) as case:
        await case.begin()
        case.gives(signed(case.claims(aud=["cabinet", "another"], azp="cabinet")))
        await case.finish()
        assert len(case.service.came) == 1


@pytest.mark.parametrize("kind", range(7))
async def test_an_id_token_that_is_none(provider: Publisher, kind: int) -> None:
    async with at(provider) as case:
        await case.begin()
        good = case.claims()
        tokens = (
            None,
            5,
            "garbage",
            f"{segment({'alg': 'none'})}.{segment(good)}.",
            hs256(good, SECRET.encode()),
            signed(good, typ="at+jwt"),
            signed(good, "rsa-2"),
        )
        case.gives(tokens[kind])
        await case.fails("refused")


@pytest.mark.parametrize(
    ("script", "said"),
    [
        (answers(b'{"error": "invalid_grant"}', 400), "refused"),
        (answers(b'{"error": "invalid_client"}', 400), "unavailable"),
        (answers(b"[]", 400), "unavailable"),
        (answers(b"no json", 400), "unavailable"),
        (answers(b'{"error": "invalid_client"}', 401), "unavailable"),
        (answers(b"", 500), "unavailable"),
        (answers(b"", 307, Location="http://127.0.0.1:1/"), "unavailable"),
        (answers(b"no json"), "unavailable"),
        (answers(b"[]"), "unavailable"),
        (answers(b"{}"), "refused"),
        (sends(), "unavailable"),
        (sends(head(Content_Length="1000000000"), b"{"), "unavailable"),
        (repeats(head(), b" " * 65_536), "unavailable"),
    ],
    ids=range(13),
)
async def test_a_token_endpoint_that_is_broken(provider: Publisher, script: Script, said: str) -> None:
    """Down, talking nonsense, or sending 1 GB."""
    async with at(provider) as case:
        await case.begin()
        provider.pages["/token_endpoint"] = script
        await case.fails(said)


@pytest.mark.parametrize("script", [hangs(), repeats(head(), b" ", pause=0.05)], ids=["hangs", "drips"])
async def test_a_token_endpoint_that_does_not_end(
    provider: Publisher, monkeypatch: pytest.MonkeyPatch, script: Script
) -> None:
    monkeypatch.setattr(published, "LIMITS", replace(PATIENT, total_seconds=3.0))
    async with at(provider) as case:
        await case.begin()
        provider.pages["/token_endpoint"] = script
        await case.fails("unavailable")


async def test_a_provider_that_is_down_from_the_beginning(provider: Publisher) -> None:
    async with at(provider) as case:
        provider.pages[METADATA] = answers(b"", 500)
        page = await case.begin()
        assert page.location == f"{SITE}/here?sign_in_error=unavailable"
        assert COOKIE not in case.browser.cookies[urlsplit(case.service.address).netloc]


@pytest.mark.parametrize("url", [None, 5, "javascript:alert(1)", "http://evil.example/authorize", "//evil.example"])
async def test_an_endpoint_that_browsers_are_not_sent_to(provider: Publisher, url: Any) -> None:
    async with at(provider) as case:
        case.describe(authorization_endpoint=url)
        assert (await case.begin()).location == f"{SITE}/here?sign_in_error=unavailable"


async def test_contacts_come_from_the_userinfo_where_the_token_has_none(provider: Publisher) -> None:
    async with at(provider) as case:
        await case.begin()
        case.gives(signed(case.claims(phone_number=...)))
        told = {"sub": "c-1", "email": "anna@shop.test", "email_verified": True}
        provider.pages["/userinfo_endpoint"] = answers(json.dumps(told).encode())
        await case.finish()
        assert case.service.came == [ProviderSubject("bad", "c-1", email="anna@shop.test")]
        assert provider.server.asked[-1].headers["authorization"] == "Bearer an access token"


@pytest.mark.parametrize(
    ("told", "said"),
    [
        ({"sub": "c-2", **PHONE}, "refused"),
        (PHONE, "refused"),
        ({"sub": "c-1", "phone_number": "+79160000001"}, "no_contact"),
        ({"sub": "c-1", "phone_number": "+79160000001", "phone_number_verified": 1}, "no_contact"),
        ({"sub": "c-1", "phone_number": "", "phone_number_verified": True}, "no_contact"),
        ({"sub": "c-1", "phone_number": 79160000001, "phone_number_verified": True}, "no_contact"),
        ({"sub": "c-1", "email": "a" * 255, "email_verified": True}, "no_contact"),
        ([], "unavailable"),
    ],
    ids=range(8),
)
async def test_userinfo_that_opens_nothing(provider: Publisher, told: Any, said: str) -> None:
    async with at(provider) as case:
        await case.begin()
        case.gives(signed(case.claims(phone_number=...)))
        provider.pages["/userinfo_endpoint"] = answers(json.dumps(told).encode())
        await case.fails(said)


@pytest.mark.parametrize("access", [None, "a\r\nX-Evil: 1", "жетон", "a" * 10_000])
async def test_an_access_token_that_is_none_is_sent_nowhere(provider: Publisher, access: Any) -> None:
    async with at(provider) as case:
        await case.begin()
        case.gives(signed(case.claims(phone_number=...)), access_token=access)
        await case.fails("no_contact")
        assert provider.fetches("/userinfo_endpoint") == 0


async def test_a_provider_without_userinfo(provider: Publisher) -> None:
    async with at(provider) as case:
        case.describe(userinfo_endpoint=None)
        await case.begin()
        case.gives(signed(case.claims(phone_number=...)))
        await case.fails("no_contact")


@pytest.mark.parametrize("customer", ["", "c\n1", 5, "c" * 201, ...], ids=str)
async def test_a_customer_claim_that_holds_no_customer(provider: Publisher, customer: Any) -> None:
    async with at(provider, customer_claim="customer_id") as case:
        await case.begin()
        case.gives(signed(case.claims(customer_id=customer)))
        provider.pages["/userinfo_endpoint"] = answers(b'{"sub": "c-1"}')
        await case.fails("refused")


@pytest.mark.parametrize("answer", [{"code": ""}, {"code": "c" * 5_000}, {"iss": "https://evil.example"}])
async def test_an_answer_without_a_code_asks_nobody(provider: Publisher, answer: dict[str, str]) -> None:
    async with at(provider) as case:
        await case.begin()
        assert "sign_in_error=refused" in (await case.finish(**answer)).location
        assert provider.fetches("/token_endpoint") == 0


@pytest.mark.parametrize("answer", [{"state": "another"}, {"state": ""}, {"code": ["a", "b"]}, {"iss": ["a", "a"]}])
async def test_an_answer_that_is_not_this_browsers_is_a_page(provider: Publisher, answer: dict[str, Any]) -> None:
    async with at(provider) as case:
        case.browser.language = "ru"
        await case.begin()
        page = await case.finish(**answer)
        assert (page.status, page.text) == (400, "Вход не удался. Вернитесь на сайт и попробуйте ещё раз.\n")
        assert provider.fetches("/token_endpoint") == 0


@pytest.mark.parametrize("cookie", ["", "garbage", "a.b.c.d.e", "a" * 5_000, "....", "{}"])
async def test_a_cookie_that_is_none_of_ours_is_none(provider: Publisher, cookie: str) -> None:
    async with at(provider) as case:
        await case.begin()
        case.browser.cookies[urlsplit(case.service.address).netloc][COOKIE] = cookie
        assert (await case.finish()).status == 400


async def test_an_attempt_is_good_for_its_own_provider_only(provider: Publisher) -> None:
    """Mix-up: the browser began at one, and is sent back as if from the other."""
    async with serving(lambda _: {name: {"issuer": provider.issuer} for name in ("bad", "good")}) as service:
        case = Case(provider, service)
        case.describe()
        await case.begin()
        answer = urlencode({"code": "a code", "state": case.sent["state"]})
        assert (await case.browser.get(f"{service.address}/auth/callback/good?{answer}")).status == 400
        assert provider.fetches("/token_endpoint") == 0


async def test_there_is_no_such_provider(provider: Publisher) -> None:
    async with at(provider) as case:
        for path in ("login/none", "callback/none?code=a", "login/..%2Fbad"):
            assert (await case.browser.get(f"{case.service.address}/auth/{path}")).status == 404


EVIL = [
    "https://evil.example",
    "//evil.example",
    "/\\evil.example",
    "\\\\evil.example",
    "/a//b",
    "/%09/\t",
    "/\n/evil.example",
    "evil",
    "",
    "javascript:alert(1)",
    "/a b",
    "/ж",
    "/" + "a" * 500,
]


@pytest.mark.parametrize("path", EVIL)
async def test_nobody_is_sent_elsewhere(provider: Publisher, path: str) -> None:
    assert not is_own_path(path)
    async with at(provider) as case:
        query = urlencode({"return_to": path})
        page = await case.browser.get(f"{case.service.address}/auth/login/bad?{query}")
        assert page.status == 400
        twice = await case.browser.get(f"{case.service.address}/auth/login/bad?return_to=/&{query}")
        assert twice.status == 400


@pytest.mark.parametrize("path", ["/", "/cabinet", "/a?b=//c", "/#/orders", "/a/b/?x=https://evil.example"])
async def test_paths_of_the_site_are_gone_back_to(path: str) -> None:
    assert is_own_path(path)


async def test_many_sign_ins_at_once_are_each_ones_own(provider: Publisher) -> None:
    async def answer(asked: Asked, writer: asyncio.StreamWriter) -> None:
        who, nonce = parse_qs(asked.body.decode())["code"][0].split(" ")
        said = claims(
            provider.issuer, aud="cabinet", sub=who, nonce=nonce, email=f"{who}@shop.test", email_verified="true"
        )
        await answers(json.dumps({"id_token": signed(said)}).encode())(asked, writer)

    async with at(provider) as first:
        provider.pages["/token_endpoint"] = answer
        cases = [Case(provider, first.service) for _ in range(20)]
        await asyncio.gather(*(case.begin() for case in cases))
        pages = await asyncio.gather(
            *(case.finish(code=f"c-{number} {case.sent['nonce']}") for number, case in enumerate(cases))
        )
        assert {page.status for page in pages} == {303}
        assert sorted(came.email or "" for came in first.service.came) == sorted(f"c-{n}@shop.test" for n in range(20))
        assert provider.fetches(METADATA) == 1
