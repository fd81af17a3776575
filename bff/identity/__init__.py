"""Who is asking."""

from bff.identity.principal import Principal
from bff.identity.tokens import TokenVerifier, read_jwks, shared_secret, sign_token

__all__ = ["Principal", "TokenVerifier", "read_jwks", "shared_secret", "sign_token"]
