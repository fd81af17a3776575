"""Settings of a mail server."""

from email.headerregistry import Address
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from adapters.messages.smtp.message import mailbox
from bff.plugins import LOOPBACK, Name, Secret
from bff.senders import RemoteSettings

PORTS = {"tls": 465, "starttls": 587, "none": 25}


def _is_mailbox(value: str) -> str:
    if mailbox(value) is None:
        raise ValueError("write one plain address: name@domain; a name to show goes into from_name")
    return value


class SmtpSettings(RemoteSettings):
    """The server is one that sends for us (a submission server, a relay), not the recipient's own."""

    host: Annotated[str, Field(pattern=r"^[A-Za-z0-9:._-]+$", max_length=253)]
    """Name or IP address; the certificate must be for it."""
    port: int | None = Field(default=None, ge=1, le=65_535)
    """None: 465 with `tls`, 587 with `starttls`, 25 with `none`."""
    security: Literal["tls", "starttls", "none"] = "tls"
    """TLS from the first byte, or after STARTTLS, which then must be there; `none` on this machine only."""
    user: Name | None = None
    password: Secret | None = None
    from_address: Annotated[str, AfterValidator(_is_mailbox)]
    """What the messages come from: an address that the server lets this user send from."""
    from_name: Name | None = None
    """The name that is shown with it."""
    subject: Name = "Код для входа"

    @model_validator(mode="after")
    def _is_whole(self) -> "SmtpSettings":
        if (self.user is None) != (self.password is None):
            raise ValueError("set both user and password, or neither where the server knows this machine")
        if self.password is not None and not self.password.get_secret_value().isprintable():
            raise ValueError("password: control characters are not allowed")
        if self.security == "none" and self.host not in LOOPBACK:
            raise ValueError('security: "none" is for a mail server on this machine; use "tls" or "starttls"')
        return self

    @property
    def server_port(self) -> int:
        """The port to connect to."""
        return self.port or PORTS[self.security]

    @property
    def sender(self) -> Address:
        """The `From`."""
        address = mailbox(self.from_address)
        assert address is not None  # noqa: S101 - checked above
        return Address(self.from_name or "", address.username, address.domain)
