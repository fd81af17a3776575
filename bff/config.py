"""
Settings: flags over environment (`KABINET__SECTION__NAME`) over `kabinet.toml` over defaults.

All of them are checked together and every fault is listed at once; a secret never prints.
"""

import os
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Self, cast
from zoneinfo import ZoneInfo

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    StringConstraints,
    TypeAdapter,
    ValidationError,
    model_validator,
)

from bff.domain import ContactKind
from bff.identity import TokenType
from bff.identity.provider_settings import ProviderSettings
from bff.identity.settings import SessionSettings, SignInSettings, StoreSettings
from bff.mapping.file import Zone
from bff.plugins import CertificatesFile, Secret, SettingsFault, SettingsFile, address_fault
from bff.sources import Freshness, Sections
from bff.web.limits import LimitSettings
from bff.web.server_settings import ServerSettings

ENVIRONMENT_PREFIX = "KABINET__"


class SettingsError(SettingsFault):
    """The settings as a whole are wrong; `faults` has a line for each, with the name of the setting."""


BackOfficeName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,39}$")]

_FROZEN = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class ShopSettings(BaseModel):
    """What is the shop's own."""

    model_config = _FROZEN

    name: str = Field(default="shop", pattern=r"^[A-Za-z0-9_-]{1,40}$")
    """Keeps shops apart that share a Redis."""
    time_zone: Zone = ZoneInfo("Europe/Moscow")
    """Where the shop's days begin and end: an offer ends with its last day there."""


class CacheSettings(BaseModel):
    """Where answers are kept."""

    model_config = _FROZEN

    enabled: bool = True
    max_entries: int = Field(default=100_000, ge=1, le=10_000_000)
    """The most answers in this process; a customer's main screen is some seven."""
    max_megabytes: int = Field(default=128, ge=1, le=1_000_000)
    """The most that they take in this process."""
    redis_url: SecretStr | None = None
    """Redis, where several processes share what they keep: `redis://`, `rediss://`, `unix://`, Sentinel, Cluster."""
    redis_connections: int = Field(default=20, ge=1, le=1_000)
    """The most connections of one process to it."""
    redis_limit_ms: int = Field(default=50, ge=1, le=5_000)
    """How long a call to it may take; a Redis that is slower is left alone for a while."""


class IdentitySettings(BaseModel):
    """
    Which tokens are believed. The keys come from exactly one of `secret` (HS256), `jwks_file`, `jwks_url` and
    `discovery` (RS, PS, ES, EdDSA).
    """

    model_config = _FROZEN

    issuer: str = Field(min_length=1)
    audience: str = Field(min_length=1)
    secret: Secret | None = None
    jwks_file: SettingsFile | None = None
    jwks_url: str | None = None
    """Where the provider publishes its keys."""
    discovery: bool = False
    """Learn where from the provider itself: from its OpenID configuration, below `issuer`."""
    keys_refresh_seconds: int = Field(default=3_600, ge=60, le=86_400)
    """How old published keys may be before they are fetched anew; an unknown key asks at once."""
    ca_file: CertificatesFile | None = None
    """Authorities to trust instead of the system's, PEM, where keys are fetched."""
    allow_plain_http: bool = False
    """Fetch keys without TLS from outside this machine: only on a network that you trust."""
    customer_claim: str = Field(default="sub", min_length=1)
    """The claim that holds the customer's id."""
    scopes_claim: str = Field(default="scope", min_length=1)
    """The claim that holds the scopes: one text with spaces, or a list."""
    token_type: TokenType = "any"  # noqa: S105 (no secret)
    """`at+jwt`: believe only tokens whose header says that they are access tokens (RFC 9068)."""
    leeway_seconds: int = Field(default=5, ge=0, le=300)
    staff_scope: str = Field(default="kabinet.staff", min_length=1)
    """The scope that lets the shop's staff look into a customer's cabinet."""

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if [self.secret, self.jwks_file, self.jwks_url].count(None) + (not self.discovery) != 3:
            raise ValueError(
                f"set exactly one of secret (or {ENVIRONMENT_PREFIX}IDENTITY__SECRET in the environment), jwks_file, "
                "jwks_url and discovery"
            )
        if self.secret is not None and len(self.secret.get_secret_value().encode()) < 32:
            raise ValueError("secret is shorter than 32 bytes, the least for HS256 (RFC 7518, 3.2)")
        return self

    @model_validator(mode="after")
    def _can_be_called(self) -> Self:
        for name, url in (("jwks_url", self.jwks_url), ("issuer", self.issuer if self.discovery else None)):
            # A provider with several rules for signing in has them apart by a query (Azure B2C).
            bare = url.partition("?")[0] if url and name == "jwks_url" else url
            if bare is not None and (fault := address_fault(bare, allow_plain_http=self.allow_plain_http)):
                raise ValueError(f"{name}: {fault}")
        return self


class Settings(BaseModel):
    """
    The whole of `kabinet.toml`. Make one with `load_settings`.

    `back_offices` stays raw here: each table is checked by the adapter that it names.
    """

    model_config = _FROZEN

    server: ServerSettings = ServerSettings()
    limits: LimitSettings = LimitSettings()
    identity: IdentitySettings | None = None
    """The shop's own identity provider; without one, customers sign in here."""
    sessions: SessionSettings | None = None
    """Signing in here is switched on by this."""
    sign_in: SignInSettings = SignInSettings()
    store: StoreSettings = StoreSettings()
    senders: dict[ContactKind, dict[str, Any]] = Field(default={}, repr=False)
    """By the kind of contact; raw, as back offices are."""
    providers: dict[BackOfficeName, ProviderSettings] = {}
    """Identity providers that customers may sign in with, besides codes."""
    back_offices: dict[BackOfficeName, dict[str, Any]] = Field(min_length=1, repr=False)
    sections: Sections = Sections()
    shop: ShopSettings = ShopSettings()
    cache: CacheSettings = CacheSettings()
    freshness: Freshness = Freshness()


@dataclass(frozen=True, slots=True)
class LoadedSettings:
    """
    Settings, the folder that relative paths start from, and where each value came from.

    Where there are `faults`, the tables named in `wrong` are not what was written: they hold defaults, or nothing.
    """

    settings: Settings
    folder: Path
    origins: Mapping[str, str] = field(default_factory=dict)
    """By dotted name: "flag", "environment" or the file's name; what is absent is a default."""
    faults: tuple[str, ...] = ()
    wrong: frozenset[str] = frozenset()
    demo: bool = False
    """What is refused elsewhere may be used: senders that show codes, a store that is forgotten."""


def load_settings(
    config: Path | None,
    *,
    flags: Mapping[str, Any] | None = None,
    environment: bool = True,
) -> LoadedSettings:
    """
    Read and check the settings.

    `flags` is nested like the file. Raises `SettingsError` with every fault: a file that is not TOML, an unknown
    name, a value of the wrong kind. What the tables of `back_offices` mean is checked when they are opened.
    """
    loaded = read_settings(config, flags=flags, environment=environment)
    if loaded.faults:
        raise SettingsError([*loaded.faults])
    return loaded


def read_settings(
    config: Path | None,
    *,
    flags: Mapping[str, Any] | None = None,
    environment: bool = True,
) -> LoadedSettings:
    """
    Read the settings as far as they can be read, for who has more to find fault with: `bff.app.assemble`.

    Raises `SettingsError` only for a file that cannot be read at all.
    """
    layers: list[tuple[str, dict[str, Any]]] = []
    if config is not None:
        layers.append((config.name, _read_toml(config)))
    if environment:
        layers.append(("environment", _environment()))
    layers.append(("flag", dict(flags or {})))

    merged: dict[str, Any] = {}
    origins: dict[str, str] = {}
    for origin, layer in layers:
        merge(merged, layer)
        origins.update(dict.fromkeys((name for name, _ in flatten(layer)), origin))

    faults = _unknown_in_the_environment() if environment else []
    if not merged.keys() & {"identity", "sessions"}:
        faults.append(
            "identity: is missing: say whose tokens are believed, or set [sessions] to have customers sign in"
        )
    folder = config.resolve().parent if config is not None else Path.cwd()
    wrong: frozenset[str] = frozenset()
    try:
        settings = Settings.model_validate(merged, context={"folder": folder})
    except ValidationError as error:
        faults += faults_of(error)
        wrong = frozenset(str(finding["loc"][0]) for finding in error.errors(include_input=False))
        settings = _without(wrong, merged, folder)
    return LoadedSettings(settings, folder, origins, tuple(faults), wrong)


def _without(wrong: frozenset[str], merged: Mapping[str, Any], folder: Path) -> Settings:
    """What is right in the settings: defaults stand for wrong tables; of back offices, the tables that are tables."""
    right: dict[str, Any] = {
        name: TypeAdapter(cast("Any", about.annotation)).validate_python(merged[name], context={"folder": folder})
        for name, about in Settings.model_fields.items()
        if name in merged and name not in {*wrong, "back_offices"}
    }
    tables = merged.get("back_offices")
    found = tables if isinstance(tables, Mapping) else {}
    return Settings.model_construct(
        **right,
        back_offices={name: table for name, table in found.items() if isinstance(table, dict)},
    )


def faults_of(error: ValidationError, prefix: str = "") -> list[str]:
    """Turn pydantic's findings into lines `name: what is wrong`; none shows a value."""
    lines = []
    for finding in error.errors(include_url=False, include_input=False, include_context=False):
        location = [str(part) for part in finding["loc"] if part != "[key]"]
        name = ".".join([prefix, *location] if prefix else location) or "settings"
        message = finding["msg"].removeprefix("Value error, ")
        match finding["type"]:
            case "missing":
                message = f"is missing; set it in the file, or {_environment_name(name)} in the environment"
            case "extra_forbidden":
                message = "there is no such setting"
        lines.append(f"{name}: {message}")
    return lines


def no_adapter(name: object, installed: Iterable[str]) -> str:
    """What is wrong with a back office's `adapter`."""
    wrong = "is missing" if name is None else f"there is no adapter {name!r}"
    return f"{wrong}; installed: {', '.join(sorted(installed))}"


def flatten(table: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield `("server.port", 8000)` and so on from nested tables."""
    for name, value in table.items():
        if isinstance(value, Mapping):
            yield from flatten(cast("Mapping[str, Any]", value), f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def _environment() -> dict[str, Any]:
    """What stands in the environment, nested like the file."""
    if not any(name.upper().startswith(ENVIRONMENT_PREFIX) for name in os.environ):
        return {}
    from pydantic_settings import BaseSettings, EnvSettingsSource, SettingsConfigDict  # noqa: PLC0415 (slow to import)

    # `Settings` itself is no `BaseSettings`: their constructor drops the context that carries the folder to paths.
    class Environment(Settings, BaseSettings):
        model_config = SettingsConfigDict(
            env_prefix=ENVIRONMENT_PREFIX,
            env_nested_delimiter="__",
            # A password of digits must stay a text: values of the environment are not read as JSON.
            enable_decoding=False,
        )

    return EnvSettingsSource(Environment)()


def _unknown_in_the_environment() -> list[str]:
    """Name the variables that no section would ever read; what stands within a section is checked with it."""
    known = {name.upper() for name in Settings.model_fields}
    names = sorted(name for name in os.environ if name.upper().startswith(ENVIRONMENT_PREFIX))
    return [
        f"{name}: there is no such setting"
        for name in names
        if name.upper().removeprefix(ENVIRONMENT_PREFIX).partition("__")[0] not in known
    ]


def _environment_name(name: str) -> str:
    return ENVIRONMENT_PREFIX + name.upper().replace(".", "__")


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise SettingsError([f"{path}: cannot be read ({error.strerror})"]) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError([f"{path}: is not TOML ({error})"]) from None


def merge(base: dict[str, Any], over: Mapping[str, Any]) -> None:
    """Write nested tables over nested tables, in place."""
    for name, value in over.items():
        if isinstance(value, Mapping) and isinstance(base.get(name), dict):
            merge(base[name], cast("Mapping[str, Any]", value))
        else:
            base[name] = dict(value) if isinstance(value, Mapping) else value
