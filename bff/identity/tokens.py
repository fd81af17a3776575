"""Bearer tokens: JSON Web Tokens that the shop's identity provider signs, or, for a demo, this service."""

import json
from collections.abc import Collection, Mapping
from copy import copy
from datetime import timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet, OctKey
from joserfc.jws import JWSRegistry

from bff.domain import CustomerId
from bff.domain.clock import Clock, utc_now
from bff.errors import Unauthenticated
from bff.identity.principal import Principal

SHARED_SECRET_ALGORITHMS: Final = ("HS256",)
PUBLIC_KEY_ALGORITHMS: Final = ("RS256", "PS256", "ES256", "EdDSA", "Ed25519")
"""The two lists are never joined: a public key must not verify an HS256 signature made with it as the secret."""

MAX_TOKEN_CHARS: Final = 8_192


REMEMBERED_TOKENS: Final = 5_000


class TokenVerifier:
    """
    Turns a token into a principal.

    `iss`, `aud`, `exp` and `sub` are required and checked, `nbf` and `iat` where they stand. Keys come from the
    settings only: headers that point elsewhere (`jku`, `x5u`, `jwk`) are not followed.
    """

    def __init__(
        self,
        key: OctKey | KeySet,
        *,
        issuer: str,
        audience: str,
        customer_claim: str = "sub",
        leeway_seconds: int = 5,
        clock: Clock = utc_now,
    ) -> None:
        algorithms = SHARED_SECRET_ALGORITHMS if isinstance(key, OctKey) else PUBLIC_KEY_ALGORITHMS
        registry = _registry(algorithms)

        def claims_of(token: str) -> dict[str, Any]:
            return jwt.decode(token, key, registry=registry).claims

        # A signature that was good stays good; only good ones are remembered. What the time says is asked each time.
        self._claims_of = lru_cache(maxsize=REMEMBERED_TOKENS)(claims_of)
        self._customer_claim = customer_claim
        self._claims = jwt.JWTClaimsRegistry(
            now=lambda: int(clock().timestamp()),
            leeway=leeway_seconds,
            iss={"essential": True, "value": issuer},
            aud={"essential": True, "value": audience},
            exp={"essential": True},
            sub={"essential": True},
        )

    def verify(self, token: str) -> Principal:
        """Say who the token stands for. Raises `Unauthenticated`, whatever is wrong with it."""
        if len(token) > MAX_TOKEN_CHARS:
            raise Unauthenticated("the token is too long")
        try:
            claims = self._claims_of(token)
            self._claims.validate(claims)
        except (JoseError, ValueError, TypeError, KeyError, RecursionError) as error:
            raise Unauthenticated(f"the token is refused ({type(error).__name__})") from None
        customer = claims.get(self._customer_claim)
        if not isinstance(customer, str) or not customer or not customer.isprintable() or len(customer) > 200:
            raise Unauthenticated(f"the token's claim {self._customer_claim!r} is not a customer's id")
        return Principal(CustomerId(customer))


def _registry(allowed: Collection[str]) -> JWSRegistry:
    # RFC 9864 renames EdDSA to Ed25519. Providers still use the old name, and that is nothing to warn of.
    eddsa = copy(JWSRegistry.algorithms["EdDSA"])
    eddsa.security_warning = None
    registry = JWSRegistry(algorithms=allowed)
    registry.algorithms = {**JWSRegistry.algorithms, "EdDSA": eddsa}
    return registry


def shared_secret(secret: str) -> OctKey:
    """The key of HS256."""
    return OctKey.import_key(secret)


def read_jwks(path: Path) -> KeySet:
    """
    Read public keys from a JWKS file (RFC 7517). `ValueError` where it is not one, or holds a secret key.

    A shared secret in a set of public keys is a mistake that would let everybody sign, so it is refused.
    """
    try:
        raw: Mapping[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        keys = KeySet.import_key_set(raw)  # type: ignore[arg-type]
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError, JoseError) as error:
        raise ValueError(f"{path.name} is not a JWKS file ({type(error).__name__})") from None
    if not keys.keys or any(isinstance(key, OctKey) or key.is_private for key in keys.keys):
        raise ValueError(f"{path.name} must hold public keys, and nothing else")
    return keys


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
