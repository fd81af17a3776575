"""`kabinet cache`: what is kept by a service that runs."""

import asyncio
import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, NoReturn

import orjson
import typer
from pydantic import TypeAdapter, ValidationError

from bff.config import ENVIRONMENT_PREFIX, LoadedSettings, SettingsError, faults_of, load_settings
from bff.domain.clock import Clock, utc_now
from bff.errors import BackOfficeError
from bff.http import HttpClients, HttpLimits, HttpReply
from bff.plugins import HookSecret, address_fault

cache = typer.Typer(help="What a running service keeps.", no_args_is_help=True)


@cache.callback()
def _group() -> None:
    """Keep `drop` a command of the group while it is the only one."""


@cache.command()
def drop(
    customer: Annotated[
        list[str] | None, typer.Option(help="Drop all that is this customer's; may come again.")
    ] = None,
    tag: Annotated[list[str] | None, typer.Option(help="Drop what has this tag (orders:c-1); may come again.")] = None,
    config: Annotated[Path, typer.Option("--config", "-c", help="The settings file of that service.")] = Path(
        "kabinet.toml"
    ),
    address: Annotated[str | None, typer.Option(help="Where it is; else server.host and server.port say.")] = None,
) -> None:
    """Make a running service forget what it keeps, so that it asks the back offices anew."""
    customers, tags = customer or [], tag or []
    if not customers and not tags:
        _fail("nothing is named; say --customer ID or --tag TAG", code=2)
    loaded = load_settings(config)
    # By its hook, which every service has. Where services share a Redis, to drop there would tell them all; that way
    # belongs here, before this one.
    _by_hook(loaded, address, customers, tags)
    typer.echo(f"dropped: {len(customers)} customers, {len(tags)} tags")


def _by_hook(loaded: LoadedSettings, address: str | None, customers: Sequence[str], tags: Sequence[str]) -> None:
    name, secret = _signer(loaded)
    where = address or _address(loaded)
    # A secret goes nowhere, so plain HTTP within a network will do: what a listener learns is a customer's id.
    if fault := address_fault(where, allow_plain_http=True):
        _fail(f"--address: {fault}", code=2)
    body = orjson.dumps({"customers": customers, "tags": tags, "id": secrets.token_hex(8)})
    try:
        reply = asyncio.run(_send(where, name, secret, body, utc_now))
    except BackOfficeError as error:
        _fail(f"{where}: {error}; does it run there? --address says where else")
    match reply.status:
        case 204:
            return
        case 401:
            _fail(
                f"{where} refused the signature: it was started with another back_offices.{name}.hook_secret, "
                "or its clock is five minutes off"
            )
        case 404:
            _fail(f"{where} has no hook {name!r}: start it anew with back_offices.{name}.hook_secret")
        case 400 | 413:
            _fail(f"{where} refused the request: {_said(reply)}")
        case status:
            _fail(f"{where} answered with HTTP {status}: is that a kabinet?")


def _signer(loaded: LoadedSettings) -> tuple[str, str]:
    """The first back office with a `hook_secret`, and that secret."""
    tables = loaded.settings.back_offices
    name = next((name for name, table in tables.items() if table.get("hook_secret") is not None), None)
    if name is None:
        _fail(
            "no back office has a hook_secret, and without one the service hears nobody: set "
            f"{ENVIRONMENT_PREFIX}BACK_OFFICES__{next(iter(tables)).upper()}__HOOK_SECRET for the service and here, "
            "and start the service anew",
            code=2,
        )
    try:
        secret: HookSecret = TypeAdapter(HookSecret).validate_python(tables[name]["hook_secret"])
    except ValidationError as error:
        raise SettingsError(faults_of(error, f"back_offices.{name}.hook_secret")) from None
    return name, secret.get_secret_value()


def _address(loaded: LoadedSettings) -> str:
    server = loaded.settings.server
    if server.port == 0:
        _fail("server.port is 0, so the service took a free one: say which with --address", code=2)
    host = {"0.0.0.0": "127.0.0.1", "": "127.0.0.1", "::": "::1"}.get(server.host, server.host)  # noqa: S104
    return f"http://{f'[{host}]' if ':' in host else host}:{server.port}"


async def _send(address: str, name: str, secret: str, body: bytes, clock: Clock) -> HttpReply:
    from bff.web.hooks import SIGNATURE, TIMESTAMP, sign  # noqa: PLC0415 (other commands start quicker without it)

    timestamp = str(int(clock().timestamp()))
    headers = {TIMESTAMP: timestamp, SIGNATURE: sign(secret, timestamp, body), "Content-Type": "application/json"}
    client = HttpClients(clock).open("kabinet", address, HttpLimits(total_seconds=10, connect_seconds=2))
    try:
        return await client.request("POST", f"/hooks/{name}", headers=headers, body=body)
    finally:
        await client.close()


def _said(reply: HttpReply) -> str:
    try:
        return str(orjson.loads(reply.body)["message"])[:300]
    except (ValueError, KeyError, TypeError):
        return f"HTTP {reply.status}"


def _fail(message: str, *, code: int = 1) -> NoReturn:
    typer.echo(message, err=True)
    raise SystemExit(code)
