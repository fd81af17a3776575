"""The command line: `kabinet serve | demo | check | token | schema | adapters | config | cache`."""

import asyncio
import difflib
import json
import time
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from pydantic import SecretStr, ValidationError
from rich.console import Console
from rich.table import Table

from bff.app import assemble, create_app
from bff.cli_cache import cache
from bff.config import LoadedSettings, SettingsError, flatten, load_settings
from bff.errors import BackOfficeError
from bff.plugins import Adapter, PluginError, discover
from bff.telemetry import configure_logging

app = typer.Typer(
    name="kabinet",
    help="One GraphQL endpoint in front of a shop's back offices.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
schema = typer.Typer(help="The GraphQL contract.", no_args_is_help=True)
adapters = typer.Typer(help="What back offices can be connected.", no_args_is_help=True)
config = typer.Typer(help="The settings.", no_args_is_help=True)
app.add_typer(schema, name="schema")
app.add_typer(adapters, name="adapters")
app.add_typer(config, name="config")
app.add_typer(cache, name="cache")

out = Console(soft_wrap=True, highlight=False)
err = Console(stderr=True, soft_wrap=True, highlight=False)

ConfigOption = Annotated[Path, typer.Option("--config", "-c", help="The settings file.")]
DEFAULT_CONFIG = Path("kabinet.toml")


def main() -> None:
    """Run the command line; what we know how to say is said without a traceback."""
    try:
        app()
    except SettingsError as error:
        _fail(f"the settings are wrong ({len(error.faults)} found):", *error.faults, code=2)
    except PluginError as error:
        _fail(str(error), code=2)


def _fail(*lines: str, code: int = 1) -> NoReturn:
    for number, line in enumerate(lines):
        err.print(line if number == 0 else f"  - {line}", markup=False)
    raise SystemExit(code)


@app.command()
def serve(
    config: ConfigOption = DEFAULT_CONFIG,
    host: Annotated[str | None, typer.Option(help="Where to listen; over server.host.")] = None,
    port: Annotated[int | None, typer.Option(help="Where to listen; over server.port.")] = None,
) -> None:
    """Serve the cabinet."""
    from bff.serving import PortTaken, Server, listen  # noqa: PLC0415 (other commands start quicker without it)

    server = {name: value for name, value in (("host", host), ("port", port)) if value is not None}
    loaded = load_settings(config, flags={"server": server} if server else {})
    settings = loaded.settings.server
    configure_logging(settings.log_format)
    cabinet = assemble(loaded)
    try:
        listening = listen(settings.host, settings.port)
    except PortTaken as error:
        _fail(str(error))
    address = f"http://{settings.host}:{listening.getsockname()[1]}"
    with listening:
        Server(
            create_app(cabinet),
            drain_seconds=settings.drain_seconds,
            announce=lambda: err.print(f"kabinet serves {address}/graphql", markup=False),
        ).run([listening])


@app.command()
def demo(
    port: Annotated[int, typer.Option(help="The cabinet's port; the back offices take the three after it.")] = 8000,
    once: Annotated[bool, typer.Option("--once", help="Ask once, print the answer, stop.")] = False,
    customer: Annotated[str, typer.Option(help="Whose dashboard --once asks for.")] = "c-1001",
) -> None:
    """Start three invented back offices and the cabinet in front of them."""
    from bff.demo.launch import OfficeNotStarted  # noqa: PLC0415 (see serve)
    from bff.demo.run import run_demo, run_once  # noqa: PLC0415
    from bff.serving import PortTaken  # noqa: PLC0415

    configure_logging("console")
    try:
        if not once:
            run_demo(port, lambda text: err.print(text, markup=False))
            return
        # On free ports, so that it runs beside a demo that is up.
        answer = run_once(customer)
    except (PortTaken, OfficeNotStarted) as error:
        _fail(str(error))
    typer.echo(json.dumps(answer, ensure_ascii=False, indent=2))
    raise SystemExit(1 if answer.get("errors") or not answer.get("data") else 0)


@app.command()
def check(config: ConfigOption = DEFAULT_CONFIG) -> None:
    """Ask every configured back office something harmless, and say what to do about those that do not answer."""
    configure_logging("console")
    cabinet = assemble(load_settings(config))

    async def ask(name: str, adapter: Adapter) -> tuple[str, bool, str, str, float]:
        started = time.perf_counter()
        try:
            said, advice, good = await adapter.check(), "", True
        except BackOfficeError as error:
            said, advice, good = f"{error.public_code.value}: {error}", error.advice, False
        return name, good, said, advice, (time.perf_counter() - started) * 1000

    async def ask_all() -> list[tuple[str, bool, str, str, float]]:
        try:
            return await asyncio.gather(*(ask(name, adapter) for name, adapter in cabinet.adapters.items()))
        finally:
            await cabinet.close()

    table = Table("back office", "adapter", "", "what it said", "ms", "what to do")
    found = asyncio.run(ask_all())
    for name, good, said, advice, milliseconds in found:
        adapter = str(cabinet.loaded.settings.back_offices[name]["adapter"])
        table.add_row(name, adapter, "ok" if good else "FAILED", said, f"{milliseconds:.0f}", advice)
    out.print(table)
    raise SystemExit(0 if all(good for _, good, *_ in found) else 1)


@app.command()
def token(
    customer: Annotated[str, typer.Option(help="Whose cabinet it opens.")],
    config: Annotated[
        Path | None, typer.Option("--config", "-c", help="Sign with this file's secret; without it, for the demo.")
    ] = None,
    hours: Annotated[float, typer.Option(min=0.01, max=24 * 30, help="How long it is good for.")] = 12,
) -> None:
    """Sign a bearer token for a customer."""
    from bff.identity import sign_token  # noqa: PLC0415 (see serve)

    if config is None:
        from bff.demo.run import demo_settings  # noqa: PLC0415

        loaded = demo_settings()
    else:
        loaded = load_settings(config)
    identity = loaded.settings.identity
    if identity.secret is None:
        _fail("these settings check tokens by public keys (identity.jwks_file): only their owner can sign")
    typer.echo(
        sign_token(
            identity.secret.get_secret_value(),
            customer,
            issuer=identity.issuer,
            audience=identity.audience,
            customer_claim=identity.customer_claim,
            lifetime=timedelta(hours=hours),
        )
    )


@schema.command("print")
def schema_print() -> None:
    """Print the schema (SDL)."""
    from bff.schema import sdl  # noqa: PLC0415 (see serve)

    typer.echo(sdl(), nl=False)


@schema.command("check")
def schema_check(
    file: Annotated[Path, typer.Argument(help="The file to compare with.")] = Path("schema.graphql"),
) -> None:
    """Compare a file with the schema; 1 where they differ."""
    from bff.schema import sdl  # noqa: PLC0415 (see serve)

    try:
        kept = file.read_text(encoding="utf-8")
    except OSError as error:
        _fail(f"{file} cannot be read ({error.strerror})", code=2)
    if kept != (now := sdl()):
        difference = difflib.unified_diff(kept.splitlines(), now.splitlines(), str(file), "schema", lineterm="", n=1)
        _fail("the schema differs; write it anew: kabinet schema print > schema.graphql", *list(difference)[:40])
    out.print(f"{file} is up to date")


@adapters.command("list")
def adapters_list() -> None:
    """List the installed adapters."""
    table = Table("adapter", "kind", "can serve", "")
    for name, spec in discover().items():
        table.add_row(name, spec.kind, ", ".join(spec.ports), spec.summary)
    out.print(table)


@config.command("show")
def config_show(config: ConfigOption = DEFAULT_CONFIG) -> None:
    """Show every setting: its value, and where that came from. Secrets are hidden."""
    loaded = load_settings(config)
    faults: list[str] = []
    table = Table("setting", "value", "from")
    for name, value in _shown(loaded, faults):
        table.add_row(name, value, loaded.origins.get(name, "default"))
    out.print(table)
    if faults:
        raise SettingsError(faults)


def _shown(loaded: LoadedSettings, faults: list[str]) -> list[tuple[str, str]]:
    """Names and printable values; a back office's come from its adapter, which knows what is secret."""
    settings = loaded.settings
    rows = list(flatten({name: getattr(settings, name).model_dump() for name in ("server", "identity", "sections")}))
    specs = discover()
    for name, raw in settings.back_offices.items():
        prefix = f"back_offices.{name}."
        spec = specs.get(str(raw.get("adapter")))
        try:
            if spec is None:
                raise SettingsError([f"{prefix}adapter: there is no adapter {raw.get('adapter')!r}"])
            rows += flatten(spec.settings_from(raw, loaded.folder).model_dump(), prefix)
        except (ValidationError, SettingsError):
            # What is secret is not known, so nothing but names is shown; `assemble` says what is wrong.
            rows += [(f"{prefix}{key}", "(not shown: the table is wrong)") for key, _ in flatten(raw)]
            faults.append(f"{prefix[:-1]}: is wrong; kabinet serve says what")
    return [(name, _printable(value)) for name, value in rows]


def _printable(value: Any) -> str:
    match value:
        case SecretStr():
            return "(secret)"
        case None:
            return "-"
        case tuple() | list():
            return ", ".join(str(part) for part in value)
    return str(value)


if __name__ == "__main__":
    main()
