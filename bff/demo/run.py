"""`kabinet demo`: the three offices, and the cabinet in front of them."""

import asyncio
import signal
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from importlib.resources import as_file, files
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from bff.config import LoadedSettings, load_settings, merge
from bff.demo.launch import DemoOffice, DemoOffices, demo_offices
from bff.demo.secret import demo_secret
from bff.http import HttpClients, HttpLimits
from bff.identity import sign_token

if TYPE_CHECKING:
    from bff.app import Cabinet

# What serves is imported where it is needed: `kabinet token` wants only the settings.
# ruff: noqa: PLC0415

DEMO_CUSTOMER = "c-1001"
DRAIN_SECONDS = 2
DEMO_PASSWORD = "demo"  # noqa: S105 (it guards invented data on this machine)


def demo_settings(
    offices: Iterable[DemoOffice] = (), *, over: Mapping[str, Any] | None = None, **server: Any
) -> LoadedSettings:
    """
    The demo's settings, for offices that run: their addresses, and secrets that are in no file.

    `over`, nested as the file is, and `server` go over what the file says.
    """
    flags: dict[str, Any] = {
        "server": server,
        # The demo's customers are played by one machine: its tests ask more often than people do.
        "limits": {"customer_per_minute": 0, "network_per_minute": 0},
        "identity": {"secret": demo_secret()},
        "sessions": {"secret": demo_secret()},
        "senders": {"phone": {"adapter": "log"}, "email": {"adapter": "log"}},
        "back_offices": {
            "erp": {"password": DEMO_PASSWORD},
            "loyalty": {"api_key": DEMO_PASSWORD},
            "cms": {"token": DEMO_PASSWORD},
        },
    }
    for office in offices:
        flags["back_offices"][office.name]["address"] = office.service
    merge(flags, over or {})
    with as_file(files("bff.demo") / "shop") as folder:
        # The environment has no say: a demo is the same on every machine.
        loaded = load_settings(Path(folder) / "kabinet.toml", flags=flags, environment=False)
    return replace(loaded, demo=True)


def demo_token(customer: str = DEMO_CUSTOMER) -> str:
    """A token that the demo believes."""
    identity = demo_settings().settings.identity
    assert identity is not None  # noqa: S101 (the demo's file has it)
    return sign_token(demo_secret(), customer, issuer=identity.issuer, audience=identity.audience)


def demo_headers(customer: str = DEMO_CUSTOMER) -> dict[str, str]:
    """What a request of the demo's customer carries."""
    return {"Authorization": f"Bearer {demo_token(customer)}"}


def run_demo(port: int, say: Callable[[str], None]) -> None:
    """Serve until SIGINT or SIGTERM. Raises `PortTaken` or `OfficeNotStarted`."""
    from bff.app import assemble, create_app
    from bff.serving import Server, listen

    with listen("127.0.0.1", port) as listening:
        ports = (port + 1, port + 2, port + 3) if port else (0, 0, 0)
        for each in ports:
            # Taken here for a moment: an office that finds its port busy could only say so in its own process.
            listen("127.0.0.1", each).close()
        port = listening.getsockname()[1]
        with demo_offices(ports=ports) as offices:
            cabinet = assemble(demo_settings(offices, port=port))
            app = create_app(cabinet, graphiql_headers=demo_headers)

            def announce() -> None:
                say(_welcome(port, offices))

            try:
                limits = cabinet.loaded.settings.limits
                Server(app, drain_seconds=DRAIN_SECONDS, limits=limits, announce=announce).run([listening])
            finally:
                # What is left takes no time: a second Ctrl-C must not cut it short with a traceback.
                signal.signal(signal.SIGINT, signal.SIG_IGN)


def _welcome(port: int, offices: DemoOffices) -> str:
    from bff.web.graphiql_page import BUILD

    lines = [
        f"kabinet demo is ready: open http://127.0.0.1:{port}/graphql",
        "",
        *(f"  {office.name:<8} {office.service}" for office in offices),
        "",
        "Break one, and ask again:",
        f'  curl -X POST {offices.loyalty.address}/_demo/faults -d \'{{"fail": "hang"}}\'',
        f"  curl -X POST {offices.loyalty.address}/_demo/faults -d '{{}}'",
        "",
        "What was asked for lately is kept, so a broken office's sections stay for a while, older ones with",
        '"stale": true (bonuses: 30 seconds as they are, stale for up to 5 minutes). Who has not been asked for yet',
        "is not kept. A token for another customer: kabinet token --customer c-1003",
        "Codes to sign in with are not sent to anybody: they are printed here.",
    ]
    if not (BUILD / "graphiql.js").is_file():
        lines += ["", "GraphiQL's own build is absent, so its page needs a CDN; scripts/graphiql builds it."]
    return "\n".join(lines)


@contextmanager
def serving(cabinet: "Cabinet", *, graphiql_headers: Callable[[], Mapping[str, str]] = dict) -> Iterator[str]:
    """Serve a cabinet from a thread for as long as the context lasts; gives its address."""
    from bff.app import create_app
    from bff.serving import Server, listen

    ready = threading.Event()
    with listen("127.0.0.1", 0) as listening:
        app = create_app(cabinet, graphiql_headers=graphiql_headers)
        server = Server(app, drain_seconds=1, limits=cabinet.loaded.settings.limits, announce=ready.set)
        thread = threading.Thread(target=server.run, args=([listening],), daemon=True)
        thread.start()
        while not ready.wait(0.1):
            if not thread.is_alive():
                raise RuntimeError("the server did not start; the log says why")
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()


def run_once(customer: str = DEMO_CUSTOMER) -> dict[str, Any]:
    """Start everything on free ports, ask for a customer's dashboard over HTTP, stop everything; gives the answer."""
    from bff.app import assemble

    with demo_offices() as offices, serving(assemble(demo_settings(offices))) as address:
        return asyncio.run(_ask(address, customer))


async def _ask(address: str, customer: str) -> dict[str, Any]:
    from bff.web.graphiql_page import READY_QUERY

    client = HttpClients().open("kabinet", address, HttpLimits(total_seconds=10, connect_seconds=5))
    headers = {**demo_headers(customer), "Content-Type": "application/json"}
    try:
        reply = await client.request("POST", "/graphql", headers=headers, body=orjson.dumps({"query": READY_QUERY}))
    finally:
        await client.close()
    reply.refuse_errors()
    answer: dict[str, Any] = orjson.loads(reply.body)
    return answer
