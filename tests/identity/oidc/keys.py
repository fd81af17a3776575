"""Keys and tokens as a provider makes them, and as an attacker does: by hand, so that nothing of ours has a say."""

import base64
import hashlib
import hmac
import json
import time
from functools import cache
from typing import Any

from joserfc import jws
from joserfc.jwk import ECKey, Key, OKPKey, RSAKey

AUDIENCE = "cabinet"


@cache
def key(name: str) -> Key:
    """A private key, the same for a name within a run; the kind is the name's first part: `rsa-1`, `ec-2`, `ed-3`."""
    match name.partition("-")[0]:
        case "ec":
            return ECKey.generate_key("P-256", {"kid": name})
        case "ed":
            return OKPKey.generate_key("Ed25519", {"kid": name})
        case _:
            return RSAKey.generate_key(2048, {"kid": name})


def public(name: str, **more: Any) -> dict[str, Any]:
    """An entry of a JWKS document."""
    return {**key(name).as_dict(private=False), "use": "sig", **more}


def jwks(*names: str) -> bytes:
    """A JWKS document."""
    return json.dumps({"keys": [public(name) for name in names]}).encode()


def segment(value: Any) -> str:
    """A part of a token."""
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def claims(issuer: str, **changed: Any) -> dict[str, Any]:
    """Good claims; what is changed to `...` is left out."""
    now = int(time.time())
    good = {"iss": issuer, "aud": AUDIENCE, "sub": "c-1", "iat": now, "exp": now + 600, **changed}
    return {name: value for name, value in good.items() if value is not ...}


def signed(said: dict[str, Any], by: str = "rsa-1", algorithm: str = "RS256", **header: Any) -> str:
    """A token that a key signed, whatever its header says."""
    head = {"alg": algorithm, "kid": by, **header}
    whole = {name: value for name, value in head.items() if value is not ...}
    text = f"{segment(whole)}.{segment(said)}"
    signature = jws.JWSRegistry.algorithms[algorithm].sign(text.encode(), key(by))
    return f"{text}.{segment(signature)}"


def hs256(said: dict[str, Any], secret: bytes, **header: Any) -> str:
    """A token that a secret signed."""
    text = f"{segment({'alg': 'HS256', **header})}.{segment(said)}"
    return f"{text}.{segment(hmac.new(secret, text.encode(), hashlib.sha256).digest())}"
