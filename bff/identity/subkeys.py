"""One key a purpose, out of the one secret of the settings."""

import base64
import hmac
from typing import Final

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

LEAST_SECRET_BYTES: Final = 32


class Subkeys:
    """
    Derives keys by HKDF (RFC 5869) with SHA-256. What one key signs says nothing of another key.

    Raises `ValueError` for a secret of less than `LEAST_SECRET_BYTES`.
    """

    def __init__(self, secret: str) -> None:
        self._secret = secret.encode()
        if len(self._secret) < LEAST_SECRET_BYTES:
            raise ValueError(f"the secret of sessions is shorter than {LEAST_SECRET_BYTES} bytes")

    def key(self, purpose: str) -> bytes:
        """32 bytes, always the same for a purpose."""
        return HKDF(SHA256(), length=32, salt=None, info=b"kabinet " + purpose.encode()).derive(self._secret)


def keyed_hash(key: bytes, *parts: str) -> bytes:
    """HMAC-SHA256 over the parts, each with its length before it: two different rows of parts are never one text."""
    # Half a surrogate pair may come by JSON; it is nobody's, and no reason to fail.
    raws = [part.encode(errors="surrogatepass") for part in parts]
    return hmac.digest(key, b"".join(len(raw).to_bytes(4, "big") + raw for raw in raws), "sha256")


def as_text(raw: bytes) -> str:
    """Bytes in the letters of base64url, without padding: for tokens and keys."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
