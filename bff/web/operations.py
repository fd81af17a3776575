"""Operations: a document parsed, measured and validated once, then remembered."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from graphql import (
    DocumentNode,
    GraphQLError,
    GraphQLSchema,
    GraphQLSyntaxError,
    NoSchemaIntrospectionCustomRule,
    OperationDefinitionNode,
    OperationType,
    parse,
    specified_rules,
    validate,
)

from bff.errors import Code
from bff.web.complexity import Cost, Measure, PageSize, refuse_long_lists, too_expensive
from bff.web.executor import Fragments, OperationExecutor
from bff.web.limits import LimitSettings
from bff.web.refusal import RequestRefused, bad_request

MAX_VALIDATION_ERRORS: Final = 5
REMEMBERED: Final = 100
"""Documents; one of 1,000 tokens takes about half a megabyte, and guests may send as many as they like."""

MAX_NAME_LOGGED: Final = 100


@dataclass(frozen=True, slots=True)
class Operation:
    """An operation that is valid, in its document."""

    executor: OperationExecutor
    name: str | None
    is_query: bool
    cost: Cost
    sizes: frozenset[PageSize]
    """Variables that size its pages, also of those that cost nothing."""
    is_known: bool
    """Its document is one of the shop's own: see `Operations`."""

    @property
    def logged_name(self) -> str | None:
        """Its name, as long as a line of the log bears."""
        return self.name[:MAX_NAME_LOGGED] if self.name else None


@dataclass(frozen=True, slots=True)
class _Prepared:
    """What a document came to: its operations by name, or why there are none."""

    operations: Mapping[str | None, Operation]
    refusal: RequestRefused | None = None


class Operations:
    """
    The documents that a schema has seen lately, good and bad, and those that the shop knows for ever.

    `known` are documents by their ids, which front ends may send instead of the text. With `only_known` nothing else
    is executed. Raises `UnusableDocuments` where one of them could not be executed itself.
    """

    def __init__(
        self,
        schema: GraphQLSchema,
        limits: LimitSettings,
        *,
        introspection: bool,
        known: Mapping[str, str] | None = None,
        only_known: bool = False,
    ) -> None:
        self._schema = schema
        self._limits = limits
        self._introspection = introspection
        self._only_known = only_known
        # Rules are put together once: what is made anew for every request cannot be remembered by.
        self._rules = [*specified_rules] if introspection else [*specified_rules, NoSchemaIntrospectionCustomRule]
        self._prepare = lru_cache(maxsize=REMEMBERED)(self._prepare_document)
        self._texts = known
        self._known = {text: self._prepare_document(text, is_known=True) for text in {*(known or {}).values()}}
        if unusable := {text: each.refusal for text, each in self._known.items() if each.refusal is not None}:
            raise UnusableDocuments(unusable)

    @property
    def has_known(self) -> bool:
        """Whether the shop has given its own documents."""
        return self._texts is not None

    def find(self, query: str | None, document_id: str | None, operation_name: str | None) -> Operation:
        """
        The operation to run. Raises `RequestRefused`, also where it is not clear what to run.

        One of `query` and `document_id` is there; where both are, the text counts.
        """
        prepared = self._document(query, document_id)
        if prepared.refusal is not None:
            # Made anew: one that is raised time and again would grow by its traceback.
            known = prepared.refusal
            raise RequestRefused(known.code, known.errors, status=known.status, of_operation=known.of_operation)
        if operation_name is not None:
            operation = prepared.operations.get(operation_name)
            if operation is None:
                raise bad_request("the document has no operation of that operationName")
            return operation
        if len(prepared.operations) != 1:
            raise bad_request("the document has several operations: say operationName")
        return next(iter(prepared.operations.values()))

    def check(self, operation: Operation, variables: Mapping[str, Any]) -> None:
        """Raise `RequestRefused` where variables make an operation too large."""
        if operation.sizes:
            for size in operation.sizes:
                size.at(variables)
            if (total := operation.cost.at(variables)) > self._limits.cost:
                raise too_expensive(total, self._limits.cost)
        if variables:
            refuse_long_lists(variables, self._limits.list_items)

    def _document(self, query: str | None, document_id: str | None) -> _Prepared:
        if query is None and document_id is not None:
            if self._texts is None:
                # Apollo's client hears this code, and sends texts from then on.
                raise _refused(Code.PERSISTED_QUERY_NOT_SUPPORTED, "there are no persisted operations here")
            query = self._texts.get(document_id)
            if query is None:
                raise _refused(Code.PERSISTED_QUERY_NOT_FOUND, "there is no operation of that id")
        assert query is not None  # noqa: S101 (whoever reads the request has seen to it)
        if (known := self._known.get(query)) is not None:
            return known
        if self._only_known:
            raise _refused(Code.PERSISTED_QUERY_NOT_FOUND, "only operations that the shop knows are executed")
        return self._prepare(query)

    def _prepare_document(self, query: str, *, is_known: bool = False) -> _Prepared:
        try:
            document = self._parsed(query)
            operations = self._measured(document, is_known=is_known)
        except RequestRefused as refusal:
            return _Prepared({}, refusal.with_traceback(None))
        errors = validate(
            self._schema,
            document,
            self._rules,
            max_errors=MAX_VALIDATION_ERRORS,
            hide_suggestions=not self._introspection,
        )
        if errors:
            return _Prepared({}, RequestRefused(Code.GRAPHQL_VALIDATION_FAILED, errors, of_operation=True))
        return _Prepared(operations)

    def _parsed(self, query: str) -> DocumentNode:
        try:
            return parse(query, max_tokens=self._limits.tokens)
        except GraphQLSyntaxError as error:
            raise RequestRefused(Code.GRAPHQL_PARSE_FAILED, [error], of_operation=True) from None
        except RecursionError:
            message = GraphQLError("the document is nested too deeply")
            raise RequestRefused(Code.GRAPHQL_PARSE_FAILED, [message], of_operation=True) from None

    def _measured(self, document: DocumentNode, *, is_known: bool) -> dict[str | None, Operation]:
        measure = Measure(self._schema, document, self._limits)
        fragments = Fragments.of(document)
        found: dict[str | None, Operation] = {}
        for node in document.definitions:
            if isinstance(node, OperationDefinitionNode):
                cost, sizes = measure.operation(node)
                if not sizes and cost.fixed > self._limits.cost:
                    raise too_expensive(cost.fixed, self._limits.cost)
                name = node.name.value if node.name else None
                is_query = node.operation is OperationType.QUERY
                executor = OperationExecutor(self._schema, node, fragments, hide_suggestions=not self._introspection)
                found[name] = Operation(executor, name, is_query, cost, sizes, is_known)
        measure.unused_fragments()
        return found


class UnusableDocuments(Exception):
    """Some of the shop's own documents cannot be executed. `refusals` are by their texts."""

    def __init__(self, refusals: Mapping[str, RequestRefused]) -> None:
        super().__init__(f"{len(refusals)} documents")
        self.refusals = refusals


def _refused(code: Code, message: str) -> RequestRefused:
    return RequestRefused(code, [message], of_operation=True)
