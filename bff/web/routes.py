"""What is served where."""

from collections.abc import Iterable

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route

from bff.web.graphiql_page import BUILD, Assets, GraphiqlPage
from bff.web.graphql import GraphQLEndpoint


def routes(endpoint: GraphQLEndpoint, graphiql: GraphiqlPage | None, back_offices: Iterable[str]) -> list[BaseRoute]:
    """Every route. GraphiQL is served where it is given, to who asks for a page."""
    ready = {"status": "ready", "back_offices": sorted(back_offices)}

    async def graphql(request: Request) -> Response:
        if request.method == "POST":
            return await endpoint(request)
        if graphiql is not None and "text/html" in request.headers.get("accept", ""):
            return await graphiql(request)
        return PlainTextResponse("POST a GraphQL request as JSON.\n", status_code=405, headers={"Allow": "POST"})

    async def healthz(_: Request) -> Response:
        return JSONResponse({"status": "alive"})

    async def readyz(_: Request) -> Response:
        return JSONResponse(ready)

    found: list[BaseRoute] = [
        Route("/graphql", graphql, methods=["GET", "POST"]),
        Route("/healthz", healthz),
        Route("/readyz", readyz),
    ]
    if graphiql is not None:
        found.append(Route("/", lambda _: RedirectResponse("/graphql")))
        if graphiql.own_build:
            found.append(Mount("/graphql/assets", Assets(directory=BUILD)))
    return found
