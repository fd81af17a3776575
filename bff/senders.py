"""
Senders of sign-in codes as plug-ins: what one declares (`SenderSpec`), what it gives back (`Sender`), how it is found.

They are found by name in the entry-point group `kabinet.senders`; the built-in ones come in by the same door.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from bff.domain import ContactKind
from bff.domain.clock import Clock
from bff.http import HttpClients
from bff.plugins import CertificatesFile, SettingsFault, installed
from bff.ports import CodeSender

GROUP = "kabinet.senders"


class SenderSettings(BaseModel):
    """What the settings of every sender hold; one adds its own."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    adapter: str


class RemoteSettings(SenderSettings):
    """What the settings of every sender hold that talks to a server."""

    timeout_ms: int = Field(default=10_000, ge=10, le=60_000)
    """One message's whole time, connecting included."""
    connect_timeout_ms: int = Field(default=3_000, ge=10, le=60_000)
    ca_file: CertificatesFile | None = None
    """Authorities to trust instead of the system's, PEM."""
    pool: int = Field(default=8, ge=1, le=100)
    """The most messages under way at once; what comes beyond waits, within its time."""


class Sender(CodeSender, Protocol):
    """A sender that is ready."""

    async def check(self) -> str:
        """
        Do what can be done without a message, and say in a few words what that was: for `kabinet check`.

        Raises errors of `bff.errors`. The words hold no secret.
        """
        ...


S = TypeVar("S", bound=SenderSettings)


@dataclass(frozen=True, slots=True, kw_only=True)
class SenderSpec(Generic[S]):
    """
    What a sender declares of itself.

    `build` reads files and makes clients; it talks to nobody. It gets the sender's name in the settings (for errors),
    and raises `SettingsFault`.
    """

    name: str
    summary: str
    kinds: frozenset[ContactKind]
    """What it can write to; the rest it is not asked for."""
    settings: type[S]
    build: Callable[[str, S, HttpClients, Clock], Sender]
    demo_only: bool = False
    """It brings nothing to anybody, or shows codes to whoever looks: `open_sender` refuses it outside the demo."""

    def settings_from(self, raw: Mapping[str, Any], folder: Path) -> S:
        """Settings of this sender out of a `[senders.*]` table; `pydantic.ValidationError` where it is wrong."""
        return self.settings.model_validate(dict(raw), context={"folder": folder})


def discover_senders() -> dict[str, SenderSpec[Any]]:
    """Find every installed sender, by name. `PluginError` names the first that cannot be loaded, or comes twice."""
    return installed(GROUP, SenderSpec, "a sender")


def open_sender(
    kind: ContactKind,
    raw: Mapping[str, Any],
    folder: Path,
    *,
    specs: Mapping[str, SenderSpec[Any]],
    clients: HttpClients,
    clock: Clock,
    demo: bool = False,
) -> Sender:
    """
    Build the sender of a `[senders.<kind>]` table, whose relative paths start at `folder`.

    Raises `SettingsFault`, or `pydantic.ValidationError`: their lines begin below the table's name.
    """
    adapter = raw.get("adapter")
    spec = specs.get(str(adapter))
    if spec is None:
        wrong = "is missing" if adapter is None else f"there is no sender {adapter!r}"
        raise SettingsFault([f"adapter: {wrong}; installed: {', '.join(specs)}"])
    if spec.demo_only and not demo:
        raise SettingsFault([f"adapter: {adapter!r} is for the demo: it brings codes to nobody, and shows them all"])
    if kind not in spec.kinds:
        able = ", ".join(sorted(able.value for able in spec.kinds))
        raise SettingsFault([f"adapter: {adapter!r} cannot write to a contact of this kind, only to: {able}"])
    sender: Sender = spec.build(f"senders.{kind.value}", spec.settings_from(raw, folder), clients, clock)
    return sender


__all__ = ["RemoteSettings", "Sender", "SenderSettings", "SenderSpec", "discover_senders", "open_sender"]
