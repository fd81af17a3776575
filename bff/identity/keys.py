"""Keys that signatures are checked with: a shared secret, or public keys out of a JWKS document (RFC 7517)."""

import json
import warnings
from collections.abc import Collection
from copy import copy
from pathlib import Path
from typing import Any, Final, Protocol, TypeAlias

from joserfc.errors import JoseError, SecurityWarning
from joserfc.jwk import JWKRegistry, Key, KeySet, OctKey, RSAKey
from joserfc.jws import JWSRegistry
from joserfc.registry import HeaderParameter

SHARED_SECRET_ALGORITHMS: Final = ("HS256",)
PUBLIC_KEY_ALGORITHMS: Final = ("RS256", "PS256", "ES256", "EdDSA", "Ed25519")
"""The two lists are never joined: a public key must not verify an HS256 signature made with it as the secret."""

MAX_KEYS: Final = 100
"""The most keys of one document; what it has more is left out."""

RSA_BITS: Final = range(2_048, 8_193)
"""RFC 7518 (3.3) says the least; what is larger only makes each check dear."""

SigningKeys: TypeAlias = OctKey | KeySet


class Keys(Protocol):
    """Where the keys come from."""

    @property
    def algorithms(self) -> Collection[str]:
        """What a token may be signed with."""
        ...

    def at_hand(self) -> SigningKeys | None:
        """The keys as they are known now; None where they have to be waited for. Cheap."""
        ...

    async def newer(self, than: SigningKeys | None) -> SigningKeys | None:
        """
        Other keys than these, for a token whose key is not among them; None where there are no others.

        Raises `KeysUnavailable` where there are no keys at all.
        """
        ...

    async def close(self) -> None:
        """Close connections."""
        ...


class FixedKeys:
    """Keys out of the settings: they never change."""

    def __init__(self, keys: SigningKeys) -> None:
        self._keys = keys
        self.algorithms = SHARED_SECRET_ALGORITHMS if isinstance(keys, OctKey) else PUBLIC_KEY_ALGORITHMS

    def at_hand(self) -> SigningKeys:
        """See `Keys`."""
        return self._keys

    async def newer(self, than: SigningKeys | None) -> None:
        """See `Keys`."""

    async def close(self) -> None:
        """See `Keys`."""


def shared_secret(secret: str) -> OctKey:
    """The key of HS256."""
    return OctKey.import_key(secret)


def read_jwks(path: Path) -> KeySet:
    """Read public keys from a file. `ValueError` where it is no JWKS document, or holds a secret key."""
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ValueError(f"{path.name} is not a JWKS file ({type(error).__name__})") from None
    try:
        return public_keys(raw)
    except ValueError as error:
        raise ValueError(f"{path.name} {error}") from None


def public_keys(raw: object) -> KeySet:
    """
    Public keys out of a JWKS document. `ValueError`, whose text goes on from the document's name.

    Keys that we cannot use (of another kind, for encryption, malformed) are left out, as RFC 7517 (5) asks. A secret
    among them is a mistake that would let everybody sign: then none is believed.
    """
    entries = raw.get("keys") if isinstance(raw, dict) else None
    if not isinstance(entries, list):
        raise ValueError("is not a JWKS document: it has no list of keys")  # noqa: TRY004 (the document's fault)
    keys = [key for entry in entries[:MAX_KEYS] if (key := _key(entry)) is not None]
    if any(isinstance(key, OctKey) or key.is_private for key in keys):
        raise ValueError("must hold public keys, and nothing else")
    usable = [key for key in keys if not isinstance(key, RSAKey) or key.public_key.key_size in RSA_BITS]
    if not usable:
        raise ValueError("has no key that signatures can be checked with")
    return KeySet(usable)


def _key(entry: Any) -> Key | None:
    try:
        with warnings.catch_warnings():
            # Of a key that is too small; we judge by ourselves.
            warnings.simplefilter("ignore", SecurityWarning)
            # What is for encryption would be found by its id, too.
            return None if entry.get("use") == "enc" else JWKRegistry.import_key(entry)
    except (JoseError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None


def header_rules(algorithms: Collection[str], *, longest: int) -> JWSRegistry:
    """
    What a token's header may hold.

    Providers add fields of their own, and those that we do not know change nothing, as RFC 7515 (4) has it. `crit`
    says that something must be understood: we understand nothing beyond the standard, so it is refused, and so is
    the unencoded payload (`b64`), which a JWT must not have (RFC 7797, 7). Keys that a header offers (`jwk`, `jku`,
    `x5u`, `x5c`) are not looked at.
    """
    refused = {name: HeaderParameter("refused", "none") for name in ("crit", "b64")}
    rules = JWSRegistry(header_registry=refused, algorithms=algorithms, strict_check_header=False)
    rules.max_header_length = longest
    # RFC 9864 renames EdDSA to Ed25519. Providers still use the old name, and that is nothing to warn of.
    eddsa = copy(JWSRegistry.algorithms["EdDSA"])
    eddsa.security_warning = None
    rules.algorithms = {**JWSRegistry.algorithms, "EdDSA": eddsa}
    return rules
