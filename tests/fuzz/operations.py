"""
Operations to ask with: those of hypothesis-graphql, dressed as front ends write them.

It generates fields and literal arguments. Aliases, variables, fragments and directives are put on here, and ids and
cursors that exist, so that more comes back than NOT_FOUND.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

from graphql import (
    DocumentNode,
    FieldNode,
    GraphQLArgument,
    GraphQLInputObjectType,
    GraphQLNamedType,
    GraphQLSchema,
    InlineFragmentNode,
    ObjectValueNode,
    OperationDefinitionNode,
    SelectionSetNode,
    ValueNode,
    get_named_type,
    is_composite_type,
    parse_value,
    print_ast,
    value_from_ast_untyped,
)
from hypothesis import strategies as st
from hypothesis_graphql import Mode, mutations, queries

CONTACTS = ('"+7 999 123-45-67"', '"8 (999) 765-43-21"', '"anna@example.ru"', '"+1 900 555 0100"', '"\\u0000"')
"""What may stand where one of several texts is wanted: so far, that is a phone or a mailbox."""


@dataclass(frozen=True, slots=True)
class Operation:
    """What is sent: a document with one operation, and its variables."""

    query: str
    variables: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Known:
    """What exists, to be asked for: ids, of whoever's objects, and cursors."""

    ids: Sequence[str]
    cursors: Sequence[str]


def kinds(schema: GraphQLSchema) -> list[str]:
    """Which kinds of operations there are: queries, and mutations once the schema has some."""
    return ["query", *(["mutation"] if schema.mutation_type else [])]


def valid(
    schema: GraphQLSchema, kind: str, known: Known, *, without: Collection[str] = ()
) -> st.SearchStrategy[Operation]:
    """Operations of that kind that the schema allows, without some fields of the root."""
    root = schema.query_type if kind == "query" else schema.mutation_type
    assert root is not None
    fields = tuple(name for name in root.fields if name not in without)
    make = queries if kind == "query" else mutations
    made = make(schema, fields=fields, print_ast=lambda document: document)
    # One draw an operation: a draw for each decision takes several times as long as all the rest.
    return st.builds(
        lambda document, random: _Dresser(schema, known, random).dress(document),
        made,
        st.randoms(use_true_random=True),
    )


def invalid(schema: GraphQLSchema, kind: str) -> st.SearchStrategy[Operation]:
    """Operations that go against the schema in one place."""
    return st.builds(Operation, (queries if kind == "query" else mutations)(schema, mode=Mode.NEGATIVE))


@dataclass(slots=True)
class _Dresser:
    """Writes one document anew, and says the same in more ways."""

    schema: GraphQLSchema
    known: Known
    random: Random
    variables: dict[str, Any] = field(default_factory=dict)
    declared: list[str] = field(default_factory=list)
    fragments: list[str] = field(default_factory=list)
    aliases: int = 0

    def dress(self, document: DocumentNode) -> Operation:
        [operation] = document.definitions
        assert isinstance(operation, OperationDefinitionNode)
        root = self.schema.get_root_type(operation.operation)
        assert root is not None
        body = self._selections(root, operation.selection_set)
        name = "Fuzz" if self._now_and_then(0.5) else ""
        declared = f"({', '.join(self.declared)})" if self.declared else ""
        return Operation(
            "\n".join([f"{operation.operation.value} {name}{declared} {body}", *self.fragments]), self.variables
        )

    def _now_and_then(self, share: float) -> bool:
        return self.random.random() < share

    def _selections(self, type_: GraphQLNamedType, selections: SelectionSetNode) -> str:
        parts = []
        for node in selections.selections:
            if isinstance(node, FieldNode):
                parts.append(self._field(type_, node))
                if self._now_and_then(0.05):
                    parts.append(self._field(type_, node, anew=True))
            else:
                assert isinstance(node, InlineFragmentNode)
                assert node.type_condition is not None
                condition = self.schema.type_map[node.type_condition.name.value]
                inside = self._selections(condition, node.selection_set)
                parts.append(f"... on {condition.name}{self._directive()} {inside}")
        if self._now_and_then(0.1):
            parts.append("__typename")
        inside = "{ " + " ".join(parts) + " }"
        wrapping = self.random.random()
        if wrapping < 0.08:
            name = f"Part{len(self.fragments)}"
            self.fragments.append(f"fragment {name} on {type_.name} {inside}")
            return f"{{ ...{name}{self._directive()} }}"
        if wrapping < 0.16:
            condition_or_none = f" on {type_.name}" if self._now_and_then(0.5) else ""
            return f"{{ ...{condition_or_none}{self._directive()} {inside} }}"
        return inside

    def _field(self, type_: GraphQLNamedType, node: FieldNode, *, anew: bool = False) -> str:
        fields: Any = type_
        definition = fields.fields[node.name.value]
        alias = f"{node.alias.value}: " if node.alias else ""
        if anew or (not alias and self._now_and_then(0.1)):
            self.aliases += 1
            alias = f"again{self.aliases}: "
        said = [
            f"{argument.name.value}: {self._argument(definition.args[argument.name.value], argument)}"
            for argument in node.arguments or ()
        ]
        arguments = f"({', '.join(said)})" if said else ""
        named = get_named_type(definition.type)
        inside = (
            f" {self._selections(named, node.selection_set)}" if is_composite_type(named) and node.selection_set else ""
        )
        return f"{alias}{node.name.value}{arguments}{self._directive()}{inside}"

    def _argument(self, argument: GraphQLArgument, node: Any) -> str:
        text = self._value(get_named_type(argument.type), node.value)
        kind, name = get_named_type(argument.type).name, node.name.value
        if kind == "ID" and self._now_and_then(0.8):
            text = f'"{self.random.choice(self.known.ids)}"'
        elif kind == "Int" and self._now_and_then(0.7):
            text = str(self.random.randrange(21))
        elif name in {"after", "before"} and self._now_and_then(0.7):
            text = self.random.choice(["null", *(f'"{cursor}"' for cursor in self.known.cursors)])
        if not self._now_and_then(0.3):
            return text
        return self._variable(str(argument.type), value_from_ast_untyped(parse_value(text)))

    def _value(self, type_: GraphQLNamedType, node: ValueNode) -> str:
        """A literal as it is, but that hypothesis-graphql knows nothing of `@oneOf`."""
        if not isinstance(type_, GraphQLInputObjectType) or not isinstance(node, ObjectValueNode):
            return print_ast(node)
        values = {
            each.name.value: self._value(get_named_type(type_.fields[each.name.value].type), each.value)
            for each in node.fields
        }
        if type_.is_one_of:
            said = {name: value for name, value in values.items() if value != "null"}
            name = self.random.choice([*(said or type_.fields)])
            values = {name: said.get(name, '"said"')}
            if self._now_and_then(0.5):
                values[name] = self.random.choice(CONTACTS)
        return "{ " + ", ".join(f"{name}: {value}" for name, value in values.items()) + " }"

    def _variable(self, type_: str, value: Any) -> str:
        name = f"v{len(self.declared)}"
        self.declared.append(f"${name}: {type_}")
        self.variables[name] = value
        return f"${name}"

    def _directive(self) -> str:
        if not self._now_and_then(0.06):
            return ""
        name, condition = self.random.choice(["include", "skip"]), self._now_and_then(0.5)
        said = self._variable("Boolean!", condition) if self._now_and_then(0.5) else str(condition).lower()
        return f" @{name}(if: {said})"
