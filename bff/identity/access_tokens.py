"""Access tokens of this service's own sessions: JSON Web Tokens (RFC 9068) that only it signs and only it reads."""

from collections.abc import Collection
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import OctKey

from bff.domain import CustomerId
from bff.domain.clock import Clock
from bff.errors import Unauthenticated

HEADER: Final = {"alg": "HS256", "typ": "at+jwt", "kid": "kabinet"}
MAX_TOKEN_CHARS: Final = 4_096
REMEMBERED_TOKENS: Final = 5_000
CLOCK_SKEW_SECONDS: Final = 10


@dataclass(frozen=True, slots=True)
class Claims:
    """What a good token says."""

    customer: CustomerId
    session: str


class AccessTokens:
    """
    Signs and reads them. A token says who somebody was: whether the session still lives is the session's matter.

    The header is always the same text. So a token is ours only where it begins with that very text, and no other
    algorithm, key or type can be asked for by one.
    """

    def __init__(self, key: bytes, *, issuer: str, audience: str, lifetime: int, clock: Clock) -> None:
        secret = OctKey.import_key(key)
        self._secret = secret
        self._issuer = issuer
        self._audience = audience
        self._lifetime = lifetime
        self._clock = clock
        self._header = jwt.encode(dict(HEADER), {}, secret).partition(".")[0] + "."

        def claims_of(token: str) -> dict[str, Any]:
            return jwt.decode(token, secret, algorithms=[HEADER["alg"]]).claims

        # A signature that was good stays good; only good ones are remembered. What the time says is asked each time.
        self._claims_of = lru_cache(maxsize=REMEMBERED_TOKENS)(claims_of)

    def sign(self, customer: CustomerId, session: str, *, signed_in_at: float, scopes: Collection[str]) -> str:
        """A token for a session, from now on."""
        now = self._now()
        claims = {
            "iss": self._issuer,
            "aud": self._audience,
            "sub": customer,
            "sid": session,
            "iat": now,
            "exp": now + self._lifetime,
            "auth_time": int(signed_in_at),
            "scope": " ".join(sorted(scopes)),
        }
        return jwt.encode(dict(HEADER), claims, self._secret)

    def is_ours(self, token: str) -> bool:
        """Whether it claims to be one of ours, so that no other verifier need be asked."""
        return token.startswith(self._header)

    def read(self, token: str) -> Claims:
        """Read a token. Raises `Unauthenticated`, whatever is wrong with it."""
        if not self.is_ours(token) or len(token) > MAX_TOKEN_CHARS:
            raise Unauthenticated("the token is none of this service's")
        try:
            claims = self._claims_of(token)
        except (JoseError, ValueError, TypeError, KeyError) as error:
            raise Unauthenticated(f"the token is refused ({type(error).__name__})") from None
        # The claims are ours: what follows is about settings that have changed since, and about time.
        if claims["iss"] != self._issuer or claims["aud"] != self._audience:
            raise Unauthenticated("the token is another service's")
        if not claims["iat"] - CLOCK_SKEW_SECONDS <= self._now() < claims["exp"]:
            raise Unauthenticated("the token is over")
        return Claims(CustomerId(claims["sub"]), claims["sid"])

    def _now(self) -> int:
        return int(self._clock().timestamp())
