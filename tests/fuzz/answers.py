"""What an answer must be like, by the schema and the operation: GraphQL's own response format, checked from outside."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLEnumType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLOutputType,
    GraphQLSchema,
    InlineFragmentNode,
    SelectionSetNode,
    VariableNode,
    get_operation_ast,
    is_abstract_type,
    is_composite_type,
)

from tests.fuzz.replies import CODES

Answer = Mapping[str, Any]
Path = tuple[str | int, ...]
Asked = dict[str, list[FieldNode]]
"""Fields by the name that they have in the answer."""

NUMBER = re.compile(r"-?\d+(\.\d+)?", re.ASCII)


def _is_date(value: Any) -> bool:
    return isinstance(value, str) and len(value) == 10 and date.fromisoformat(value).isoformat() == value


def _is_instant(value: Any) -> bool:
    return isinstance(value, str) and datetime.fromisoformat(value).utcoffset() is not None


SCALARS: Mapping[str, Callable[[Any], bool]] = {
    "Int": lambda value: type(value) is int and -(2**31) <= value < 2**31,
    "Float": lambda value: type(value) in {int, float},
    "Boolean": lambda value: type(value) is bool,
    "String": lambda value: type(value) is str,
    "ID": lambda value: type(value) is str,
    "Date": _is_date,
    "DateTime": _is_instant,
    "Decimal": lambda value: type(value) is str and NUMBER.fullmatch(value) is not None,
    "CurrencyCode": lambda value: type(value) is str and re.fullmatch("[A-Z]{3}", value) is not None,
}
"""How each scalar of the schema is written. One that is not here is a fault: the schema has grown, so must this."""


def faults(schema: GraphQLSchema, document: DocumentNode, answer: Any, variables: Mapping[str, Any]) -> list[str]:
    """
    What is wrong with the answer to the document's only operation; empty where nothing is.

    It is a map of `data` and `errors`, one of them at least; each error has a text, a known code and, where it has a
    path, one that leads to a null in `data` or to a value that is there; `data` has what was asked for, in that order,
    and nothing else.
    """
    if not isinstance(answer, dict) or not answer or not answer.keys() <= {"data", "errors"}:
        return [f"the answer is not a map of data and errors: {answer!r}"]
    found = [*_faults_of_errors(answer)]
    if "data" not in answer:
        return found if "errors" in answer else [*found, "neither data nor errors"]
    operation = get_operation_ast(document)
    assert operation is not None
    root = schema.get_root_type(operation.operation)
    assert root is not None
    if answer["data"] is None:
        # A null came up to the root, and somebody said why.
        return found if "errors" in answer else [*found, "data is null, and there is no error"]
    checker = _Checker(schema, document, variables)
    return [*found, *checker.check_object(root, [operation.selection_set], answer["data"], ("data",))]


def _faults_of_errors(answer: Answer) -> Iterator[str]:
    if "errors" not in answer:
        return
    errors = answer["errors"]
    if not isinstance(errors, list) or not errors:
        yield f"errors is not a list of some: {errors!r}"
        return
    for error in errors:
        if not isinstance(error, dict) or not error.keys() <= {"message", "locations", "path", "extensions"}:
            yield f"not an error: {error!r}"
            continue
        if not isinstance(error.get("message"), str) or not error["message"]:
            yield f"an error without a message: {error!r}"
        extensions = error.get("extensions")
        code = extensions.get("code") if isinstance(extensions, dict) else None
        if code not in CODES:
            yield f"an error with the code {code!r}: {error!r}"
        if ("data" in answer) is not ("path" in error):
            yield f"an error of the execution has a path, one of the request has none: {error!r}"
        if "path" in error and not _leads_somewhere(answer.get("data"), error["path"]):
            yield f"the path of an error leads nowhere: {error!r}"


def _leads_somewhere(data: Any, path: Any) -> bool:
    if not isinstance(path, list) or not path:
        return False
    for step in path:
        if data is None:
            return True
        try:
            data = data[step]
        except (KeyError, IndexError, TypeError):
            return False
    return True


@dataclass(frozen=True, slots=True)
class _Checker:
    """Walks `data` beside the document."""

    schema: GraphQLSchema
    document: DocumentNode
    variables: Mapping[str, Any]

    def check_object(
        self, type_: GraphQLObjectType, selections: Iterable[SelectionSetNode], value: Any, path: Path
    ) -> list[str]:
        """What is wrong with an object of that very type."""
        where = ".".join(map(str, path))
        if not isinstance(value, dict):
            return [f"{where}: {value!r} is no {type_.name}"]
        asked: Asked = {}
        for selection in selections:
            self._collect(type_, selection, asked)
        if list(value) != list(asked):
            return [f"{where}: {list(asked)} was asked for, in that order, and {list(value)} came"]
        found: list[str] = []
        for key, fields in asked.items():
            name = fields[0].name.value
            if name == "__typename":
                found += [] if value[key] == type_.name else [f"{where}.{key}: {value[key]!r} instead of {type_.name}"]
            else:
                found += self._check(type_.fields[name].type, fields, value[key], (*path, key))
        return found

    def _check(self, type_: GraphQLOutputType, fields: list[FieldNode], value: Any, path: Path) -> list[str]:
        where = ".".join(map(str, path))
        if isinstance(type_, GraphQLNonNull):
            return (
                [f"{where}: null where it may not be"]
                if value is None
                else self._check(type_.of_type, fields, value, path)
            )
        if value is None:
            return []
        if isinstance(type_, GraphQLList):
            if not isinstance(value, list):
                return [f"{where}: {value!r} is no list"]
            items = (self._check(type_.of_type, fields, item, (*path, place)) for place, item in enumerate(value))
            return [fault for item in items for fault in item]
        if is_composite_type(type_):
            selections = [field.selection_set for field in fields if field.selection_set]
            candidates = [type_] if isinstance(type_, GraphQLObjectType) else self.schema.get_possible_types(type_)
            # Its type may not have been asked for: then the answer must fit one that it may have.
            return min((self.check_object(one, selections, value, path) for one in candidates), key=len)
        return [] if _is_leaf(type_, value) else [f"{where}: {value!r} is no {type_}"]

    def _collect(
        self, type_: GraphQLObjectType, selections: SelectionSetNode, asked: dict[str, list[FieldNode]]
    ) -> None:
        for node in selections.selections:
            if not self._is_included(node):
                continue
            if isinstance(node, FieldNode):
                asked.setdefault((node.alias or node.name).value, []).append(node)
                continue
            fragment = self._fragment(node)
            condition = fragment.type_condition
            if condition is None or self._is_a(type_, condition.name.value):
                self._collect(type_, fragment.selection_set, asked)

    def _fragment(self, node: Any) -> InlineFragmentNode | FragmentDefinitionNode:
        if isinstance(node, InlineFragmentNode):
            return node
        assert isinstance(node, FragmentSpreadNode)
        return next(
            each
            for each in self.document.definitions
            if isinstance(each, FragmentDefinitionNode) and each.name.value == node.name.value
        )

    def _is_a(self, type_: GraphQLObjectType, name: str) -> bool:
        condition = self.schema.type_map[name]
        return condition is type_ or (is_abstract_type(condition) and self.schema.is_sub_type(condition, type_))

    def _is_included(self, node: Any) -> bool:
        for directive in node.directives or ():
            condition: Any = directive.arguments[0].value
            said = self.variables[condition.name.value] if isinstance(condition, VariableNode) else condition.value
            if said is (directive.name.value == "skip"):
                return False
        return True


def _is_leaf(type_: Any, value: Any) -> bool:
    if isinstance(type_, GraphQLEnumType):
        return isinstance(value, str) and value in type_.values
    try:
        return SCALARS[type_.name](value)
    except ValueError:
        return False
