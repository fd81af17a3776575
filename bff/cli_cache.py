"""`kabinet cache`: what is kept by a service that runs."""

import asyncio
import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bff.cli_output import fail

if TYPE_CHECKING:
    from bff.config import LoadedSettings
    from bff.http import HttpReply

# Commands import what they need: see `bff.cli`.
# ruff: noqa: PLC0415

cache = typer.Typer(help="What a running service keeps.", no_args_is_help=True)


@cache.callback()
def _group() -> None:
    """What a running service keeps."""
    # Without a callback, the only command would be the whole group.


@cache.command()
def drop(
    customer: Annotated[
        list[str] | None, typer.Option(help="Drop all that is this customer's; may come again.")
    ] = None,
    tag: Annotated[
        list[str] | None, typer.Option(help="Drop what has this tag (orders:c-1001); may come again.")
    ] = None,
    config: Annotated[Path, typer.Option("--config", "-c", help="The settings file of that service.")] = Path(
        "kabinet.toml"
    ),
    address: Annotated[str | None, typer.Option(help="Where it is; else server.host and server.port say.")] = None,
) -> None:
    """Make a running service forget what it keeps, so that it asks the back offices anew."""
    from bff.config import load_settings

    customers, tags = customer or [], tag or []
    if not customers and not tags:
        fail("nothing is named; say --customer ID or --tag TAG", code=2)
    loaded = load_settings(config)
    # By its hook, which every service can have. Where services share a Redis, a drop there would tell them all without
    # a secret and without one that runs: that way belongs here, before this one.
    _by_hook(loaded, address, customers, tags)
    typer.echo(f"dropped: {len(customers)} customer(s), {len(tags)} tag(s)")


def _by_hook(loaded: "LoadedSettings", address: str | None, customers: Sequence[str], tags: Sequence[str]) -> None:
    import orjson

    from bff.errors import BackOfficeError
    from bff.plugins import address_fault

    name, secret = _signer(loaded)
    where = address or _address(loaded)
    # The secret is not sent, so plain HTTP within a network will do: what a listener learns is a customer's id.
    if fault := address_fault(where, allow_plain_http=True):
        fail(f"--address: {fault}", code=2)
    # The id makes two of one second differ: the same signature would be taken for a replay.
    body = orjson.dumps({"customers": customers, "tags": tags, "id": secrets.token_hex(8)})
    try:
        reply = asyncio.run(_send(where, name, secret, body))
    except BackOfficeError as error:
        fail(f"{where}: {error}; does it run there? --address says where else")
    match reply.status:
        case 204:
            return
        case 401:
            fail(
                f"{where} refused the signature: it was started with another back_offices.{name}.hook_secret, "
                "or its clock is five minutes off"
            )
        case 404:
            fail(f"{where} has no hook {name!r}: start it anew with back_offices.{name}.hook_secret")
        case 400 | 413:
            fail(f"{where} refused the request: {_said(reply)}")
        case status:
            fail(f"{where} answered with HTTP {status}: is that a kabinet?")


def _signer(loaded: "LoadedSettings") -> tuple[str, str]:
    """The first back office with a `hook_secret`, and that secret."""
    from pydantic import TypeAdapter, ValidationError

    from bff.config import ENVIRONMENT_PREFIX, SettingsError, faults_of
    from bff.plugins import HookSecret

    tables = loaded.settings.back_offices
    name = next((name for name, table in tables.items() if table.get("hook_secret") is not None), None)
    if name is None:
        fail(
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


def _address(loaded: "LoadedSettings") -> str:
    server = loaded.settings.server
    if server.port == 0:
        fail("server.port is 0, so the service took a free one: say which with --address", code=2)
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(server.host, server.host)  # noqa: S104
    return f"http://{f'[{host}]' if ':' in host else host}:{server.port}"


async def _send(address: str, name: str, secret: str, body: bytes) -> "HttpReply":
    from bff.domain.clock import utc_now
    from bff.http import HttpClients, HttpLimits
    from bff.web.hooks import SIGNATURE, TIMESTAMP, sign

    timestamp = str(int(utc_now().timestamp()))
    headers = {TIMESTAMP: timestamp, SIGNATURE: sign(secret, timestamp, body), "Content-Type": "application/json"}
    client = HttpClients().open("kabinet", address, HttpLimits(total_seconds=10, connect_seconds=2))
    try:
        return await client.request("POST", f"/hooks/{name}", headers=headers, body=body)
    finally:
        await client.close()


def _said(reply: "HttpReply") -> str:
    import orjson

    try:
        return str(orjson.loads(reply.body)["message"])[:300]
    except (ValueError, KeyError, TypeError):
        return f"HTTP {reply.status}"
