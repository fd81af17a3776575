"""A sign-in at an identity provider that is under way: what the browser keeps of it, sealed, until it comes back."""

import json
import secrets
from dataclasses import asdict, dataclass, field
from typing import Final

from joserfc import jwe
from joserfc.errors import JoseError
from joserfc.jwk import OctKey

from bff.domain.clock import Clock, utc_now

ATTEMPT_SECONDS: Final = 600
"""How long a customer may take at the provider."""

MAX_SEALED_CHARS: Final = 4_096

_HEADER: Final = {"alg": "dir", "enc": "A256GCM"}


@dataclass(frozen=True, slots=True)
class Attempt:
    """One sign-in under way. Whoever comes back without it did not begin it. Its secrets do not print."""

    provider: str
    return_to: str
    """A path of the shop's site."""
    expires: int
    """Seconds since 1970."""
    state: str = field(default_factory=lambda: secrets.token_urlsafe(32), repr=False)
    nonce: str = field(default_factory=lambda: secrets.token_urlsafe(32), repr=False)
    verifier: str = field(default_factory=lambda: secrets.token_urlsafe(48), repr=False)
    """The PKCE code verifier (RFC 7636, 4.1): 64 characters."""


class Seal:
    """
    Seals attempts for the browser: nothing is stored here, and nobody reads or changes what is stored there.

    `key` has 32 bytes and no other purpose.
    """

    def __init__(self, key: bytes, *, clock: Clock = utc_now) -> None:
        self._key = OctKey.import_key(key)
        self._clock = clock

    def begin(self, provider: str, return_to: str) -> Attempt:
        """A new attempt, which lives for ten minutes."""
        return Attempt(provider, return_to, int(self._clock().timestamp()) + ATTEMPT_SECONDS)

    def close(self, attempt: Attempt) -> str:
        """What the browser keeps: letters, digits and `-_.`, some 600 of them and the path's length."""
        return jwe.encrypt_compact(_HEADER, json.dumps(asdict(attempt)), self._key, algorithms=[*_HEADER.values()])

    def open(self, sealed: str) -> Attempt | None:
        """The attempt; None where this is none of ours, or is over."""
        if len(sealed) > MAX_SEALED_CHARS:
            return None
        try:
            found = jwe.decrypt_compact(sealed, self._key, algorithms=[*_HEADER.values()])
        except (JoseError, ValueError, TypeError, KeyError, RecursionError):
            return None
        # Nobody but us could seal it, so it holds what we put in.
        attempt = Attempt(**json.loads(found.plaintext or b""))
        return attempt if self._clock().timestamp() < attempt.expires else None
