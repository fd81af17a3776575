"""The GraphQL endpoint: POST with JSON, as the GraphQL-over-HTTP draft says."""

import asyncio
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from time import perf_counter
from typing import Any, Final, cast

import orjson
import structlog
from graphql import DocumentNode, ExecutionResult, GraphQLSchema, execute, get_operation_ast
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from bff.errors import Code, Unauthenticated
from bff.identity import Principal, TokenVerifier
from bff.loaders import Loaders
from bff.resolvers.context import Context
from bff.web.errors import Entry, execution_errors, internal_error, plain_error, request_errors
from bff.web.messages import choose_language
from bff.web.operations import Operations, RequestRefused

log = structlog.get_logger("kabinet.web")

MAX_BODY_BYTES: Final = 65_536
BODY_SECONDS: Final = 10.0
MAX_NAME_LOGGED: Final = 100

JSON: Final = "application/json"
GRAPHQL_JSON: Final = "application/graphql-response+json"

PRIVATE: Final = {"Cache-Control": "private, no-store", "X-Content-Type-Options": "nosniff"}


@dataclass(frozen=True, slots=True)
class _Asked:
    """A well-formed request."""

    query: str
    operation_name: str | None
    variables: dict[str, Any] | None


class GraphQLEndpoint:
    """Executes operations for whoever the bearer token stands for."""

    def __init__(
        self,
        schema: GraphQLSchema,
        *,
        verifier: TokenVerifier,
        loaders: Callable[[], Loaders],
        today: Callable[[], date],
        introspection: bool,
    ) -> None:
        self._schema = schema
        self._verifier = verifier
        self._loaders = loaders
        self._today = today
        self._introspection = introspection
        self._operations = Operations(schema, introspection=introspection)

    async def __call__(self, request: Request) -> Response:
        """Answer one POST."""
        language = choose_language(request.headers.get("accept-language"))
        media_type = _media_type(request.headers.get("accept"))
        try:
            return await self._answer(request, language, media_type)
        except Exception as error:  # noqa: BLE001 (whatever it is: the log has it, and the client gets a reference)
            return _response({"errors": [internal_error(error, language)]}, media_type, 500)

    async def _answer(self, request: Request, language: str, media_type: str) -> Response:
        started = perf_counter()
        try:
            principal = self._principal(request)
            asked = _read(await _body(request))
            document = self._operations.document(asked.query, asked.operation_name)
        except Unauthenticated as error:
            log.info("token refused", reason=str(error))
            refused = _response({"errors": [plain_error(Code.UNAUTHENTICATED, language)]}, media_type, 401)
            refused.headers["WWW-Authenticate"] = 'Bearer error="invalid_token"'
            return refused
        except RequestRefused as refusal:
            # Clients that know only application/json take any other status for a broken transport.
            executable = refusal.code in {Code.GRAPHQL_PARSE_FAILED, Code.GRAPHQL_VALIDATION_FAILED}
            status = 200 if media_type == JSON and executable else refusal.status
            return _response({"errors": request_errors(refusal.errors, refusal.code)}, media_type, status)
        except ClientDisconnect:
            return Response(status_code=400)

        context = Context(principal, self._loaders(), self._today())
        result = execute(
            self._schema,
            document,
            context_value=context,
            variable_values=asked.variables,
            operation_name=asked.operation_name,
            hide_suggestions=not self._introspection,
        )
        if not isinstance(result, ExecutionResult):
            result = await cast("Any", result)
        answer, errors = _answer(result, context, language)
        log.info(
            "operation",
            name=_name(document, asked),
            milliseconds=round((perf_counter() - started) * 1000, 1),
            codes=sorted({entry["extensions"]["code"] for entry in errors}),
        )
        executed = "data" in answer
        return _response(answer, media_type, 200 if executed or media_type == JSON else 400)

    def _principal(self, request: Request) -> Principal | None:
        """Who asks; None for a guest, who brings no token at all."""
        headers = request.headers.getlist("authorization")
        if not headers:
            return None
        scheme, _, token = headers[0].partition(" ")
        if len(headers) > 1 or scheme.lower() != "bearer" or not token.strip():
            raise Unauthenticated("one header `Authorization: Bearer …` is expected")
        return self._verifier.verify(token.strip())


def _name(document: DocumentNode, asked: _Asked) -> str | None:
    """The name of the operation that was run, for the log; None where it has none."""
    operation = get_operation_ast(document, asked.operation_name)
    return operation.name.value[:MAX_NAME_LOGGED] if operation and operation.name else None


def _answer(result: ExecutionResult, context: Context, language: str) -> tuple[dict[str, Any], list[Entry]]:
    errors = execution_errors(result.errors or (), context.notices, language)
    answer: dict[str, Any] = {"errors": errors} if errors else {}
    # An error without a path is about the request: it was not executed, so there is no `data` (spec, 7.1.2).
    if not any("path" not in entry for entry in errors):
        answer["data"] = result.data
    return answer, errors


def _response(answer: Mapping[str, Any], media_type: str, status: int) -> Response:
    try:
        body = orjson.dumps(answer)
    except orjson.JSONEncodeError:
        # Half a character (a lone surrogate) from a careless adapter: escaped, it harms nobody but its own text.
        body = json.dumps(answer).encode()
    return Response(body, status_code=status, headers={**PRIVATE, "Content-Type": f"{media_type}; charset=utf-8"})


def _media_type(accept: str | None) -> str:
    """The newer media type for who asks for it by name, the older one for everybody else."""
    return GRAPHQL_JSON if accept and GRAPHQL_JSON in accept.lower() else JSON


async def _body(request: Request) -> bytes:
    media_type, *parameters = request.headers.get("content-type", "").split(";")
    if media_type.strip().lower() != JSON:
        raise RequestRefused(Code.BAD_USER_INPUT, [f"the body must be {JSON}"], status=415)
    named = (parameter.strip().lower().partition("=") for parameter in parameters)
    charsets = {value.strip('"') for name, _, value in named if name == "charset"}
    if not charsets <= {"utf-8", "utf8"}:
        raise RequestRefused(Code.BAD_USER_INPUT, ["the body must be UTF-8"], status=415)
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_SECONDS):
            async for chunk in request.stream():
                body += chunk
                if len(body) > MAX_BODY_BYTES:
                    raise RequestRefused(
                        Code.TOO_LARGE, [f"the body is larger than {MAX_BODY_BYTES} bytes"], status=413
                    )
    except TimeoutError:
        raise RequestRefused(Code.BAD_USER_INPUT, ["the body did not come in time"], status=408) from None
    return bytes(body)


def _each_name_once(pairs: list[tuple[str, Any]]) -> None:
    if len({name for name, _ in pairs}) != len(pairs):
        raise ValueError("a name stands twice")


def _read(body: bytes) -> _Asked:
    try:
        # orjson is strict about encoding, numbers and depth, but takes the last of two equal names in silence: another
        # reader on the way (a firewall) may have judged by the first.
        raw = orjson.loads(body)
        json.loads(body, object_pairs_hook=_each_name_once)
    except (ValueError, RecursionError):
        raise RequestRefused(Code.BAD_USER_INPUT, ["the body is not JSON, or has a name twice"]) from None
    if not isinstance(raw, dict):
        raise RequestRefused(Code.BAD_USER_INPUT, ["the body must be one JSON object"])
    query, name, variables = raw.get("query"), raw.get("operationName"), raw.get("variables")
    if not isinstance(query, str) or not query:
        raise RequestRefused(Code.BAD_USER_INPUT, ["query must be a text"])
    faults = []
    if name is not None and not isinstance(name, str):
        faults.append("operationName must be a text")
    if variables is not None and not isinstance(variables, dict):
        faults.append("variables must be an object")
    if raw.get("extensions") is not None and not isinstance(raw["extensions"], dict):
        faults.append("extensions must be an object")
    if faults:
        raise RequestRefused(Code.BAD_USER_INPUT, faults)
    return _Asked(query, name or None, variables)
