"""Signed tokens (RFC 7515, 7519): what stands in one whose signature is good. Nothing is said about its claims."""

from typing import Any, Final

from joserfc import jwt
from joserfc.errors import InvalidKeyIdError, JoseError
from joserfc.jwk import KeySet

from bff.errors import Unauthenticated
from bff.identity.keys import Keys, SigningKeys, header_rules

MAX_TOKEN_CHARS: Final = 8_192

REFUSALS: Final = (JoseError, ValueError, TypeError, KeyError, RecursionError)
"""What the library raises on tokens that are none."""

_NO_KEYS: Final = KeySet([])


class SignedToken:
    """A token whose signature is good: `header` and `claims` as they stand in it. It does not print."""

    __slots__ = ("claims", "header")

    def __init__(self, header: dict[str, Any], claims: dict[str, Any]) -> None:
        self.header = header
        self.claims = claims


class Signatures:
    """Reads tokens and checks their signatures."""

    def __init__(self, keys: Keys) -> None:
        self.keys = keys
        self._rules = header_rules(keys.algorithms, longest=MAX_TOKEN_CHARS)

    def read_at_once(self, token: str, keys: SigningKeys | None) -> SignedToken | None:
        """
        Read a token by these keys; None where its key is not among them, though all else may be right.

        Raises `Unauthenticated`, whatever else is wrong with it.
        """
        if len(token) > MAX_TOKEN_CHARS:
            raise Unauthenticated("the token is too long")
        try:
            # The header comes first: a token that no key could make good asks nobody for keys.
            found = jwt.decode(token, _NO_KEYS if keys is None else keys, registry=self._rules)
        except InvalidKeyIdError:
            return None
        except REFUSALS as error:
            raise refused(error) from None
        return SignedToken(found.header, found.claims)

    async def read(self, token: str) -> SignedToken:
        """
        Read a token, and ask for newer keys where its own is not known.

        Raises `Unauthenticated`, or `KeysUnavailable` where there are no keys to tell by.
        """
        known = self.keys.at_hand()
        found = self.read_at_once(token, known)
        if found is None and (newer := await self.keys.newer(known)) is not None:
            found = self.read_at_once(token, newer)
        if found is None:
            raise Unauthenticated("the token's key is not known")
        return found


def refused(error: Exception) -> Unauthenticated:
    """Say so: the library's own text may hold what stood in the token."""
    return Unauthenticated(f"the token is refused ({type(error).__name__})")
