"""
Adapters as plug-ins: what one declares (`AdapterSpec`), what it gives back (`Adapter`), how it is found.

Adapters are found by name in the entry-point group `kabinet.adapters`; the built-in ones come in by the same door.
"""

import ssl
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from importlib.metadata import entry_points
from pathlib import Path
from typing import Annotated, Any, ClassVar, Generic, Literal, TypeVar
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    ValidationInfo,
    model_validator,
)

from bff.http import HttpClients, HttpLimits
from bff.ports import (
    BonusDetails,
    Bonuses,
    Customers,
    Favorites,
    Orders,
    PersonalOffers,
    Products,
    Profiles,
    Promotions,
)

GROUP = "kabinet.adapters"


class PluginError(Exception):
    """An entry point that could not be loaded, or does not hold an `AdapterSpec`."""


class SettingsFault(Exception):
    """What is wrong with an adapter's settings or files, every fault a line of its own."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("; ".join(faults))
        self.faults = faults


def _beside_the_settings(path: Path, info: ValidationInfo) -> Path:
    """Take a relative path from the settings file's folder, and insist that the file is there."""
    folder: Path = (info.context or {}).get("folder", Path())
    path = folder / path
    if not path.is_file():
        raise ValueError(f"there is no file {path}")
    return path


SettingsFile = Annotated[Path, AfterValidator(_beside_the_settings)]
"""A file beside `kabinet.toml`: relative paths start at its folder. It must exist."""


def _plain_name(value: str) -> str:
    if not value.isprintable():
        raise ValueError("control characters are not allowed")
    return value


def _holds_certificates(path: Path) -> Path:
    # Found out here and not when the client is made, so that it is one fault among the others.
    try:
        ssl.create_default_context(cafile=str(path))
    except OSError:
        raise ValueError(f"{path} holds no certificates that can be read (PEM is expected)") from None
    return path


CertificatesFile = Annotated[SettingsFile, AfterValidator(_holds_certificates)]
"""Certificates of authorities, PEM."""


Name = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_plain_name)]


def _secret_is_set(value: SecretStr) -> SecretStr:
    if not value.get_secret_value():
        raise ValueError("the secret is empty")
    return value


Secret = Annotated[SecretStr, AfterValidator(_secret_is_set)]
"""A secret that must be there. It never prints."""


def _fits_a_header(value: SecretStr) -> SecretStr:
    # Refused here, because the HTTP library's own error would hold the secret.
    secret = value.get_secret_value()
    if not (secret.isascii() and secret.isprintable() and secret == secret.strip()):
        raise ValueError("the secret goes into an HTTP header: printable ASCII, no white space around it")
    return value


HeaderSecret = Annotated[Secret, AfterValidator(_fits_a_header)]
"""A secret that is sent as an HTTP header."""


def _is_long(value: SecretStr) -> SecretStr:
    if len(value.get_secret_value().encode()) < 32:
        raise ValueError("the secret is shorter than 32 bytes; openssl rand -hex 32 makes a good one")
    return value


HookSecret = Annotated[Secret, AfterValidator(_is_long)]
"""A secret that signs webhooks."""


class GuardSettings(BaseModel):
    """When a back office is left alone, and how much may wait for it."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    breaker_window_seconds: float = Field(default=10.0, gt=0, le=600)
    breaker_least_calls: int = Field(default=5, ge=1, le=1_000)
    breaker_failure_share: float = Field(default=0.5, gt=0, le=1)
    breaker_open_seconds: float = Field(default=2.0, gt=0, le=600)
    retry_share: float = Field(default=0.1, ge=0, le=1)
    """Retries, as a part of all calls; 0 makes none."""
    queue: int = Field(default=1_000, ge=1, le=1_000_000)
    """The most keys that may wait for a free slot; what comes beyond is BUSY at once."""


class BackOfficeSettings(BaseModel):
    """What the settings of every back office hold; an adapter adds its own."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    adapter: str
    address: str
    """Where it is: `https://host[:port]/path`."""
    allow_plain_http: bool = False
    """Let an address outside this machine go without TLS: only on a network that you trust."""
    timeout_ms: int = Field(default=1_200, ge=10, le=600_000)
    """One call's whole time, from the first byte sent to the last one read."""
    connect_timeout_ms: int = Field(default=300, ge=10, le=60_000)
    write_timeout_ms: int = Field(default=10_000, ge=10, le=600_000)
    """The whole time of a call that changes something: given up early, nobody knows whether it was done."""
    max_reply_bytes: int = Field(default=8_000_000, ge=1_000)
    """The largest answer that is read, after decompression."""
    ca_file: CertificatesFile | None = None
    """Authorities to trust instead of the system's, PEM: for a 1C with a certificate of its own making."""
    pool: int = Field(default=8, ge=1, le=1_000)
    """The most calls in flight at once. For 1C: at most its session pool."""
    batch: int = Field(default=50, ge=1, le=1_000)
    """The most keys in one call."""
    guard: GuardSettings = GuardSettings()
    """How it is protected from us, and we from it."""
    hook_secret: HookSecret | None = None
    """What it signs its webhooks with; without one it has none."""

    @model_validator(mode="after")
    def _address_is_good(self) -> "BackOfficeSettings":
        if fault := address_fault(self.address, allow_plain_http=self.allow_plain_http):
            # The address itself is not shown: what is wrong with it may be a password in it.
            raise ValueError(f"address: {fault}")
        return self

    @property
    def write_limits(self) -> HttpLimits:
        """The same figures, for calls that change something."""
        return replace(self.limits, total_seconds=self.write_timeout_ms / 1000)

    @property
    def limits(self) -> HttpLimits:
        """The same figures, for `bff.http`."""
        return HttpLimits(
            total_seconds=self.timeout_ms / 1000,
            connect_seconds=self.connect_timeout_ms / 1000,
            max_reply_bytes=self.max_reply_bytes,
            connections=self.pool,
        )


LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


def address_fault(address: str, *, allow_plain_http: bool) -> str | None:
    """Say what is wrong with a back office's address; None where nothing is."""
    try:
        parts = urlsplit(address)
        host, _ = parts.hostname, parts.port
        (host or "").encode("idna")
    except ValueError:
        return "is not a URL; write https://host[:port]/path"
    clean = address.isprintable() and " " not in address
    if not clean or parts.scheme not in {"http", "https"} or not host:
        return "write https://host/path"
    if parts.username or parts.password:
        return "user and password have settings of their own; take them out of the address"
    if parts.query or parts.fragment:
        return "an address has no ? and no #"
    if parts.scheme == "http" and host not in LOOPBACK and not allow_plain_http:
        return "use https, or set allow_plain_http = true on a network that you trust"
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Adapter:
    """
    A back office that is ready to be asked: an object for each port that it can serve, None for the others.

    `check` asks it something harmless and says in a few words what it found; it raises an error of `bff.errors`.
    """

    check: Callable[[], Awaitable[str]]
    close: Callable[[], Awaitable[None]]
    profiles: Profiles | None = None
    orders: Orders | None = None
    bonuses: Bonuses | None = None
    bonus_details: BonusDetails | None = None
    favorites: Favorites | None = None
    products: Products | None = None
    promotions: Promotions | None = None
    personal_offers: PersonalOffers | None = None
    customers: Customers | None = None
    batches: Mapping[str, int] = field(default_factory=dict)
    """By a port's method, the most keys that one call to the back office takes, where that is not `batch`."""

    PORTS: ClassVar[tuple[str, ...]] = (
        "profiles",
        "orders",
        "bonuses",
        "bonus_details",
        "favorites",
        "products",
        "promotions",
        "personal_offers",
        "customers",
    )

    @property
    def ports(self) -> frozenset[str]:
        """Names of the ports that it serves."""
        return frozenset(name for name in self.PORTS if getattr(self, name) is not None)


S = TypeVar("S", bound=BackOfficeSettings)


@dataclass(frozen=True, slots=True, kw_only=True)
class AdapterSpec(Generic[S]):
    """
    What an adapter declares of itself.

    `build` reads files and makes clients; it talks to nobody, so that a back office that is down does not stop the
    start. It gets the back office's name in the settings (for errors and logs) and raises `SettingsFault`.
    """

    name: str
    kind: Literal["erp", "cms", "loyalty"]
    summary: str
    ports: tuple[str, ...]
    """Ports that it can serve at all; with a mapping file, those that are mapped."""
    settings: type[S]
    build: Callable[[str, S, HttpClients], Adapter]

    def settings_from(self, raw: Mapping[str, Any], folder: Path) -> S:
        """Settings of this adapter out of a `[back_offices.*]` table; `pydantic.ValidationError` where it is wrong."""
        return self.settings.model_validate(dict(raw), context={"folder": folder})


def discover() -> dict[str, AdapterSpec[Any]]:
    """Find every installed adapter, by name. `PluginError` names the first that cannot be loaded, or comes twice."""
    return installed(GROUP, AdapterSpec, "an adapter")


P = TypeVar("P")


def installed(group: str, kind: type[P], what: str) -> dict[str, P]:
    """Find every object of a kind in an entry-point group, by name; errors call one `what` ("an adapter")."""
    article, noun = what.split()
    found: dict[str, P] = {}
    for entry in sorted(entry_points(group=group), key=lambda entry: entry.name):
        try:
            spec = entry.load()
        except Exception as error:
            raise PluginError(f"{noun} {entry.name!r} ({entry.value}) cannot be loaded: {error}") from error
        if not isinstance(spec, kind):
            given = type(spec).__name__
            raise PluginError(f"{noun} {entry.name!r} ({entry.value}) is a {given}, not {article} {kind.__name__}")
        if entry.name in found:
            raise PluginError(f"two packages offer {what} {entry.name!r}; uninstall one of them")
        found[entry.name] = spec
    return found


__all__ = [
    "Adapter",
    "AdapterSpec",
    "BackOfficeSettings",
    "HeaderSecret",
    "HookSecret",
    "Name",
    "PluginError",
    "Secret",
    "SettingsFault",
    "SettingsFile",
    "ValidationError",
    "address_fault",
    "discover",
    "installed",
]
