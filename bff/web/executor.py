"""
graphql-core's executor, prepared once for an operation.

What is the same for every request of an operation (which fields it asks of which type, and which of them are plain
attributes) is found out once. A request gets a shallow copy with its own variables, context and errors.
"""

from asyncio import CancelledError, ensure_future, gather
from collections.abc import Awaitable, Coroutine, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Self

from graphql import (
    DirectiveNode,
    DocumentNode,
    ExecutionResult,
    Executor,
    FragmentDefinitionNode,
    GraphQLError,
    GraphQLIncludeDirective,
    GraphQLObjectType,
    GraphQLOutputType,
    GraphQLResolveInfo,
    GraphQLSchema,
    GraphQLSkipDirective,
    OperationDefinitionNode,
    OperationType,
    TypeNameMetaFieldDef,
    Undefined,
    VariableNode,
    Visitor,
    default_field_resolver,
    default_type_resolver,
    get_variable_values,
    is_leaf_type,
    is_list_type,
    is_non_null_type,
    is_object_type,
    visit,
)
from graphql.execution.collect_fields import (
    FieldDetailsList,
    FragmentDetails,
    collect_fields,
    collect_subfields,
)
from graphql.execution.executor import SELECTIONS_NESTED_TOO_DEEPLY, CollectedErrors
from graphql.execution.values import VariableValues
from graphql.pyutils import AwaitableOrValue, Path

from bff.schema.fields import Attribute, class_of
from bff.web.plain import Complete, Selection, composed, leaf, listed

MAX_VARIABLE_ERRORS = 50
"""graphql-core's own default."""


@dataclass(frozen=True, slots=True)
class _Known:
    """What has been found out about an operation. Keys have the identity of field details: selections keep these."""

    selections: dict[tuple[GraphQLObjectType, int], Selection] = field(default_factory=dict)
    completions: dict[int, Complete] = field(default_factory=dict)
    """How to complete what is awaited, where that is plain."""


@dataclass(frozen=True, slots=True)
class Fragments:
    """A document's fragments by name, in the library's two forms; one for all of its operations."""

    definitions: dict[str, FragmentDefinitionNode]
    details: dict[str, FragmentDetails]

    @classmethod
    def of(cls, document: DocumentNode) -> Self:
        """Find them."""
        found = {each.name.value: each for each in document.definitions if isinstance(each, FragmentDefinitionNode)}
        return cls(found, {name: FragmentDetails(fragment) for name, fragment in found.items()})


class OperationExecutor(Executor[None]):
    """Executes one operation of a valid document, time and again."""

    def __init__(
        self,
        schema: GraphQLSchema,
        operation: OperationDefinitionNode,
        fragments: Fragments,
        *,
        hide_suggestions: bool = False,
    ) -> None:
        super().__init__(
            schema,
            fragments.definitions,
            fragments.details,
            None,
            None,
            operation,
            VariableValues({}, {}),
            default_field_resolver,
            default_type_resolver,
            default_field_resolver,
            hide_suggestions=hide_suggestions,
        )
        self._root = schema.get_root_type(operation.operation)
        self._conditions: frozenset[str] | None = None
        self._decided: list[Any] | None = None
        self._known = _Known()

    def run(self, context: object, variables: dict[str, Any]) -> AwaitableOrValue[ExecutionResult]:
        """Execute it for one request."""
        request = object.__new__(type(self))
        # A copy shares what resolvers are given to wait for others: bound to the executor itself, these functions
        # would keep it, and all the answer, until a garbage collection.
        request.__dict__.update(self.__dict__)
        request.context_value = context
        request.collected_errors = CollectedErrors()
        if self.operation.variable_definitions:
            values = get_variable_values(
                self.schema,
                self.operation.variable_definitions,
                variables,
                max_errors=MAX_VARIABLE_ERRORS,
                hide_suggestions=self.hide_suggestions,
            )
            if isinstance(values, list):
                return ExecutionResult(None, errors=values)
            request.variable_values = values
        request._known = self._known_for(request.variable_values)
        return request.execute_operation()

    def execute_operation(self, serially: bool | None = None) -> AwaitableOrValue[ExecutionResult]:
        """As the library does, but without collecting fields anew."""
        try:
            data = self._execute_root(serially)
        except GraphQLError as error:
            self.collected_errors.add(error, None)
            return self._response(None)
        return self._response(data) if isinstance(data, dict) else self._finished(data)

    def collect_and_execute_subfields(
        self,
        return_type: GraphQLObjectType,
        field_details_list: FieldDetailsList,
        path: Path,
        result: Any,
        position_context: None,
    ) -> AwaitableOrValue[dict[str, Any]]:
        """As the library does, but without collecting fields anew."""
        return self._execute(return_type, result, path, self._selection(return_type, field_details_list))

    def complete_awaitable_value(  # noqa: PLR0917 (so the library calls it)
        self,
        return_type: GraphQLOutputType,
        field_details_list: FieldDetailsList,
        info: GraphQLResolveInfo[Any],
        path: Path,
        result: Any,
        position_context: None,
    ) -> Coroutine[Any, Any, Any]:
        """As the library does; but what is plain, down to the leaves, is completed as such."""
        complete = self._known.completions.get(id(field_details_list))
        if complete is None:
            return super().complete_awaitable_value(
                return_type, field_details_list, info, path, result, position_context
            )
        return self._completed(complete, result, field_details_list, info)

    def with_abort_signal(self, awaitable: Awaitable[Any]) -> Awaitable[Any]:  # type: ignore[override]
        """There is no such signal: a coroutine around each resolver would only wait for it."""
        return awaitable

    def get_stream_usage(self, field_details_list: FieldDetailsList, path: Path) -> None:
        """There is no @stream in the schema, and no valid document has it."""

    def _execute_root(self, serially: bool | None) -> AwaitableOrValue[dict[str, Any]]:
        kind = self._root
        if kind is None:
            raise GraphQLError(
                f"Schema is not configured to execute {self.operation.operation.value} operation.", self.operation
            )
        try:
            selection = self._selection(kind, None)
        except RecursionError:
            selection = None
        # Not in the block above: as the context of this error, that one would keep all the frames of the recursion.
        if selection is None:
            raise GraphQLError(SELECTIONS_NESTED_TOO_DEEPLY, self.operation)
        if self.operation.operation is OperationType.MUTATION if serially is None else serially:
            return self.execute_fields_serially(kind, None, None, selection.fields, None)
        return self._execute(kind, None, None, selection)

    async def _completed(
        self, complete: Complete, result: Awaitable[Any], details: FieldDetailsList, info: GraphQLResolveInfo[Any]
    ) -> Any:
        try:
            value = await result
            # Whatever goes wrong here: the library runs into the same, below.
            with suppress(Exception):
                return complete(value)
            completed = self.complete_value(info.return_type, details, info, info.path, value, None)
            return await completed if self.is_awaitable(completed) else completed
        except Exception as error:  # noqa: BLE001 (as the library does: the answer tells of it)
            self.handle_field_error(error, info.return_type, details, info.path)
            return None

    async def _finished(self, awaitable: Awaitable[dict[str, Any]]) -> ExecutionResult:
        try:
            data = await awaitable
        except GraphQLError as error:
            self.collected_errors.add(error, None)
            return self._response(None)
        return self._response(data)

    def _response(self, data: dict[str, Any] | None) -> ExecutionResult:
        return ExecutionResult(data, self.collected_errors.errors or None)

    def _execute(
        self, kind: GraphQLObjectType, source: Any, path: Path | None, selection: Selection
    ) -> AwaitableOrValue[dict[str, Any]]:
        """Execute a selection: what is plain at once, and the rest as the library does."""
        if len(selection.rest) == len(selection.fields):
            return self._rest(kind, source, path, selection)
        try:
            answer = selection.read(source)
        except Exception:  # noqa: BLE001 (whatever it is: the library runs into the same, and knows what to do with it)
            answer = None
        if answer is None:
            return self.execute_fields(kind, source, path, selection.fields, None)
        if not selection.rest:
            return answer
        rest = self._rest(kind, source, path, selection)
        if not isinstance(rest, dict):
            return _joined(answer, rest)
        answer.update(rest)
        return answer

    def _rest(
        self, kind: GraphQLObjectType, source: Any, path: Path | None, selection: Selection
    ) -> AwaitableOrValue[dict[str, Any]]:
        """As the library does; but where fields fail alone, with one task less, and no future around them all."""
        if not selection.fail_alone:
            return self.execute_fields(kind, source, path, selection.rest, None)
        results: dict[str, Any] = {}
        waiting: list[str] = []
        for name, details in selection.rest.items():
            result = self.execute_field(kind, source, details, Path(path, name, kind.name), None)
            if result is not Undefined:
                results[name] = result
                if self.is_awaitable(result):
                    waiting.append(name)
        return _awaited(results, waiting) if waiting else results

    def _known_for(self, variables: VariableValues) -> "_Known":
        """What is known of the operation, for the conditions of this request: it is kept for the last ones."""
        if self._conditions is None:
            self._conditions = conditions_of(self.operation, *self.fragment_definitions.values())
        decided = [variables.coerced.get(name, Undefined) for name in self._conditions]
        if decided != self._decided:
            self._decided, self._known = decided, _Known()
        return self._known

    def _selection(self, kind: GraphQLObjectType, asked: FieldDetailsList | None) -> Selection:
        key = (kind, id(asked))
        known = self._known.selections.get(key)
        if known is None:
            known = self._known.selections[key] = self._select(kind, asked)
        return known

    def _select(self, kind: GraphQLObjectType, asked: FieldDetailsList | None) -> Selection:
        given = (self.schema, self.fragments, self.variable_values)
        if asked is None:
            found = collect_fields(*given, kind, self.operation, self.hide_suggestions)
        else:
            found = collect_subfields(*given, self.operation, kind, asked, self.hide_suggestions)
        selection = Selection(asked, found.grouped_field_set, {}, [], {})
        for name, details in found.grouped_field_set.items():
            field = self.schema.get_field(kind, details[0].node.name.value)
            if field is None:
                continue
            selection.blank[name] = kind.name if field is TypeNameMetaFieldDef else None
            if field is TypeNameMetaFieldDef:
                continue
            resolve = field.resolve
            complete = self._completing(field.type, details)
            if isinstance(resolve, Attribute) and complete is not None:
                selection.plain.append((name, resolve.name, complete))
                continue
            selection.rest[name] = details
            if is_non_null_type(field.type):
                selection.fail_alone = False
            if complete is not None:
                self._known.completions[id(details)] = complete
        return selection

    def _completing(self, kind: GraphQLOutputType, details: FieldDetailsList) -> Complete | None:
        """How to complete a value of that type without the library; None where it takes the library."""
        nullable = not is_non_null_type(kind)
        if is_non_null_type(kind):
            kind = kind.of_type
        if is_leaf_type(kind):
            return leaf(kind, nullable=nullable)
        if is_list_type(kind):
            each = self._completing(kind.of_type, details)
            return None if each is None else listed(each, nullable=nullable)
        if not is_object_type(kind):
            return None
        of = class_of(kind)
        if of is None:
            return None
        try:
            selection = self._selection(kind, details)
        except (GraphQLError, RecursionError):
            # A condition that is null: the library says so when it comes to this field.
            return None
        return None if selection.rest else composed(of, selection, nullable=nullable)


def conditions_of(*nodes: OperationDefinitionNode | FragmentDefinitionNode) -> frozenset[str]:
    """The variables by which @skip and @include decide what is asked."""
    conditions = _Conditions()
    for node in nodes:
        visit(node, conditions)
    return frozenset(conditions.names)


class _Conditions(Visitor):
    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()

    def enter_directive(self, node: DirectiveNode, *_: object) -> None:
        if node.name.value in {GraphQLSkipDirective.name, GraphQLIncludeDirective.name}:
            values = (argument.value for argument in node.arguments or ())
            self.names.update(value.name.value for value in values if isinstance(value, VariableNode))


async def _awaited(results: dict[str, Any], waiting: Sequence[str]) -> dict[str, Any]:
    """Put in place what is awaited: the first in this very task, the others side by side."""
    first, *others = waiting
    tasks = [ensure_future(results[name]) for name in others]
    try:
        results[first] = await results[first]
        for name, task in zip(others, tasks, strict=True):
            results[name] = await task
    except (Exception, CancelledError):
        for task in tasks:
            task.cancel()
        await gather(*tasks, return_exceptions=True)
        raise
    return results


async def _joined(answer: dict[str, Any], rest: Awaitable[dict[str, Any]]) -> dict[str, Any]:
    answer.update(await rest)
    return answer
