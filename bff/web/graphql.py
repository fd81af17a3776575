"""The GraphQL endpoint: POST with JSON, as the GraphQL-over-HTTP draft says."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from time import perf_counter
from typing import Any, Final, cast

import orjson
import structlog
from graphql import ExecutionResult, GraphQLSchema, execute
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from bff.errors import Code, Unauthenticated
from bff.identity import Principal, TokenVerifier
from bff.loaders import Loaders
from bff.resolvers.context import Context
from bff.web.errors import Entry, execution_errors, plain_error, request_errors
from bff.web.messages import choose_language
from bff.web.operations import Operations, RequestRefused

log = structlog.get_logger("kabinet.web")

MAX_BODY_BYTES: Final = 65_536
BODY_SECONDS: Final = 10.0

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
        introspection: bool,
    ) -> None:
        self._schema = schema
        self._verifier = verifier
        self._loaders = loaders
        self._operations = Operations(schema, introspection=introspection)

    async def __call__(self, request: Request) -> Response:
        """Answer one POST."""
        started = perf_counter()
        language = choose_language(request.headers.get("accept-language"))
        media_type = _media_type(request.headers.get("accept"))
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

        context = Context(principal, self._loaders())
        result = execute(
            self._schema,
            document,
            context_value=context,
            variable_values=asked.variables,
            operation_name=asked.operation_name,
        )
        if not isinstance(result, ExecutionResult):
            result = await cast("Any", result)
        answer, errors = _answer(result, context, language)
        log.info(
            "operation",
            name=asked.operation_name,
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


def _answer(result: ExecutionResult, context: Context, language: str) -> tuple[dict[str, Any], list[Entry]]:
    errors = execution_errors(result.errors or (), context.notices, language)
    answer: dict[str, Any] = {"errors": errors} if errors else {}
    # An error without a path is about the request: it was not executed, so there is no `data` (spec, 7.1.2).
    if not any("path" not in entry for entry in errors):
        answer["data"] = result.data
    return answer, errors


def _response(answer: Mapping[str, Any], media_type: str, status: int) -> Response:
    return Response(
        orjson.dumps(answer), status_code=status, headers={**PRIVATE, "Content-Type": f"{media_type}; charset=utf-8"}
    )


def _media_type(accept: str | None) -> str:
    """The newer media type for who asks for it by name, the older one for everybody else."""
    return GRAPHQL_JSON if accept and GRAPHQL_JSON in accept.lower() else JSON


async def _body(request: Request) -> bytes:
    media_type, _, parameters = request.headers.get("content-type", "").partition(";")
    if media_type.strip().lower() != JSON:
        raise RequestRefused(Code.BAD_USER_INPUT, [f"the body must be {JSON}"], status=415)
    charset = parameters.strip().lower().removeprefix("charset=").strip('"')
    if charset not in {"", "utf-8", "utf8"}:
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


def _read(body: bytes) -> _Asked:
    try:
        raw = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise RequestRefused(Code.BAD_USER_INPUT, ["the body is not JSON"]) from None
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
