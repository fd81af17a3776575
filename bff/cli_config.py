"""`kabinet config`: the settings, as they are in force."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bff.cli_output import table

if TYPE_CHECKING:
    from pydantic import BaseModel

    from bff.config import LoadedSettings

# Commands import what they need: see `bff.cli`.
# ruff: noqa: PLC0415

config = typer.Typer(help="The settings.", no_args_is_help=True)


@config.callback()
def _group() -> None:
    """The settings."""
    # Without a callback, the only command would be the whole group.


@config.command()
def show(
    config: Annotated[Path, typer.Option("--config", "-c", help="The settings file.")] = Path("kabinet.toml"),
) -> None:
    """Show every setting: its value, and where that came from. Secrets are hidden."""
    from bff.config import SettingsError, read_settings

    shown = _Shown(read_settings(config))
    table(("setting", "value", "from"), shown.rows())
    if shown.faults:
        raise SettingsError(shown.faults)


class _Shown:
    """Settings as rows of a table. Those of a table with an adapter are its own, which knows what is secret."""

    def __init__(self, loaded: "LoadedSettings") -> None:
        self.faults = [*loaded.faults]
        """What was wrong when they were read; `rows` adds what is wrong in tables with adapters."""
        self._loaded = loaded

    def rows(self) -> Iterator[tuple[str, str, str]]:
        """Names, printable values, and where these come from."""
        from bff.plugins import discover
        from bff.senders import discover_senders

        settings, wrong = self._loaded.settings, self._loaded.wrong
        with_adapters: Mapping[str, Mapping[str, Any]] = {"back_offices": discover(), "senders": discover_senders()}
        for name in type(settings).model_fields:
            value = getattr(settings, name)
            if name in wrong:
                yield from self._hidden(name)
            elif value is not None and not isinstance(value, dict):
                yield from self._table(name, value)
            elif value is not None and name not in with_adapters:
                for key, each in value.items():
                    yield from self._table(f"{name}.{key}", each)
        for name, installed in with_adapters.items():
            for key, raw in getattr(settings, name).items():
                # A kind of contact is a word of ours.
                yield from self._with_adapter(f"{name}.{getattr(key, 'value', key)}", raw, installed)

    def _table(self, name: str, read: "BaseModel") -> Iterator[tuple[str, str, str]]:
        from bff.config import flatten

        for each, value in flatten(read.model_dump(), f"{name}."):
            yield each, _printable(value), self._loaded.origins.get(each, "default")

    def _hidden(self, name: str) -> Iterator[tuple[str, str, str]]:
        # What is secret is not known, so nothing but names is shown.
        for each, origin in self._loaded.origins.items():
            if each.startswith(f"{name}."):
                yield each, "(not shown: the table is wrong)", origin

    def _with_adapter(
        self, place: str, raw: Mapping[str, Any], installed: Mapping[str, Any]
    ) -> Iterator[tuple[str, str, str]]:
        from pydantic import ValidationError

        from bff.config import faults_of, no_adapter

        spec = installed.get(str(raw.get("adapter")))
        if spec is None:
            self.faults.append(f"{place}.adapter: {no_adapter(raw.get('adapter'), installed)}")
            yield from self._hidden(place)
            return
        try:
            read = spec.settings_from(raw, self._loaded.folder)
        except ValidationError as error:
            self.faults += faults_of(error, place)
            yield from self._hidden(place)
        else:
            yield from self._table(place, read)


def _printable(value: Any) -> str:
    from pydantic import SecretStr

    match value:
        case SecretStr():
            return "(secret)"
        case None:
            return "-"
        case bool():
            return str(value).lower()
        case tuple() | list():
            return ", ".join(str(part) for part in value)
    return str(value)
