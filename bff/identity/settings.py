"""Settings of signing in and of sessions, with the figures of the design as defaults."""

from pathlib import Path
from typing import Annotated, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    StringConstraints,
    ValidationInfo,
    field_validator,
    model_validator,
)

from bff.plugins import HookSecret

_FROZEN = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

DAY = 86_400
HOUR = 3_600

Country = Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$")]
"""ISO 3166-1, two letters."""

Prefix = Annotated[str, StringConstraints(pattern=r"^\+[1-9][0-9]{0,13}$")]
"""How numbers begin, in E.164."""

Host = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$")]


class SignInSettings(BaseModel):
    """Codes by phone and mail: how long they live, and how many there may be."""

    model_config = _FROZEN

    countries: tuple[Country, ...] = Field(default=("RU",), min_length=1)
    """Whose mobile numbers get codes. Numbers without a country code are taken for the first one's."""
    refused_prefixes: tuple[Prefix, ...] = ("+7954",)
    """Numbers that get none although they look like mobile ones; +7 954 is GlobalTel, a satellite network."""
    code_seconds: int = Field(default=300, ge=30, le=HOUR)
    checks_per_code: int = Field(default=5, ge=1, le=20)
    failures_per_contact: int = Field(default=10, ge=1, le=1_000)
    """Wrong codes a day for one phone or mailbox; a new code does not reset the count."""
    codes_per_contact: int = Field(default=10, ge=1, le=1_000)
    """A day."""
    resend_seconds: tuple[Annotated[int, Field(ge=1, le=HOUR)], ...] = Field(default=(30, 60, 120), min_length=1)
    """How long after the first code of a day, the second one and so on no other is sent; the last figure stays."""
    codes_per_network: int = Field(default=20, ge=1, le=1_000_000)
    """An hour, for one IPv4 address or one /64 of IPv6."""
    checks_per_network: int = Field(default=100, ge=1, le=1_000_000)
    """An hour: right and wrong codes that one network sends."""
    codes_per_shop: int = Field(default=1_000, ge=1, le=10_000_000)
    """An hour, for all together: what messages may cost at the most."""
    sends_at_once: int = Field(default=20, ge=1, le=1_000)
    """The most messages that are handed over at the same time."""
    sends_waiting: int = Field(default=1_000, ge=1, le=100_000)
    """The most messages that may wait for that; what comes beyond is not sent."""
    send_seconds: int = Field(default=60, ge=1, le=600)
    """How long a message may take, waiting included; later its code is of little use."""
    ticket_seconds: int = Field(default=600, ge=60, le=HOUR)
    """How long a new customer may take over the name."""
    web_otp_host: Host | None = None
    """The page's host: short messages get a last line `@host #code`, by which browsers fill the code in."""


class StoreSettings(BaseModel):
    """Where codes, sessions and counts are kept: a file of this machine, or a Redis that several machines share."""

    model_config = _FROZEN

    path: Path | None = None
    """SQLite. A relative path starts at the settings file's folder."""
    redis_url: SecretStr | None = None
    """Of a Redis that keeps what it is given: `maxmemory-policy noeviction`, `appendonly yes`."""
    redis_connections: int = Field(default=20, ge=1, le=1_000)
    limit_ms: int | None = Field(default=None, ge=10, le=60_000)
    """How long one call to it may take; by itself 5,000 for a file and 500 for Redis."""

    @field_validator("path")
    @classmethod
    def _beside_the_settings(cls, path: Path | None, info: ValidationInfo) -> Path | None:
        folder: Path = (info.context or {}).get("folder", Path())
        if path is not None and not (folder / path).parent.is_dir():
            raise ValueError(f"there is no folder {(folder / path).parent}")
        return None if path is None else folder / path

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if self.path is not None and self.redis_url is not None:
            raise ValueError("set path or redis_url, not both")
        return self


class SessionSettings(BaseModel):
    """Tokens and cookies of this service's own."""

    model_config = _FROZEN

    secret: HookSecret
    """What they are signed with. With another one all customers sign in again, and all counts of codes begin anew."""
    issuer: str = Field(default="kabinet", min_length=1, max_length=200)
    audience: str = Field(default="kabinet", min_length=1, max_length=200)
    access_seconds: int = Field(default=600, ge=30, le=HOUR)
    """How long an access token lives. A session that has ended refuses it at once, whatever it says."""
    grace_seconds: int = Field(default=10, ge=0, le=60)
    """How long a spent refresh token still gives its successor: for a lost reply, and for two pages at once."""
    idle_seconds: int = Field(default=30 * DAY, ge=60, le=400 * DAY)
    """A session that is not used so long is over."""
    absolute_seconds: int = Field(default=180 * DAY, ge=60, le=400 * DAY)
    """A session is over so long after its sign-in, used or not."""
    fresh_seconds: int = Field(default=300, ge=30, le=HOUR)
    """How long a second factor is fresh."""

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if not self.access_seconds <= self.idle_seconds <= self.absolute_seconds:
            raise ValueError("the times must not shrink: access_seconds ≤ idle_seconds ≤ absolute_seconds")
        return self
