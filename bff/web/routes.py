"""What is served where."""

from collections.abc import Iterable

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bff.web.graphiql_page import BUILD, Assets, GraphiqlPage
from bff.web.graphql import GraphQLEndpoint
from bff.web.hooks import Hooks


class NotStored:
    """Marks every answer, errors and unknown paths too, as nobody's to keep; one that says otherwise is left alone."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""

        async def marked(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).setdefault("Cache-Control", "private, no-store")
            await send(message)

        await self._app(scope, receive, marked)


def routes(
    endpoint: GraphQLEndpoint, graphiql: GraphiqlPage | None, hooks: Hooks, back_offices: Iterable[str]
) -> list[BaseRoute]:
    """Every route. GraphiQL is served where it is given, to who asks for a page."""
    ready = {"status": "ready", "back_offices": sorted(back_offices)}

    async def graphql(request: Request) -> Response:
        if request.method == "POST":
            return await endpoint(request)
        if graphiql is not None and "text/html" in request.headers.get("accept", ""):
            return await graphiql(request)
        return PlainTextResponse("POST a GraphQL request as JSON.\n", status_code=405, headers={"Allow": "POST"})

    async def hook(request: Request) -> Response:
        return await hooks(request)

    async def healthz(_: Request) -> Response:
        return JSONResponse({"status": "alive"})

    async def readyz(_: Request) -> Response:
        return JSONResponse(ready)

    found: list[BaseRoute] = [
        Route("/graphql", graphql, methods=["GET", "POST"]),
        Route("/hooks/{back_office}", hook, methods=["POST"]),
        Route("/healthz", healthz),
        Route("/readyz", readyz),
    ]
    if graphiql is not None:
        found.append(Route("/", lambda _: RedirectResponse("/graphql")))
        if graphiql.own_build:
            found.append(Mount("/graphql/assets", Assets(directory=BUILD)))
    return found
