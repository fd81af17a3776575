"""GraphiQL for browsers: our own build of it, or, where that is absent, a page that says so and uses a CDN."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

FOLDER: Final = Path(__file__).parent / "graphiql"
BUILD: Final = FOLDER / "dist"
READY_QUERY: Final = (Path(__file__).parent / "dashboard.graphql").read_text(encoding="utf-8")

_COMMON: Final = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; connect-src 'self'; "
_CDN: Final = "https://cdn.jsdelivr.net"
OWN_POLICY: Final = (
    _COMMON + "script-src 'self'; worker-src 'self'; font-src 'self'; img-src 'self' data:; "
    # Monaco writes <style> elements and style attributes; no narrower form lets it work.
    "style-src 'self' 'unsafe-inline'"
)
CDN_POLICY: Final = (
    _COMMON + f"script-src 'unsafe-inline' {_CDN}; style-src 'unsafe-inline' {_CDN}; font-src data:; img-src data:"
)


class GraphiqlPage:
    """The page. `headers` gives what its headers editor starts with: a demo's token, or nothing."""

    def __init__(self, headers: Callable[[], Mapping[str, str]]) -> None:
        self._headers = headers
        self.own_build = (BUILD / "graphiql.js").is_file()
        self._template = (FOLDER / ("page.html" if self.own_build else "cdn.html")).read_text(encoding="utf-8")
        self._policy = OWN_POLICY if self.own_build else CDN_POLICY

    async def __call__(self, _: Request) -> Response:
        """Fill in the template."""
        settings = {
            "endpoint": "/graphql",
            "query": READY_QUERY,
            "headers": json.dumps(dict(self._headers()), indent=2),
        }
        # The settings stand inside a <script> element, which nothing but `<` could end.
        filled = self._template.replace("{{ settings }}", json.dumps(settings).replace("<", "\\u003c"))
        return HTMLResponse(
            filled,
            headers={
                "Content-Security-Policy": self._policy,
                "Cache-Control": "private, no-store",
                "Referrer-Policy": "no-referrer",
                "X-Content-Type-Options": "nosniff",
            },
        )


class Assets(StaticFiles):
    """Files of our build. Their names do not change with their content, so browsers must ask each time."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        """Serve a file."""
        response = await super().get_response(path, scope)
        response.headers["Cache-Control"] = "no-cache"
        return response
