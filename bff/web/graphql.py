"""The GraphQL endpoint: POST with JSON, as the GraphQL-over-HTTP draft says. An ASGI application of its own."""

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from functools import lru_cache
from math import ceil
from time import perf_counter
from typing import Any, Final, NamedTuple

import orjson
import structlog
from graphql import ExecutionResult, GraphQLError
from starlette.types import Receive, Scope, Send

from bff.errors import Code, KabinetError, Unauthenticated
from bff.loaders import Loaders
from bff.resolvers.context import Context, Services
from bff.web.bearer import Who
from bff.web.errors import Entry, execution_errors, internal_error, plain_error, request_errors
from bff.web.limits import LimitSettings
from bff.web.media_type import GRAPHQL_JSON, JSON, MAX_BYTES, choose_media_type
from bff.web.messages import choose_language
from bff.web.networks import Networks
from bff.web.operations import Operation, Operations
from bff.web.origins import Origins
from bff.web.rates import RateLimit
from bff.web.refusal import Header, RequestRefused, bad_request
from bff.web.request import Disconnected, KnownRequests, joined, read_get, read_post

SECURITY_HEADERS: Final = (
    (b"cache-control", b"private, no-store"),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
)
"""On every answer."""

_API_HEADERS: Final = (*SECURITY_HEADERS, (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"))
_CONTENT_TYPES: Final = {name: f"{name}; charset=utf-8".encode() for name in (JSON, GRAPHQL_JSON)}

_language_of = lru_cache(maxsize=256)(lambda header: choose_language(header.decode("latin-1")))


class _Wishes(NamedTuple):
    """How the client wants to be answered."""

    language: str
    media_type: str | None
    """None where it would take neither: then it gets the older one all the same, to say so."""


class _Reply(NamedTuple):
    """An answer, ready to be sent."""

    status: int
    answer: Mapping[str, Any]
    headers: tuple[Header, ...] = ()


class GraphQLEndpoint:
    """
    Executes operations for whoever asks.

    `who` says who that is. Nothing of a request is looked at before its network may ask, nothing of its body before
    it is known who sends it, and no resolver runs before its operation is within the limits.
    """

    def __init__(
        self,
        *,
        operations: Operations,
        who: Who,
        loaders: Callable[[], Loaders],
        today: Callable[[], date],
        limits: LimitSettings,
        networks: Networks,
        origins: Origins,
        services: Services | None = None,
        get_queries: bool = False,
    ) -> None:
        self._operations = operations
        self._who = who
        self._loaders = loaders
        self._today = today
        self._limits = limits
        self._networks = networks
        self._origins = origins
        self._services = services or Services()
        self._get_queries = get_queries
        self._by_network = RateLimit("network", limits.network_per_minute, limits.network_burst)
        self._by_customer = RateLimit("customer", limits.customer_per_minute, limits.customer_burst)
        self._known = KnownRequests()
        self._allow: Header = (b"allow", b"GET, POST" if get_queries else b"POST")
        # Bound once: a logger that is put together for every line takes longer than the line.
        self._log = structlog.get_logger("kabinet.web").bind()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        headers = joined(scope["headers"])
        wishes = _Wishes(
            _language_of(headers.get(b"accept-language", b"")[:200]),
            choose_media_type(headers.get(b"accept", b"")[:MAX_BYTES]),
        )
        try:
            reply = await self._reply(scope, headers, receive, wishes)
        except Disconnected:
            return
        except RequestRefused as refusal:
            reply = self._refused(refusal, wishes)
        except Exception as error:  # noqa: BLE001 (whatever it is: the log has it, and the client gets a reference)
            reply = self._failed(error, wishes)
        await _send(send, reply, wishes.media_type or JSON, self._origins.headers(headers.get(b"origin")))

    async def _reply(self, scope: Scope, headers: Mapping[bytes, bytes], receive: Receive, wishes: _Wishes) -> _Reply:
        started = perf_counter()
        client = scope.get("client")
        network = self._networks.of(client[0] if client else None, headers.get(b"x-forwarded-for"))
        if not network.is_loopback:
            self._count(self._by_network, network.name)
        method: str = scope["method"]
        origin = headers.get(b"origin")
        if method == "OPTIONS" and origin and b"access-control-request-method" in headers:
            return _Reply(204, {}, headers=self._origins.preflight(origin))
        if method != "POST" and not (method == "GET" and self._get_queries):
            raise bad_request("POST a GraphQL request as JSON", status=405, headers=[self._allow])
        if wishes.media_type is None:
            raise bad_request(f"the answer would be {GRAPHQL_JSON} or {JSON}; accept one of them", status=406)
        self._origins.refuse_foreign(headers)
        self._origins.refuse_forged(headers)

        principal = await self._who(headers)
        if principal is not None:
            self._count(self._by_customer, principal.customer)
        if method == "POST":
            body = await read_post(scope, headers, receive, self._limits)
            asked = self._known.read(body)
        else:
            body = b""
            asked = read_get(scope["query_string"])
        operation = self._operations.find(asked.query, asked.document_id, asked.operation_name)
        if body and operation.is_query:
            self._known.remember(body, asked)
        if method == "GET" and not operation.is_query:
            raise bad_request("only queries may be sent by GET", status=405, headers=[(b"allow", b"POST")])
        self._operations.check(operation, asked.variables)
        context = Context(
            principal, self._loaders(), self._services, wishes.language, self._today, network=network.name
        )
        return await self._executed(operation, asked.variables, context, wishes, started)

    async def _executed(
        self, operation: Operation, variables: dict[str, Any], context: Context, wishes: _Wishes, started: float
    ) -> _Reply:
        result = operation.executor.run(context, variables)
        if not isinstance(result, ExecutionResult):
            result = await result
        answer, errors = _answer(result, context, wishes.language)
        codes = sorted({entry["extensions"]["code"] for entry in errors})
        about = {"known": operation.is_known} if self._operations.has_known else {}
        log = self._log
        log.info(
            "operation",
            name=operation.logged_name,
            milliseconds=round((perf_counter() - started) * 1000, 1),
            codes=codes,
            **about,
        )
        executed = "data" in answer
        cookies = tuple((b"set-cookie", cookie.encode("latin-1")) for cookie in context.set_cookie)
        return _Reply(200 if executed or wishes.media_type == JSON else 400, answer, cookies)

    def _count(self, limit: RateLimit, key: str) -> None:
        """Count a request. Raises `RequestRefused` where there have been too many."""
        if wait := limit.wait(key):
            raise RequestRefused(Code.RATE_LIMITED, [], status=429, retry_after=ceil(wait))

    def _refused(self, refusal: RequestRefused, wishes: _Wishes) -> _Reply:
        status = 200 if refusal.of_operation and wishes.media_type == JSON else refusal.status
        if refusal.retry_after:
            # Its words are for people: nothing is wrong with what they did.
            entry = plain_error(refusal.code, wishes.language)
            entry["extensions"]["retryAfter"] = refusal.retry_after
            after = (b"retry-after", str(refusal.retry_after).encode())
            return _Reply(status, {"errors": [entry]}, (after,))
        log = self._log
        log.info("request refused", status=status, code=refusal.code.value)
        return _Reply(status, {"errors": request_errors(refusal.errors, refusal.code)}, refusal.headers)

    def _failed(self, error: Exception, wishes: _Wishes) -> _Reply:
        log = self._log
        if isinstance(error, Unauthenticated):
            log.info("token refused", reason=str(error))
            challenge = (b"www-authenticate", b'Bearer error="invalid_token"')
            return _Reply(401, {"errors": [plain_error(Code.UNAUTHENTICATED, wishes.language)]}, (challenge,))
        if isinstance(error, KabinetError) and error.public_code is not Code.INTERNAL:
            log.warning("sign-in not checked", code=error.public_code.value, error=str(error))
            return _Reply(503, {"errors": [plain_error(error.public_code, wishes.language)]})
        return _Reply(500, {"errors": [internal_error(error, wishes.language)]})


def _answer(result: ExecutionResult, context: Context, language: str) -> tuple[dict[str, Any], list[Entry]]:
    if not result.errors and not context.notices:
        return {"data": result.data}, []
    errors = execution_errors(result.errors or (), context.notices, language)
    _forget_tracebacks(result.errors or (), context)
    answer: dict[str, Any] = {"errors": errors}
    # An error without a path is about the request: it was not executed, so there is no `data` (spec, 7.1.2).
    if not any("path" not in entry for entry in errors):
        answer["data"] = result.data
    return answer, errors


def _forget_tracebacks(errors: Sequence[GraphQLError], context: Context) -> None:
    """
    Let go of what errors hold, when they have been told and logged.

    Tracebacks hold frames, and these the execution, which holds its errors: all of it would stay until a garbage
    collection, and errors come in crowds.
    """
    raised = [*errors, *(error.original_error for error in errors), *(notice.error for notice in context.notices)]
    for each in raised:
        error: BaseException | None = each
        # What it was raised in place of is of the same request; causes may be others', too.
        while error is not None and error.__traceback__ is not None:
            error.__traceback__ = None
            error = error.__context__


async def _send(send: Send, reply: _Reply, media_type: str, more: tuple[Header, ...]) -> None:
    headers = [*_API_HEADERS, *more, *reply.headers]
    body = b""
    if reply.status != 204:
        try:
            body = orjson.dumps(reply.answer)
        except orjson.JSONEncodeError:
            # Half a character (a lone surrogate) from a careless adapter: escaped, it harms nobody but its own text.
            body = json.dumps(reply.answer).encode()
        headers.append((b"content-type", _CONTENT_TYPES[media_type]))
        headers.append((b"content-length", str(len(body)).encode()))
    await send({"type": "http.response.start", "status": reply.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
