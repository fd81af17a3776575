"""A GraphQL request as it comes over HTTP: from bytes to something well-formed, or a refusal."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import parse_qsl

import orjson
from cachetools import LRUCache
from starlette.types import Receive, Scope

from bff.errors import Code
from bff.web.limits import LimitSettings
from bff.web.persisted import document_id_of
from bff.web.refusal import RequestRefused, bad_request

_JSON: Final = b"application/json"
_NOT_JSON: Final = "the body is not JSON, or has a name twice"

BODY_IS_LATE: Final = "kabinet.body_is_late"
"""The extension of a scope by which our server says that it has waited long enough for the rest of a body."""

_PARAMETERS: Final = frozenset({"query", "operationName", "variables", "extensions", "documentId"})


class Disconnected(Exception):
    """The client went away in the middle of its request."""


@dataclass(frozen=True, slots=True)
class GraphQLRequest:
    """A well-formed request. At least one of `query` and `document_id` is there."""

    query: str | None
    document_id: str | None
    operation_name: str | None
    variables: dict[str, Any]


class KnownRequests:
    """
    Bodies that front ends send time and again, read already.

    Queries without variables: what differs from customer to customer, and what people type, is not kept.
    """

    MOST: Final = 256
    MOST_BYTES: Final = 8_192

    def __init__(self) -> None:
        self._known: LRUCache[bytes, GraphQLRequest] = LRUCache(self.MOST)

    def read(self, body: bytes) -> GraphQLRequest:
        """Read a body, once. Raises `RequestRefused`."""
        return self._known.get(body) or _well_formed(_parsed(body))

    def remember(self, body: bytes, request: GraphQLRequest) -> None:
        """It was a good query: it may come again."""
        if body not in self._known and not request.variables and len(body) <= self.MOST_BYTES:
            self._known[body] = request


def joined(headers: Iterable[tuple[bytes, bytes]]) -> dict[bytes, bytes]:
    """Headers by name; what stands twice is joined, as RFC 9110 (5.3) says."""
    found: dict[bytes, bytes] = {}
    for name, value in headers:
        found[name] = found[name] + b", " + value if name in found else value
    return found


async def read_post(scope: Scope, headers: Mapping[bytes, bytes], receive: Receive, limits: LimitSettings) -> bytes:
    """Read a POST's body, which says that it is JSON. Raises `RequestRefused`, or `Disconnected`."""
    content_type = headers.get(b"content-type", b"")
    if content_type != _JSON:
        _refuse_other_types(content_type)
    if headers.get(b"content-encoding", b"identity").lower() != b"identity":
        raise bad_request("the body must not be compressed", status=415)
    return await _body(scope, headers, receive, limits)


def read_get(query_string: bytes) -> GraphQLRequest:
    """Read a GET. Raises `RequestRefused`."""
    raw: dict[str, Any] = {}
    try:
        pairs = parse_qsl(query_string.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=20)
    except ValueError:
        raise bad_request("the URL's parameters cannot be read") from None
    for name, value in pairs:
        if name in raw:
            raise bad_request("a parameter stands twice")
        if name in _PARAMETERS:
            raw[name] = _parsed(value.encode()) if value and name in {"variables", "extensions"} else value or None
    return _well_formed(raw)


def _refuse_other_types(content_type: bytes) -> None:
    media_type, *parameters = content_type.split(b";")
    if media_type.strip().lower() != _JSON:
        raise bad_request(f"the body must be {_JSON.decode()}", status=415)
    named = (parameter.strip().lower().partition(b"=") for parameter in parameters)
    charsets = {value.strip(b'"') for name, _, value in named if name == b"charset"}
    if not charsets <= {b"utf-8", b"utf8"}:
        raise bad_request("the body must be UTF-8", status=415)


async def _body(scope: Scope, headers: Mapping[bytes, bytes], receive: Receive, limits: LimitSettings) -> bytes:
    announced = headers.get(b"content-length", b"")
    if announced.isdigit() and (len(announced) > 12 or int(announced) > limits.body_bytes):
        raise _too_large(limits)
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Disconnected
        body += message.get("body", b"")
        if len(body) > limits.body_bytes:
            raise _too_large(limits)
        if not message.get("more_body", False):
            return bytes(body)
        if BODY_IS_LATE in scope.get("extensions", ()):
            raise bad_request("the body did not come in time", status=408)


def _too_large(limits: LimitSettings) -> RequestRefused:
    return RequestRefused(Code.TOO_LARGE, [f"the body is larger than {limits.body_bytes} bytes"], status=413)


def _each_name_once(pairs: list[tuple[str, Any]]) -> None:
    if len({name for name, _ in pairs}) != len(pairs):
        raise ValueError("a name stands twice")


_look_for_names_twice = json.JSONDecoder(object_pairs_hook=_each_name_once).decode


def _parsed(body: bytes) -> Any:
    try:
        # orjson is strict about encoding, numbers and depth, but takes the last of two equal names in silence: another
        # reader on the way (a firewall) may have judged by the first.
        raw = orjson.loads(body)
        _look_for_names_twice(body.decode())
    except (ValueError, RecursionError):
        raise bad_request(_NOT_JSON) from None
    return raw


def _well_formed(raw: Any) -> GraphQLRequest:
    if not isinstance(raw, dict):
        raise bad_request("the body must be one JSON object")
    query, document_id, name = raw.get("query"), raw.get("documentId"), raw.get("operationName")
    variables, extensions = raw.get("variables"), raw.get("extensions")
    faults = []
    for text, what in ((query, "query"), (document_id, "documentId"), (name, "operationName")):
        if text is not None and not isinstance(text, str):
            faults.append(f"{what} must be a text")
    for table, what in ((variables, "variables"), (extensions, "extensions")):
        if table is not None and not isinstance(table, dict):
            faults.append(f"{what} must be an object")
    if faults:
        raise RequestRefused(Code.BAD_USER_INPUT, faults)
    if extensions and "persistedQuery" in extensions:
        document_id = _persisted(extensions["persistedQuery"], query, document_id)
    if document_id is not None:
        document_id = document_id.removeprefix("sha256:")
    if not query and not document_id:
        raise bad_request("query must be a text")
    return GraphQLRequest(query or None, document_id or None, name or None, variables or {})


def _persisted(raw: Any, query: str | None, document_id: str | None) -> str:
    """The hash that clients of Apollo's protocol send, beside the text or in its place."""
    made = raw.get("sha256Hash") if isinstance(raw, dict) else None
    if not isinstance(made, str):
        raise bad_request("extensions.persistedQuery must have a sha256Hash")
    if document_id not in {None, made} or (query and document_id_of(query) != made.lower()):
        raise bad_request("sha256Hash does not belong to what is sent with it")
    return made.lower()
