"""Settings of a JSON back office."""

from typing import Annotated

from pydantic import Field

from bff.plugins import BackOfficeSettings, HeaderSecret, SettingsFile

_WORD = "^[!#$%&'*+.^_`|~0-9A-Za-z-]+$"
"""RFC 9110's `token`: what a header's name and a scheme are made of."""


class RestSettings(BackOfficeSettings):
    """`address` is what stands before every path of the mapping file."""

    mapping: SettingsFile
    """The mapping file, format 1."""
    token: HeaderSecret | None = None
    """Sent with every call as `<token_header>: <token_scheme> <token>`."""
    token_header: Annotated[str, Field(pattern=_WORD)] = "Authorization"  # noqa: S105 - no secret
    token_scheme: Annotated[str, Field(pattern=f"^$|{_WORD}")] = "Bearer"  # noqa: S105 - no secret
    """Empty: the header holds the token alone."""

    @property
    def headers(self) -> dict[str, str]:
        """Headers that go with every call."""
        headers = {"Accept": "application/json"}
        if self.token is not None:
            headers[self.token_header] = f"{self.token_scheme} {self.token.get_secret_value()}".strip()
        return headers
