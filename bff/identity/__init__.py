"""Who is asking."""

from bff.identity.principal import Principal
from bff.identity.published import KeysUnavailable
from bff.identity.tokens import TokenType, TokenVerifier, read_jwks, shared_secret, sign_token

__all__ = ["KeysUnavailable", "Principal", "TokenType", "TokenVerifier", "read_jwks", "shared_secret", "sign_token"]
