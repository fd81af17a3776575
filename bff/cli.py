"""The command line: `kabinet serve | demo | check | token | schema | adapters | config | cache`."""

import difflib
import json
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bff.cli_cache import cache
from bff.cli_config import config
from bff.cli_output import fail, table

if TYPE_CHECKING:
    from bff.cli_check import Asked

# Commands import what they need: all of it takes a second and more, and most commands need little of it.
# ruff: noqa: PLC0415

app = typer.Typer(
    name="kabinet",
    help="One GraphQL endpoint in front of a shop's back offices.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
schema = typer.Typer(help="The GraphQL contract.", no_args_is_help=True)
adapters = typer.Typer(help="What can be connected.", no_args_is_help=True)
app.add_typer(schema, name="schema")
app.add_typer(adapters, name="adapters")
app.add_typer(config, name="config")
app.add_typer(cache, name="cache")

ConfigOption = Annotated[Path, typer.Option("--config", "-c", help="The settings file.")]
DEFAULT_CONFIG = Path("kabinet.toml")


def main() -> None:
    """Run the command line; what we know how to say is said without a traceback."""
    try:
        app()
    except Exception as error:
        from bff.plugins import PluginError, SettingsFault

        match error:
            case SettingsFault():
                fail(f"the settings are wrong ({len(error.faults)} found):", *error.faults, code=2)
            case PluginError():
                fail(str(error), code=2)
        raise


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"kabinet {version('kabinet')}")
        raise typer.Exit


@app.callback()
def _options(
    _: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Say which version this is, and stop.")
    ] = False,
) -> None:
    """One GraphQL endpoint in front of a shop's back offices."""


@app.command()
def serve(
    config: ConfigOption = DEFAULT_CONFIG,
    host: Annotated[str | None, typer.Option(help="Where to listen; over server.host.")] = None,
    port: Annotated[int | None, typer.Option(help="Where to listen; over server.port.")] = None,
    operations: Annotated[
        Path | None, typer.Option(help="A folder with the front ends' operations; over server.operations.")
    ] = None,
) -> None:
    """Serve the cabinet."""
    from bff.app import assemble, create_app
    from bff.config import read_settings
    from bff.serving import PortTaken, Server, listen, settle_memory
    from bff.telemetry import configure_logging, say_ready

    folder = operations.resolve() if operations is not None else None
    flags = {"host": host, "port": port, "operations": folder}
    server = {name: value for name, value in flags.items() if value is not None}
    loaded = read_settings(config, flags={"server": server} if server else {})
    settings = loaded.settings.server
    cabinet = assemble(loaded)
    configure_logging(settings.log_format)
    try:
        listening = listen(settings.host, settings.port)
    except PortTaken as error:
        fail(str(error))
    where = f"[{settings.host}]" if ":" in settings.host else settings.host
    ready = f"kabinet serves http://{where}:{listening.getsockname()[1]}/graphql"
    settle_memory()
    with listening:
        Server(
            create_app(cabinet),
            drain_seconds=settings.drain_seconds,
            limits=loaded.settings.limits,
            announce=lambda: say_ready(ready, settings.log_format),
        ).run([listening])


@app.command()
def demo(
    port: Annotated[
        int, typer.Option(min=0, max=65_532, help="The cabinet's port; the back offices take the three after it.")
    ] = 8000,
    once: Annotated[bool, typer.Option("--once", help="Ask once, print the answer, stop.")] = False,
    customer: Annotated[str, typer.Option(help="Whose dashboard --once asks for.")] = "c-1001",
) -> None:
    """Start three invented back offices and the cabinet in front of them."""
    from bff.demo.launch import OfficeNotStarted
    from bff.demo.run import run_demo, run_once
    from bff.serving import PortTaken
    from bff.telemetry import configure_logging

    configure_logging("console")
    try:
        if not once:
            run_demo(port, lambda text: typer.echo(text, err=True))
            return
        # On free ports, so that it runs beside a demo that is up.
        answer = run_once(customer)
    except (PortTaken, OfficeNotStarted) as error:
        fail(str(error))
    except KeyboardInterrupt:
        raise SystemExit(130) from None
    typer.echo(json.dumps(answer, ensure_ascii=False, indent=2))
    raise SystemExit(1 if answer.get("errors") or not answer.get("data") else 0)


@app.command()
def check(
    config: ConfigOption = DEFAULT_CONFIG,
    customer: Annotated[
        str | None, typer.Option(help="Also read this customer's sections, and count what comes.")
    ] = None,
) -> None:
    """
    Ask everything that the settings name something harmless, and say what to do about what does not answer.

    Back offices, senders of codes (nothing is sent), the store, identity providers.
    """
    import asyncio

    from bff.app import assemble
    from bff.cli_check import ask_each, make_reads
    from bff.cli_check_door import ask_door
    from bff.config import read_settings
    from bff.domain import CustomerId
    from bff.telemetry import configure_logging

    configure_logging("console")
    # What is kept must not answer for a back office.
    cabinet = assemble(read_settings(config, flags={"cache": {"enabled": False}}))

    async def ask() -> "list[list[Asked]]":
        try:
            of_back_offices, of_door = await asyncio.gather(ask_each(cabinet), ask_door(cabinet))
            asked = [[*of_back_offices, *of_door]]
            if customer is not None:
                asked.append(await make_reads(cabinet.sources, CustomerId(customer)))
        finally:
            await cabinet.close()
        return asked

    found = asyncio.run(ask())
    for (part, what), asked in zip((("", "adapter"), ("back office", "read")), found, strict=False):
        rows = (
            (
                each.part,
                each.what,
                "ok" if each.good else "FAILED",
                each.said,
                str(each.milliseconds),
                each.advice,
            )
            for each in asked
        )
        table((part, what, "", "what came", "ms", "what to do"), rows)
    raise SystemExit(0 if all(each.good for asked in found for each in asked) else 1)


@app.command()
def token(
    customer: Annotated[str, typer.Option(help="Whose cabinet it opens.")],
    config: Annotated[
        Path | None, typer.Option("--config", "-c", help="Sign with this file's secret; without it, for the demo.")
    ] = None,
    hours: Annotated[float, typer.Option(min=0.01, max=24 * 30, help="How long it is good for.")] = 12,
) -> None:
    """Sign a bearer token for a customer, as a shop's own identity provider does."""
    from bff.identity import sign_token

    if config is None:
        from bff.demo.run import demo_settings

        loaded = demo_settings()
    else:
        from bff.config import load_settings

        loaded = load_settings(config)
    identity = loaded.settings.identity
    if identity is None or identity.secret is None:
        fail("these settings have no identity.secret: only who holds the keys can sign tokens")
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
    from bff.schema import sdl

    typer.echo(sdl(), nl=False)


@schema.command("check")
def schema_check(
    file: Annotated[Path, typer.Argument(help="The file to compare with.")] = Path("schema.graphql"),
) -> None:
    """Compare a file with the schema; 1 where they differ."""
    from bff.schema import sdl

    try:
        kept = file.read_text(encoding="utf-8")
    except OSError as error:
        fail(f"{file} cannot be read ({error.strerror})", code=2)
    if kept != (now := sdl()):
        difference = difflib.unified_diff(kept.splitlines(), now.splitlines(), str(file), "schema", lineterm="", n=1)
        fail("the schema differs; write it anew: kabinet schema print > schema.graphql", *list(difference)[:40])
    typer.echo(f"{file} is up to date")


@adapters.command("list")
def adapters_list() -> None:
    """List the installed adapters of back offices, and the senders of codes."""
    from bff.plugins import discover
    from bff.senders import discover_senders

    table(
        ("adapter", "kind", "can serve", ""),
        ((name, spec.kind, ", ".join(spec.ports), spec.summary) for name, spec in discover().items()),
    )
    table(
        ("sender", "writes to", ""),
        (
            (name, ", ".join(sorted(kind.value for kind in spec.kinds)), spec.summary)
            for name, spec in discover_senders().items()
        ),
    )


if __name__ == "__main__":
    main()
