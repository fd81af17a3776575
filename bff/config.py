"""
Settings: flags over environment (`KABINET__SECTION__NAME`) over `kabinet.toml` over defaults.

All of them are checked together and every fault is listed at once; a secret never prints.
"""

import os
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal, Self, cast
from zoneinfo import ZoneInfo

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    StringConstraints,
    ValidationError,
    field_validator,
    model_validator,
)

from bff.mapping.file import Zone
from bff.plugins import Secret, SettingsFault, SettingsFile
from bff.sources import Freshness, Sections

ENVIRONMENT_PREFIX = "KABINET__"


class SettingsError(SettingsFault):
    """The settings as a whole are wrong; `faults` has a line for each, with the name of the setting."""


BackOfficeName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,39}$")]

_FROZEN = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class ServerSettings(BaseModel):
    """Where the service listens, and what its pages show."""

    model_config = _FROZEN

    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=0, le=65_535)
    graphiql: bool = False
    """Serve GraphiQL to browsers at /graphql."""
    introspection: bool = False
    """Answer questions about the schema; GraphiQL needs it."""
    drain_seconds: int = Field(default=10, ge=0, le=300)
    """How long requests under way may go on after SIGTERM."""
    log_format: Literal["console", "json"] = "json"
    dashboard_ms: int = Field(default=1_200, ge=50, le=60_000)
    """How long sections may take; what has not come by then is its section's TIMEOUT."""

    @field_validator("host")
    @classmethod
    def _is_said(cls, host: str) -> str:
        # For the socket, an empty host is every address of this machine.
        if not host.strip():
            raise ValueError("is empty; leave it out for 127.0.0.1, or write 0.0.0.0 to listen on every address")
        return host


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
    """Which tokens are believed: exactly one of `secret` (HS256) and `jwks_file` (RS, PS, ES, EdDSA)."""

    model_config = _FROZEN

    issuer: str = Field(min_length=1)
    audience: str = Field(min_length=1)
    secret: Secret | None = None
    jwks_file: SettingsFile | None = None
    customer_claim: str = "sub"
    """The claim that holds the customer's id."""
    leeway_seconds: int = Field(default=5, ge=0, le=300)

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if (self.secret is None) == (self.jwks_file is None):
            raise ValueError(
                f"set exactly one of secret (or {ENVIRONMENT_PREFIX}IDENTITY__SECRET in the environment) and jwks_file"
            )
        if self.secret is not None and len(self.secret.get_secret_value().encode()) < 32:
            raise ValueError("secret is shorter than 32 bytes, the least for HS256 (RFC 7518, 3.2)")
        return self


class Settings(BaseModel):
    """
    The whole of `kabinet.toml`. Make one with `load_settings`.

    `back_offices` stays raw here: each table is checked by the adapter that it names.
    """

    model_config = _FROZEN

    server: ServerSettings = ServerSettings()
    identity: IdentitySettings
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
        name: cast("type[BaseModel]", about.annotation).model_validate(merged[name], context={"folder": folder})
        for name, about in Settings.model_fields.items()
        if name in merged and name not in {*wrong, "back_offices"}
    }
    tables = merged.get("back_offices")
    found = tables if isinstance(tables, Mapping) else {}
    return Settings.model_construct(
        **{"identity": IdentitySettings.model_construct(), **right},
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
