"""Where the service listens, who may ask, and what its pages show."""

import re
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationInfo,
    field_validator,
    model_validator,
)


def _listed(value: object) -> object:
    """Let `a,b` from the environment stand for a list."""
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


def _origin(value: str) -> str:
    if not re.fullmatch(r"https?://([a-z0-9.-]+|\[[0-9a-f:]+\])(:[0-9]{1,5})?", value):
        raise ValueError("an origin is https://host or https://host:port, in small letters, without a path; no *")
    return value


def _network(value: str) -> str:
    try:
        return str(ip_network(value))
    except ValueError:
        raise ValueError("a network is an address, or 10.0.0.0/8 without bits beyond the slash") from None


def _folder_beside_the_settings(path: Path, info: ValidationInfo) -> Path:
    folder: Path = (info.context or {}).get("folder", Path())
    path = folder / path
    if not path.is_dir():
        raise ValueError(f"there is no folder {path}")
    return path


class ServerSettings(BaseModel):
    """Where the service listens, who may ask, and what its pages show."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=0, le=65_535)
    graphiql: bool = False
    """Serve GraphiQL to browsers at /graphql."""
    introspection: bool = False
    """Answer questions about the schema; GraphiQL needs it."""
    drain_seconds: int = Field(default=10, ge=0, le=300)
    """How long requests under way may go on after SIGTERM."""
    get_queries: bool = False
    """Execute queries that come by GET, too; never mutations."""
    origins: Annotated[tuple[Annotated[str, AfterValidator(_origin)], ...], BeforeValidator(_listed)] = ()
    """Origins of pages, beside the service's own, that may ask (CORS)."""
    forwarded_from: Annotated[tuple[Annotated[str, AfterValidator(_network)], ...], BeforeValidator(_listed)] = ()
    """Networks of our proxies: what they say in `X-Forwarded-For` is believed."""
    public_address: Annotated[str, AfterValidator(_origin)] | None = None
    """Where browsers reach this service, `https://cabinet.shop.example`: identity providers send them back there."""
    site: Annotated[str, AfterValidator(_origin)] | None = None
    """Where the shop's pages are, if not here: who has signed in at a provider goes back there."""
    operations: Annotated[Path, AfterValidator(_folder_beside_the_settings)] | None = None
    """A folder with the front ends' operations, which may be asked for by their ids."""
    operations_mode: Literal["log", "known-only"] = "log"
    """What happens to others: they are executed, and logged as unknown; or refused."""
    log_format: Literal["console", "json"] = "json"
    dashboard_ms: int = Field(default=1_200, ge=50, le=60_000)
    """How long sections may take; what has not come by then is its section's TIMEOUT."""

    @model_validator(mode="after")
    def _something_is_known(self) -> Self:
        if self.operations_mode == "known-only" and self.operations is None:
            raise ValueError("operations_mode: known-only needs operations, the folder of what is known")
        return self

    @field_validator("host")
    @classmethod
    def _is_said(cls, host: str) -> str:
        # For the socket, an empty host is every address of this machine.
        if not host.strip():
            raise ValueError("is empty; leave it out for 127.0.0.1, or write 0.0.0.0 to listen on every address")
        return host
