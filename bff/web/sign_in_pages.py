"""
Signing in at an identity provider, as the browser sees it: `/auth/login/<name>` sends it there, `/auth/callback/<name>`
takes it back. Both answer with a redirect, or with a short page where there is nowhere to go back to.
"""

import hmac
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias
from urllib.parse import urlencode, urlsplit

import structlog
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from bff.errors import KabinetError
from bff.identity.attempts import ATTEMPT_SECONDS, Attempt, Seal
from bff.identity.providers import Failure, IdentityProvider, ProviderSubject, SignInFailed
from bff.web.messages import choose_language

log = structlog.get_logger("kabinet.web")

COOKIE: Final = "__Host-kabinet-sign-in"
"""The prefix lets no other host and no plain HTTP set it."""

MAX_RETURN_CHARS: Final = 500

ERROR: Final = "sign_in_error"
"""The parameter of the return address that says what went wrong: a `Failure`."""

PRIVATE: Final = {"Referrer-Policy": "no-referrer"}
"""A callback's address holds a code: it goes to nobody else."""

PAGES: Final[Mapping[int, Mapping[str, str]]] = {
    400: {
        "ru": "Вход не удался. Вернитесь на сайт и попробуйте ещё раз.\n",
        "en": "Signing in did not succeed. Go back to the site and try again.\n",
    },
    404: {"ru": "Такого способа входа нет.\n", "en": "There is no such way to sign in.\n"},
}


@dataclass(frozen=True, slots=True)
class SignedIn:
    """What a sign-in gives the browser: values of `Set-Cookie`, and parameters for the return address."""

    cookies: tuple[str, ...] = ()
    parameters: Mapping[str, str] | None = None


Finish: TypeAlias = Callable[[str, ProviderSubject, Request], Awaitable[SignedIn]]
"""Makes a session for who signed in at the provider of that name. It may raise `KabinetError`."""


class SignInPages:
    """
    The two pages for every provider.

    `site` is the origin of the shop's site (`https://shop.example`), where browsers go back to; empty: here.
    """

    def __init__(
        self, providers: Mapping[str, IdentityProvider], seal: Seal, *, finish: Finish, site: str = ""
    ) -> None:
        self._providers = providers
        self._seal = seal
        self._finish = finish
        self._site = site.rstrip("/")

    def routes(self) -> list[BaseRoute]:
        """Where they are served."""
        return [
            Route("/auth/login/{provider}", self.login, methods=["GET"]),
            Route("/auth/callback/{provider}", self.callback, methods=["GET"]),
        ]

    async def login(self, request: Request) -> Response:
        """Send the browser to the provider; `return_to` is a path of the site, where it comes back to at last."""
        provider = self._providers.get(request.path_params["provider"])
        if provider is None:
            return _page(request, 404)
        wanted = request.query_params.getlist("return_to") or ["/"]
        if len(wanted) > 1 or not is_own_path(wanted[0]):
            return _page(request, 400)
        attempt = self._seal.begin(provider.name, wanted[0])
        try:
            address = await provider.address(attempt)
        except SignInFailed as error:
            return self._failed(attempt, error)
        response = _redirect(address)
        _keep(response, self._seal.close(attempt), ATTEMPT_SECONDS)
        return response

    async def callback(self, request: Request) -> Response:
        """Take the browser back from the provider, whatever it brings."""
        provider = self._providers.get(request.path_params["provider"])
        if provider is None:
            return _page(request, 404)
        answer = dict(request.query_params.multi_items())
        attempt = self._attempt(request, provider.name, answer)
        if attempt is None or len(answer) != len(request.query_params.multi_items()):
            log.info("sign-in at provider refused", provider=provider.name, reason="not begun in this browser")
            return _page(request, 400)
        try:
            subject = await provider.subject(attempt, answer)
            signed_in = await self._finish(provider.name, subject, request)
        except KabinetError as error:
            response = self._failed(attempt, error)
        else:
            response = _redirect(self._return_address(attempt, signed_in.parameters or {}))
            for cookie in signed_in.cookies:
                response.headers.append("Set-Cookie", cookie)
        # Once is enough: what comes with the same state again has nothing to go with.
        _keep(response, "", 0)
        return response

    def _attempt(self, request: Request, provider: str, answer: Mapping[str, str]) -> Attempt | None:
        """The attempt that this answer belongs to; None where this browser has begun none, or another one."""
        attempt = self._seal.open(request.cookies.get(COOKIE, ""))
        if attempt is None or attempt.provider != provider:
            return None
        ours = hmac.compare_digest(answer.get("state", "").encode(), attempt.state.encode())
        return attempt if ours else None

    def _failed(self, attempt: Attempt, error: KabinetError) -> Response:
        # What others raise while they make a session is not the provider's fault, and has a code of its own.
        said = error.failure.value if isinstance(error, SignInFailed) else error.public_code.value.lower()
        log.info("sign-in at provider failed", provider=attempt.provider, failure=said, reason=str(error))
        return _redirect(self._return_address(attempt, {ERROR: said}))

    def _return_address(self, attempt: Attempt, parameters: Mapping[str, str]) -> str:
        parts = urlsplit(attempt.return_to)
        query = "&".join(filter(None, (parts.query, urlencode(parameters))))
        return self._site + parts._replace(query=query).geturl()


def is_own_path(text: str) -> bool:
    """Whether a return address is a path of the site and nothing else: browsers take `//x` and `/\\x` for hosts."""
    plain = text.isascii() and text.isprintable() and " " not in text and "\\" not in text
    return plain and len(text) <= MAX_RETURN_CHARS and text.startswith("/") and "//" not in text.partition("?")[0]


def _redirect(address: str) -> Response:
    return RedirectResponse(address, status_code=303, headers=PRIVATE)


def _page(request: Request, status: int) -> Response:
    language = choose_language(request.headers.get("accept-language"))
    return PlainTextResponse(PAGES[status][language], status_code=status, headers=PRIVATE)


def _keep(response: Response, sealed: str, seconds: int) -> None:
    response.set_cookie(COOKIE, sealed, max_age=seconds, path="/", secure=True, httponly=True, samesite="lax")


__all__ = ["COOKIE", "ERROR", "Failure", "Finish", "SignInPages", "SignedIn", "is_own_path"]
