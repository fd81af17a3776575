"""The sign-in pages on a real socket, and who signed in there."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request

from bff.domain.clock import utc_now
from bff.errors import KabinetError
from bff.http import HttpClients
from bff.identity.attempts import Seal
from bff.identity.provider_settings import ProviderSettings
from bff.identity.providers import IdentityProvider, ProviderSubject
from bff.web.sign_in_pages import SignedIn, SignInPages

SITE = "https://shop.test"


@dataclass(slots=True)
class Service:
    """Pages that run: `came` has who signed in, and `refuse` is raised instead where it is set."""

    address: str = ""
    came: list[ProviderSubject] = field(default_factory=list)
    refuse: KabinetError | None = None
    later: timedelta = timedelta()
    """How far the service's clock is ahead."""

    async def finish(self, name: str, subject: ProviderSubject, request: Request) -> SignedIn:
        """Keep who came, and give a cookie and a parameter."""
        assert name == subject.provider == request.path_params["provider"]
        if self.refuse is not None:
            raise self.refuse
        self.came.append(subject)
        return SignedIn(cookies=("session=made; Path=/", "other=1; Path=/"), parameters={"welcome": "да"})


@asynccontextmanager
async def serving(settings: Callable[[str], Mapping[str, Mapping[str, Any]]]) -> AsyncIterator[Service]:
    """Serve the pages for the providers of these settings, made by the service's address in a thread."""
    service = Service()
    with socket.create_server(("127.0.0.1", 0)) as listening:
        service.address = f"http://127.0.0.1:{listening.getsockname()[1]}"
        good = {"client_id": "cabinet", "client_secret": "a secret: of the client & more"}
        providers = {
            name: IdentityProvider(
                name,
                ProviderSettings.model_validate({**good, **each}),
                HttpClients(),
                redirect_uri=f"{service.address}/auth/callback/{name}",
            )
            for name, each in (await asyncio.to_thread(settings, service.address)).items()
        }
        seal = Seal(b"k" * 32, clock=lambda: utc_now() + service.later)
        pages = SignInPages(providers, seal, finish=service.finish, site=SITE)
        config = uvicorn.Config(Starlette(routes=pages.routes()), log_config=None, lifespan="off")
        server = uvicorn.Server(config)
        running = asyncio.create_task(server.serve(sockets=[listening]))
        try:
            yield service
        finally:
            server.should_exit = True
            await running
            for provider in providers.values():
                await provider.close()
