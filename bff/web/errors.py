"""From exceptions to `errors` of a GraphQL answer. Nothing that we did not write ourselves gets out."""

import secrets
from collections.abc import Iterable
from typing import Any

import structlog
from graphql import GraphQLError

from bff.errors import BadUserInput, Code, KabinetError
from bff.resolvers.context import Notice
from bff.web.messages import PARTLY, message

log = structlog.get_logger("kabinet.web")

Entry = dict[str, Any]


def execution_errors(errors: Iterable[GraphQLError], notices: Iterable[Notice], language: str) -> list[Entry]:
    """Entries for what went wrong while a request was executed, and for what was missing on the side."""
    entries = [_execution_error(error, language) for error in errors]
    beside = [_entry(notice.error, list(notice.path), language) for notice in notices]
    return entries + [{**entry, "message": PARTLY[language]} for entry in beside]


def internal_error(cause: BaseException, language: str, path: list[str | int] | None = None) -> Entry:
    """An entry that says nothing but a reference, by which the log has the rest."""
    reference = secrets.token_hex(4)
    log.error("internal error", reference=reference, path=path, exc_info=cause)
    entry = plain_error(Code.INTERNAL, language)
    entry["extensions"]["reference"] = reference
    return entry if path is None else {**entry, "path": path}


def request_errors(errors: Iterable[GraphQLError], code: Code) -> list[Entry]:
    """Entries about a request that was not executed: graphql-core's own words about the client's own document."""
    return [{**_place(error), "message": error.message, "extensions": {"code": code.value}} for error in errors]


def plain_error(code: Code, language: str) -> Entry:
    """An entry that is about the whole request."""
    return {"message": message(code, language), "extensions": {"code": code.value}}


def _execution_error(error: GraphQLError, language: str) -> Entry:
    cause = error.original_error
    if _is_about_the_input(error):
        return {**_place(error), "message": error.message, "extensions": {"code": Code.BAD_USER_INPUT.value}}
    return {**_entry(cause or error, error.path, language), **_place(error)}


def _is_about_the_input(error: GraphQLError) -> bool:
    """
    Whether graphql-core complains of variables or arguments; then the text is its own, about the client's own input.

    It does so before a field is run (there is no path), or pointing into the document. What it says of a *value* that
    a resolver gave points nowhere, and may hold that value.
    """
    cause = error.original_error
    if error.path is None:
        return cause is None or isinstance(cause, GraphQLError)
    return isinstance(cause, GraphQLError) and bool(cause.nodes)


def _entry(cause: Exception, path: list[str | int] | None, language: str) -> Entry:
    if not isinstance(cause, KabinetError) or cause.public_code is Code.INTERNAL:
        return internal_error(cause, language, path)
    code = cause.public_code
    # The text of BadUserInput is ours, and tells the front-end developer what to mend.
    text = str(cause) if isinstance(cause, BadUserInput) else message(code, language)
    entry: Entry = {"message": text, "extensions": {"code": code.value}}
    return entry if path is None else {**entry, "path": path}


def _place(error: GraphQLError) -> Entry:
    place: Entry = {}
    if error.locations:
        place["locations"] = [{"line": at.line, "column": at.column} for at in error.locations]
    if error.path is not None:
        place["path"] = error.path
    return place
