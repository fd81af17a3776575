"""What is served where."""

from collections.abc import Iterable
from typing import Any

from starlette.applications import Starlette
from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bff.web.graphiql_page import BUILD, Assets, GraphiqlPage
from bff.web.graphql import SECURITY_HEADERS, GraphQLEndpoint
from bff.web.hooks import Hooks

GRAPHQL_PATH = "/graphql"


class SecurityHeaders:
    """Puts them on every answer, errors and unknown paths too; one that says otherwise is left alone."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""

        async def marked(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in SECURITY_HEADERS:
                    headers.setdefault(name.decode(), value.decode())
            await send(message)

        await self._app(scope, receive, marked)


class CabinetApp(Starlette):
    """
    The whole application.

    What matters under load goes straight to the endpoint, by the path that the server has read; all else is routed.
    """

    def __init__(self, endpoint: GraphQLEndpoint, graphiql: GraphiqlPage | None, **starlette: Any) -> None:
        super().__init__(middleware=[Middleware(SecurityHeaders)], **starlette)
        # A redirect to the path without its last slash would be written with the `Host` of whoever asks.
        self.router.redirect_slashes = False
        self._endpoint = endpoint
        self._graphiql = graphiql

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http" or scope["path"] != GRAPHQL_PATH or self._wants_a_page(scope):
            await super().__call__(scope, receive, send)
        else:
            await self._endpoint(scope, receive, send)

    def _wants_a_page(self, scope: Scope) -> bool:
        """Whether a browser wants GraphiQL. It asks for its queries otherwise."""
        if self._graphiql is None or scope["method"] != "GET":
            return False
        return b"query=" not in scope["query_string"] and "text/html" in Headers(scope=scope).get("accept", "")


def routes(graphiql: GraphiqlPage | None, hooks: Hooks, back_offices: Iterable[str]) -> list[BaseRoute]:
    """Every route but the endpoint's own. GraphiQL is served where it is given."""
    ready = {"status": "ready", "back_offices": sorted(back_offices)}

    async def hook(request: Request) -> Response:
        return await hooks(request)

    async def healthz(_: Request) -> Response:
        return JSONResponse({"status": "alive"})

    async def readyz(_: Request) -> Response:
        return JSONResponse(ready)

    found: list[BaseRoute] = [
        Route("/hooks/{back_office}", hook, methods=["POST"]),
        Route("/healthz", healthz),
        Route("/readyz", readyz),
    ]
    if graphiql is not None:
        page = graphiql

        async def graphiql_page(request: Request) -> Response:
            return await page(request)

        found.append(Route(GRAPHQL_PATH, graphiql_page))
        found.append(Route("/", lambda _: RedirectResponse(GRAPHQL_PATH)))
        if graphiql.own_build:
            found.append(Mount(f"{GRAPHQL_PATH}/assets", Assets(directory=BUILD)))
    return found
