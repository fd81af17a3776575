"""Operations: a document parsed and validated once, then remembered."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from graphql import (
    DocumentNode,
    GraphQLError,
    GraphQLSchema,
    GraphQLSyntaxError,
    NoSchemaIntrospectionCustomRule,
    OperationDefinitionNode,
    parse,
    specified_rules,
    validate,
)

from bff.errors import Code

MAX_TOKENS = 1_000
MAX_VALIDATION_ERRORS = 5
REMEMBERED = 100
"""Documents; one of 1,000 tokens takes about half a megabyte, and guests may send as many as they like."""


class RequestRefused(Exception):
    """The request was not executed. `errors` are about the request itself, so their texts are safe to show."""

    def __init__(self, code: Code, errors: Sequence[GraphQLError | str], *, status: int = 400) -> None:
        super().__init__(code.value)
        self.code = code
        self.errors = [error if isinstance(error, GraphQLError) else GraphQLError(error) for error in errors]
        self.status = status


@dataclass(frozen=True, slots=True)
class _Prepared:
    document: DocumentNode | None
    refusal: tuple[Code, list[GraphQLError]] | None = None


class Operations:
    """The documents that one schema has seen lately, good and bad."""

    def __init__(self, schema: GraphQLSchema, *, introspection: bool) -> None:
        self._schema = schema
        self._introspection = introspection
        # Rules are put together once: what is made anew for every request cannot be remembered by.
        self._rules = [*specified_rules] if introspection else [*specified_rules, NoSchemaIntrospectionCustomRule]
        self._prepare = lru_cache(maxsize=REMEMBERED)(self._prepare_document)

    def document(self, query: str, operation_name: str | None) -> DocumentNode:
        """The parsed and valid document. Raises `RequestRefused`, also where it is not clear what to run."""
        prepared = self._prepare(query)
        if prepared.refusal is not None:
            raise RequestRefused(*prepared.refusal)
        assert prepared.document is not None  # noqa: S101 (one of the two is always there)
        operations = [node for node in prepared.document.definitions if isinstance(node, OperationDefinitionNode)]
        names = [node.name.value if node.name else None for node in operations]
        if operation_name is None and len(operations) != 1:
            raise RequestRefused(Code.BAD_USER_INPUT, ["the document has several operations: say operationName"])
        if operation_name is not None and operation_name not in names:
            raise RequestRefused(Code.BAD_USER_INPUT, ["the document has no operation of that operationName"])
        return prepared.document

    def _prepare_document(self, query: str) -> _Prepared:
        try:
            document = parse(query, max_tokens=MAX_TOKENS)
        except GraphQLSyntaxError as error:
            return _Prepared(None, (Code.GRAPHQL_PARSE_FAILED, [error]))
        except RecursionError:
            return _Prepared(None, (Code.GRAPHQL_PARSE_FAILED, [GraphQLError("the document is nested too deeply")]))
        errors = validate(
            self._schema,
            document,
            self._rules,
            max_errors=MAX_VALIDATION_ERRORS,
            hide_suggestions=not self._introspection,
        )
        return _Prepared(document, (Code.GRAPHQL_VALIDATION_FAILED, errors) if errors else None)
