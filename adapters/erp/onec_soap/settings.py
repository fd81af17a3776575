"""What an operator sets for a 1C web service."""

from typing import Literal

from pydantic import field_validator

from bff.plugins import BackOfficeSettings, Name, Secret, SettingsFile


class OneCSettings(BackOfficeSettings):
    """Settings of the adapter `onec_soap`. `address` is the service's own: `https://host/base/ws/name.1cws`."""

    wsdl: SettingsFile
    """The service's WSDL, saved from `<address>?wsdl`. The address inside it is not used."""
    mapping: SettingsFile
    """Which of the service's names means what of ours."""
    user: Name
    password: Secret
    soap: Literal["1.1", "1.2"] = "1.1"
    sessions: Literal["reuse", "none"] = "reuse"
    """
    `reuse`: keep 1C's sessions by `IBSession` from call to call (`reuseSessions="use"` in default.vrd).
    `none`: leave them to 1C, as with `reuseSessions="autouse"`; without either, every call opens one, which is slow.
    """
    service: Name | None = None
    """Which service of the WSDL, where it has several."""
    port: Name | None = None
    """Which port of the service, where several speak the same version of SOAP."""

    @field_validator("user")
    @classmethod
    def _fits_basic(cls, user: str) -> str:
        if ":" in user:
            raise ValueError("a colon cannot stand in the user's name with Basic sign-in (RFC 7617, 2)")
        return user
