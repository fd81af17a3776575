"""Bearer tokens: JSON Web Tokens that the shop's identity provider signs, or, for a demo, this service."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache
from typing import Any, Final, Literal, TypeAlias

from joserfc import jwt
from joserfc.jwk import KeySet, OctKey

from bff.domain import CustomerId
from bff.domain.clock import Clock, utc_now
from bff.errors import Unauthenticated
from bff.identity.keys import FixedKeys, Keys, SigningKeys, read_jwks, shared_secret
from bff.identity.principal import Principal
from bff.identity.signatures import MAX_TOKEN_CHARS, REFUSALS, Signatures, SignedToken, refused

REMEMBERED_TOKENS: Final = 5_000

MAX_SCOPES: Final = 200

TokenType: TypeAlias = Literal["any", "at+jwt"]
"""`at+jwt`: only tokens that say in their header that they are access tokens (RFC 9068, 4)."""

ACCESS_TOKENS: Final = frozenset({"bearer", "access", "at+jwt"})
"""What providers write into the claims `typ` (Keycloak) and `token_use` (Cognito) of an access token."""

ID_TOKEN_CLAIMS: Final = frozenset({"nonce", "at_hash", "c_hash", "s_hash"})
"""OpenID Connect gives them to ID tokens alone (Core, 2 and 3.3.2.11)."""


@dataclass(frozen=True, slots=True)
class _Known:
    """What a token said that was good once; only its end is still to be looked at."""

    principal: Principal
    expires: float


class _KeyNotKnown(Exception):
    """The token may be good: its key is not among those at hand."""


class TokenVerifier:
    """
    Turns a token into a principal.

    `iss`, `aud`, `exp`, `iat` and `sub` are required and checked, `nbf` where it stands. Keys come from the settings,
    or from where the settings say: headers that point elsewhere (`jku`, `x5u`, `jwk`) are not followed.

    An ID token is no access token: it tells a client who signed in, and every client has one. The audience keeps them
    apart first (an ID token's is the client). Then the header: `at+jwt` says what it is, another type than `JWT` says
    that it is something else. Where it says nothing, the provider's own mark in `typ` or `token_use` decides, and at
    last whether claims stand in it that only ID tokens have.
    """

    def __init__(
        self,
        keys: SigningKeys | Keys,
        *,
        issuer: str,
        audience: str,
        customer_claim: str = "sub",
        scopes_claim: str = "scope",
        token_type: TokenType = "any",  # noqa: S107 (no secret)
        leeway_seconds: int = 5,
        clock: Clock = utc_now,
    ) -> None:
        self._keys = FixedKeys(keys) if isinstance(keys, OctKey | KeySet) else keys
        self._signatures = Signatures(self._keys)
        self._customer_claim = customer_claim
        self._scopes_claim = scopes_claim
        self._token_type = token_type
        self._leeway_seconds = leeway_seconds
        self._clock = clock
        self._claims = jwt.JWTClaimsRegistry(
            now=lambda: int(clock().timestamp()),
            leeway=leeway_seconds,
            iss={"essential": True, "value": issuer},
            aud={"essential": True, "value": audience},
            exp={"essential": True},
            iat={"essential": True},
            sub={"essential": True},
        )
        # What was good stays good by the same keys, until it ends; only good tokens are remembered.
        self._known = lru_cache(maxsize=REMEMBERED_TOKENS)(self._read)
        self._known_by: SigningKeys | None = None

    async def verify(self, token: str) -> Principal:
        """
        Say who the token stands for.

        Raises `Unauthenticated`, whatever is wrong with it, and `KeysUnavailable` where that cannot be told: the
        provider that publishes the keys was never reached.
        """
        by = self._keys.at_hand()
        principal = self.verify_at_once(token)
        if principal is None and await self._keys.newer(by) is not None:
            principal = self.verify_at_once(token)
        if principal is None:
            raise Unauthenticated("the token's key is not known")
        return principal

    def verify_at_once(self, token: str) -> Principal | None:
        """
        The same by the keys at hand, without waiting; None where the token's key is not among them.

        Cheap for a token that was seen before. Raises `Unauthenticated`.
        """
        by = self._keys.at_hand()
        if by is not self._known_by:
            # A key that was withdrawn vouches for nothing any more.
            self._known.cache_clear()
            self._known_by = by
        try:
            known = self._known(token)
        except _KeyNotKnown:
            return None
        if known.expires <= int(self._clock().timestamp()) - self._leeway_seconds:
            raise Unauthenticated("the token is refused (ExpiredToken)")
        return known.principal

    async def close(self) -> None:
        """Close the connections to where keys are published."""
        await self._keys.close()

    def _read(self, token: str) -> _Known:
        found = self._signatures.read_at_once(token, self._known_by)
        if found is None:
            raise _KeyNotKnown
        try:
            self._claims.validate(found.claims)
        except REFUSALS as error:
            raise refused(error) from None
        if not is_access_token(found, self._token_type):
            raise Unauthenticated("the token is signed, but is no access token")
        customer = customer_id(found.claims, self._customer_claim)
        return _Known(Principal(customer, scopes=self._scopes(found.claims)), found.claims["exp"])

    def _scopes(self, claims: Mapping[str, Any]) -> frozenset[str]:
        scopes = claims.get(self._scopes_claim)
        if scopes is None:
            return frozenset()
        # RFC 9068 (2.2.3) has one text with spaces; Okta and others have a list.
        names = scopes.split(" ") if isinstance(scopes, str) else scopes
        if not isinstance(names, list) or len(names) > MAX_SCOPES or not all(isinstance(name, str) for name in names):
            raise Unauthenticated(f"the token's claim {self._scopes_claim!r} holds no scopes")
        return frozenset(name for name in names if name)


def is_access_token(token: SignedToken, wanted: TokenType) -> bool:
    """Whether a token is there to be sent to a service, as far as it says so. See `TokenVerifier`."""
    header, claims = token.header, token.claims
    kind = header.get("typ", "JWT").lower().removeprefix("application/")
    if kind == "at+jwt":
        return True
    if wanted == "at+jwt" or kind != "jwt":
        return False
    marks = [claims[name] for name in ("typ", "token_use") if name in claims]
    if marks:
        return all(isinstance(mark, str) and mark.lower() in ACCESS_TOKENS for mark in marks)
    return not ID_TOKEN_CLAIMS & claims.keys()


def customer_id(claims: Mapping[str, Any], claim: str) -> CustomerId:
    """The customer's id out of a claim. Raises `Unauthenticated` where it cannot be one."""
    customer = claims.get(claim)
    if not isinstance(customer, str) or not customer or not customer.isprintable() or len(customer) > 200:
        raise Unauthenticated(f"the token's claim {claim!r} is not a customer's id")
    return CustomerId(customer)


def sign_token(
    secret: str,
    customer: str,
    *,
    issuer: str,
    audience: str,
    customer_claim: str = "sub",
    lifetime: timedelta = timedelta(hours=12),
    clock: Clock = utc_now,
) -> str:
    """Sign a token for a customer with HS256: for the demo, and for shops whose own back end holds the secret."""
    now = int(clock().timestamp())
    claims = {
        "iss": issuer,
        "aud": audience,
        "sub": customer,
        customer_claim: customer,
        "iat": now,
        "exp": now + int(lifetime.total_seconds()),
    }
    return jwt.encode({"alg": "HS256"}, claims, shared_secret(secret))


__all__ = [
    "MAX_TOKEN_CHARS",
    "TokenType",
    "TokenVerifier",
    "customer_id",
    "is_access_token",
    "read_jwks",
    "shared_secret",
    "sign_token",
]
