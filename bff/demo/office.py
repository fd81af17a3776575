"""What the three offices have in common: they count calls, they can be told to fail, and they tell about both.

The control paths lie under ``/_demo/`` and answer even while everything else fails.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import asdict

import orjson
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from bff.demo.faults import BadFaults, Failure, Faults
from bff.demo.serving import begin_anew, connection

# IIS's Russian page, in short: the office itself never gets to see such a call.
_ERROR_PAGE = """<!DOCTYPE html>
<html><head><meta charset="utf-8"><title>500 — внутренняя ошибка сервера.</title></head>
<body><h1>Ошибка сервера</h1><h2>500 — внутренняя ошибка сервера.</h2>
<h3>Проблема с искомым ресурсом, из-за которой он не может быть отображен.</h3></body></html>
"""

Answer = Callable[[bool], Awaitable[Response]]
"""Makes the answer to a call; True means: about another customer than the one asked for."""

Handler = Callable[[Request, bool], Awaitable[Response]]


class Json(Response):
    """An answer in JSON, UTF-8."""

    media_type = "application/json"

    def render(self, content: object) -> bytes:
        """Encode `content`."""
        return orjson.dumps(content)


class Office:
    """The common part of an office.

    Args:
        name: ``erp``, ``loyalty`` or ``cms``.
        operations: names of what can be called; these are counted, and a fault may be limited to one of them.
        malformed: what to answer when told to be ``malformed``.
        technical_fault: the protocol's own way to say that something broke.
        stats: what ``/_demo/stats`` tells.
        on_reset: called at ``/_demo/reset``, after the counters are zeroed.
    """

    def __init__(
        self,
        name: str,
        operations: Iterable[str],
        *,
        malformed: Callable[[Request], Response],
        technical_fault: Callable[[Request], Response],
        stats: Callable[[], dict[str, int]] = dict,
        on_reset: Callable[[], None] = lambda: None,
    ) -> None:
        self.name = name
        self._operations = frozenset(operations)
        self._calls: Counter[str] = Counter()
        self._faults = Faults()
        self._malformed = malformed
        self._technical_fault = technical_fault
        self._stats = stats
        self._on_reset = on_reset

    def app(self, routes: Iterable[Route]) -> Starlette:
        """Return the application: the office's own routes and the control paths."""
        return Starlette(
            routes=[
                Route("/_demo/calls", self._show_calls),
                Route("/_demo/reset", self._reset, methods=["POST"]),
                Route("/_demo/faults", self._show_faults),
                Route("/_demo/faults", self._set_faults, methods=["POST"]),
                Route("/_demo/stats", self._show_stats),
                Route("/_demo/health", self._show_health),
                *routes,
            ]
        )

    def route(self, path: str, operation: str, handler: Handler) -> Route:
        """Return the route of an operation that is one path and GET."""

        async def endpoint(request: Request) -> Response:
            async def answer(wrong_owner: bool) -> Response:
                return await handler(request, wrong_owner)

            return await self.serve(request, operation, answer)

        return Route(path, endpoint)

    async def serve(self, request: Request, operation: str, answer: Answer) -> Response:
        """Count a call and answer it, or fail as told. The request's body must have been read by now."""
        self._calls[operation] += 1
        faults = self._faults
        if not faults.hit(operation):
            return await answer(False)
        if faults.latency_ms and await _left_within(request, faults.latency_ms / 1000):
            return Response()  # nobody reads it
        begin_anew(request.scope)
        match faults.fail:
            case None:
                return await answer(False)
            case "wrong_owner":
                return await answer(True)
            case failure:
                return await self._fail(request, failure)

    async def _fail(self, request: Request, failure: Failure) -> Response:
        match failure:
            case "refuse":
                connection(request.scope).abort()
                await _left(request)
                return Response()
            case "hang":
                await _left(request)
                return Response()
            case "500":
                return HTMLResponse(_ERROR_PAGE, 500)
            case "malformed":
                return self._malformed(request)
            case _:
                return self._technical_fault(request)

    async def _show_calls(self, _: Request) -> Response:
        return Json(dict(self._calls))

    async def _reset(self, _: Request) -> Response:
        self._calls.clear()
        self._on_reset()
        return Response(status_code=204)

    async def _show_faults(self, _: Request) -> Response:
        return Json(asdict(self._faults))

    async def _set_faults(self, request: Request) -> Response:
        try:
            self._faults = Faults.from_json(await request.body(), self._operations)
        except BadFaults as error:
            return Json({"error": str(error)}, 400)
        return Json(asdict(self._faults))

    async def _show_stats(self, _: Request) -> Response:
        return Json(self._stats())

    async def _show_health(self, _: Request) -> Response:
        return Json({"office": self.name})


async def _left(request: Request) -> None:
    """Wait until the client has gone away."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


async def _left_within(request: Request, seconds: float) -> bool:
    """Wait so long; return at once and True if the client goes away before."""
    try:
        async with asyncio.timeout(seconds):
            await _left(request)
    except TimeoutError:
        return False
    return True
