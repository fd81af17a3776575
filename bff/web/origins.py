"""Which pages may ask: the service's own, and those of a list."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from bff.errors import Code
from bff.web.refusal import Header, RequestRefused

CSRF_HEADER: Final = b"x-kabinet-csrf"
SESSION_COOKIE: Final = b"__Host-kabinet="

_ALLOWED_HEADERS: Final = b"Authorization, Content-Type, X-Kabinet-CSRF"
_EXPOSED_HEADERS: Final = b"Retry-After"
_PREFLIGHT_SECONDS: Final = b"7200"
"""As long as browsers remember an answer at the most."""


class Origins:
    """
    Judges requests by the page that they come from. Browsers say so in headers that no page can write.

    A foreign page could not read an answer without CORS anyhow; this keeps it from having an effect.
    """

    def __init__(self, allowed: Iterable[str], *, methods: Sequence[str]) -> None:
        self._allowed = frozenset(each.encode() for each in allowed)
        self._methods = ", ".join(methods).encode()
        self._vary: tuple[Header, ...] = ((b"vary", b"Origin"),) if self._allowed else ()

    def refuse_foreign(self, headers: Mapping[bytes, bytes]) -> None:
        """Raise `RequestRefused` where a page of another origin asks that is not on the list."""
        origin = headers.get(b"origin")
        if origin in self._allowed:
            return
        site = headers.get(b"sec-fetch-site")
        # A browser that says this is believed more than `Host`, which a proxy on the way may have written anew.
        own = site in {b"same-origin", b"none"} if site is not None else origin is None or _is_own(origin, headers)
        if not own:
            raise _forbidden("this page's origin is not on the list; see server.origins")

    def refuse_forged(self, headers: Mapping[bytes, bytes]) -> None:
        """
        Raise `RequestRefused` where only a session's cookie says who asks, without the header that no form can send.

        Browsers send the cookie by themselves, whoever wrote the page.
        """
        if (
            SESSION_COOKIE in headers.get(b"cookie", b"")
            and b"authorization" not in headers
            and CSRF_HEADER not in headers
        ):
            raise _forbidden("with a session's cookie, send the header X-Kabinet-CSRF: 1")

    def headers(self, origin: bytes | None) -> tuple[Header, ...]:
        """What an answer says to the browser of a page of that origin."""
        if origin not in self._allowed or origin is None:
            return self._vary
        return (
            *self._vary,
            (b"access-control-allow-origin", origin),
            (b"access-control-allow-credentials", b"true"),
            (b"access-control-expose-headers", _EXPOSED_HEADERS),
        )

    def preflight(self, origin: bytes) -> tuple[Header, ...]:
        """The answer to a browser that asks before it asks. Raises `RequestRefused` for an origin not on the list."""
        if origin not in self._allowed:
            raise _forbidden("this page's origin is not on the list; see server.origins")
        return (
            (b"access-control-allow-methods", self._methods),
            (b"access-control-allow-headers", _ALLOWED_HEADERS),
            (b"access-control-max-age", _PREFLIGHT_SECONDS),
        )


def _is_own(origin: bytes, headers: Mapping[bytes, bytes]) -> bool:
    scheme, separator, authority = origin.partition(b"://")
    return bool(separator) and scheme in {b"http", b"https"} and authority.lower() == headers.get(b"host", b"").lower()


def _forbidden(message: str) -> RequestRefused:
    return RequestRefused(Code.FORBIDDEN, [message], status=403)
