"""Who asks, by `Authorization: Bearer` or by the session's cookie."""

from collections.abc import Awaitable, Callable, Mapping

from bff.errors import Unauthenticated
from bff.identity import Principal, TokenVerifier
from bff.identity.sessions import COOKIE_NAME
from bff.identity.sign_in import SignIn

_COOKIE = COOKIE_NAME.encode()

Headers = Mapping[bytes, bytes]
"""A request's headers by their names in small letters; what stands twice is joined, as RFC 9110 (5.3) says."""

Who = Callable[[Headers], Awaitable[Principal | None]]
"""Says who asks; None for a guest, who brings nothing. Raises `Unauthenticated` for what is not believed."""


def bearer_token(headers: Headers) -> str | None:
    """The token of a request; None where there is none. Raises `Unauthenticated` for anything else in its place."""
    header = headers.get(b"authorization")
    if header is None:
        return None
    scheme, _, token = header.decode("latin-1").partition(" ")
    token = token.strip()
    # Two headers have been joined by a comma, which no token has.
    if scheme.lower() != "bearer" or not token or "," in token:
        raise Unauthenticated("one header `Authorization: Bearer …` is expected")
    return token


def session_cookie(headers: Headers) -> str | None:
    """The value of the session's cookie; None where there is none, or more than one."""
    pairs = (pair.strip().partition(b"=") for pair in headers.get(b"cookie", b"").split(b";"))
    values = [value for name, _, value in pairs if name == _COOKIE]
    return values[0].decode("latin-1") if len(values) == 1 else None


def who_asks(verifier: TokenVerifier | None, sign_in: SignIn | None = None) -> Who:
    """
    Whoever a token stands for, the shop's own provider's or this service's; else, whoever the cookie stands for.

    A token that is not good is refused: its bearer wants to know. A cookie that is not is no cookie: the browser sends
    it by itself, and who signs in once more must not be kept from it.
    """

    async def who(headers: Headers) -> Principal | None:
        token = bearer_token(headers)
        if token is not None:
            if sign_in is not None and sign_in.is_ours(token):
                return await sign_in.principal_of_access_token(token)
            if verifier is None:
                raise Unauthenticated("the token is none of this service's")
            return await verifier.verify(token)
        value = None if sign_in is None else session_cookie(headers)
        if sign_in is None or value is None:
            return None
        try:
            return await sign_in.principal_of_cookie(value)
        except Unauthenticated:
            return None

    return who
