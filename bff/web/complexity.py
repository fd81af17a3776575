"""
What a document asks for: how deep, how often, how much. Measured once a document, before it is validated.

A document is looked at as it would be executed: fragments count wherever they are spread, and fields of one name at
one place are one field. So what validation would have to compare with each other is known before it does.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    GraphQLField,
    GraphQLInterfaceType,
    GraphQLNamedType,
    GraphQLObjectType,
    GraphQLSchema,
    InlineFragmentNode,
    IntValueNode,
    ListValueNode,
    Node,
    ObjectValueNode,
    OperationDefinitionNode,
    SelectionSetNode,
    ValueNode,
    VariableNode,
    get_named_type,
    get_nullable_type,
    is_list_type,
)

from bff.errors import Code
from bff.resolvers.paging import MAX_PAGE
from bff.web.limits import LimitSettings
from bff.web.refusal import RequestRefused

PAGE_ARGUMENT: Final = "first"
"""Says how long a list is: the field's own, or those of a connection right below it."""

ASSUMED_ITEMS: Final = 10
"""How long a list is taken to be that nobody gave a length."""

INTROSPECTION_DEPTH: Final = 20
"""Enough for GraphiQL's own query, which goes down 9 `ofType`. Circles are graphql-core's to refuse."""

SELECTIONS_A_TOKEN: Final = 5
"""How much larger than its text a document may become when its fragments are spread."""

PAIRS_A_TOKEN: Final = 2
"""How often, for its text, a document may name a field again where it has been named: validation compares each two."""


@dataclass(frozen=True, slots=True)
class PageSize:
    """A variable that says how long a page is."""

    variable: str
    default: int

    def at(self, variables: Mapping[str, Any]) -> int:
        """Its value. Raises `RequestRefused` outside 0…100; what is no whole number is the schema's to refuse."""
        value = variables.get(self.variable, self.default)
        if not isinstance(value, int) or isinstance(value, bool):
            return 0
        if not 0 <= value <= MAX_PAGE:
            raise _bad_page()
        return value


@dataclass(frozen=True, slots=True)
class Cost:
    """How many fields the largest answer has: `fixed`, and a cost for each item of pages that variables size."""

    fixed: int = 0
    by_size: tuple[tuple[PageSize, "Cost"], ...] = ()

    def at(self, variables: Mapping[str, Any]) -> int:
        """The number for these variables. Raises `RequestRefused` as `PageSize` does."""
        return self.fixed + sum(size.at(variables) * each.at(variables) for size, each in self.by_size)

    def plus(self, other: "Cost") -> "Cost":
        """Both."""
        return Cost(self.fixed + other.fixed, self.by_size + other.by_size)

    def times(self, size: "int | PageSize") -> "Cost":
        """It, for each item of a list."""
        if isinstance(size, PageSize):
            return Cost(0, ((size, self),))
        return Cost(self.fixed * size, tuple((each, cost.times(size)) for each, cost in self.by_size))


_Group = list[tuple[FieldNode, GraphQLField | None]]
_Part = tuple[SelectionSetNode, GraphQLNamedType | None]


class Measure:
    """Walks through one document. What it holds is bounded by its limits, whatever the document says."""

    def __init__(self, schema: GraphQLSchema, document: DocumentNode, limits: LimitSettings) -> None:
        self._schema = schema
        self._limits = limits
        self._fragments = {
            node.name.value: node for node in document.definitions if isinstance(node, FragmentDefinitionNode)
        }
        self._spread: set[str] = set()
        self._selections = limits.tokens * SELECTIONS_A_TOKEN
        self._pairs = limits.tokens * PAIRS_A_TOKEN
        self._aliases = 0
        self._directives = 0
        self._sizes: set[PageSize] = set()
        self._defaults: dict[str, ValueNode | None] = {}

    def operation(self, node: OperationDefinitionNode) -> tuple[Cost, frozenset[PageSize]]:
        """
        What an operation costs, and the variables that size its pages.

        Raises `RequestRefused` where it goes beyond a limit, but for the cost.
        """
        self._aliases = 0
        self._sizes = set()
        self._directives = len(node.directives or ())
        self._defaults = {}
        for definition in node.variable_definitions or ():
            self._directives += len(definition.directives or ())
            self._defaults[definition.variable.name.value] = definition.default_value
            if definition.default_value is not None:
                self._lists_of(definition.default_value)
        root = self._schema.get_root_type(node.operation)
        groups = self._collected([(node.selection_set, root)])
        if len(groups) > self._limits.root_fields:
            raise _too_complex(f"the operation has more than {self._limits.root_fields} root fields", node)
        cost = self._cost(groups, 1, self._limits.depth, None)
        return cost, frozenset(self._sizes)

    def unused_fragments(self) -> None:
        """Look at the fragments that no operation spreads: validation reads them, too."""
        for name, fragment in self._fragments.items():
            if name not in self._spread:
                groups = self._collected([(fragment.selection_set, self._type(fragment))])
                self._cost(groups, 1, self._limits.depth, None)

    def _cost(self, groups: Mapping[str, _Group], depth: int, deepest: int, page: "int | PageSize | None") -> Cost:
        """What the fields of one place cost. `page` is how long lists are right below a connection."""
        total = Cost()
        for name, fields in groups.items():
            node, definition = fields[0]
            if depth > deepest:
                raise RequestRefused(
                    Code.QUERY_TOO_DEEP,
                    [_at(f"the operation is deeper than {deepest} fields", node)],
                    of_operation=True,
                )
            cost = Cost(len(fields))
            size = self._page_size(fields)
            below: list[_Part] = [
                (each.selection_set, get_named_type(of.type) if of else None)
                for each, of in fields
                if each.selection_set is not None
            ]
            if below:
                is_list = definition is not None and is_list_type(get_nullable_type(definition.type))
                introspects = name.startswith("__") or node.name.value.startswith("__")
                inner = self._cost(
                    self._collected(below),
                    depth + 1,
                    max(deepest, INTROSPECTION_DEPTH) if introspects else deepest,
                    None if is_list else size,
                )
                if is_list:
                    items = size if size is not None else page
                    inner = inner.times(ASSUMED_ITEMS if items is None else items)
                cost = cost.plus(inner)
            total = total.plus(cost)
        return total

    def _collected(self, parts: list[_Part]) -> dict[str, _Group]:
        """Fields by the name that they have in the answer, through fragments, as execution collects them."""
        groups: dict[str, _Group] = {}
        seen: set[str] = set()
        stack = [(selections, parent, 1) for selections, parent in reversed(parts)]
        while stack:
            selections, parent, nested = stack.pop()
            if nested > self._limits.depth:
                message = f"fragments are nested deeper than {self._limits.depth}"
                raise RequestRefused(Code.QUERY_TOO_DEEP, [_at(message, selections)], of_operation=True)
            for node in selections.selections:
                self._count(node)
                if isinstance(node, FieldNode):
                    group = groups.setdefault((node.alias or node.name).value, [])
                    self._pair(len(group), node)
                    group.append((node, _definition(parent, node.name.value)))
                elif isinstance(node, InlineFragmentNode):
                    of = self._type(node) if node.type_condition else parent
                    stack.append((node.selection_set, of, nested + 1))
                elif isinstance(node, FragmentSpreadNode) and node.name.value not in seen:
                    self._pair(len(seen), node)
                    seen.add(node.name.value)
                    if (fragment := self._fragments.get(node.name.value)) is not None:
                        self._spread.add(node.name.value)
                        self._directives += len(fragment.directives or ())
                        stack.append((fragment.selection_set, self._type(fragment), nested + 1))
        return groups

    def _count(self, node: Node) -> None:
        self._selections -= 1
        if self._selections < 0:
            raise _too_complex("the document is too large when its fragments are spread", node)
        directives = getattr(node, "directives", None)
        if directives:
            self._directives += len(directives)
        if self._directives > self._limits.directives:
            raise _too_complex(f"the operation has more than {self._limits.directives} directives", node)
        if isinstance(node, FieldNode):
            if node.alias is not None:
                self._aliases += 1
                if self._aliases > self._limits.aliases:
                    raise _too_complex(f"the operation has more than {self._limits.aliases} aliases", node)
            for argument in node.arguments or ():
                self._lists_of(argument.value)

    def _pair(self, number: int, node: Node) -> None:
        self._pairs -= number
        if self._pairs < 0:
            raise _too_complex("the document names the same fields too often", node)

    def _page_size(self, fields: _Group) -> "int | PageSize | None":
        """How long the page is that a field asks for; None where it has no such argument."""
        for node, definition in fields:
            known = definition.args.get(PAGE_ARGUMENT) if definition is not None else None
            if known is not None:
                unsaid = known.default_value if isinstance(known.default_value, int) else ASSUMED_ITEMS
                given = next((each.value for each in node.arguments or () if each.name.value == PAGE_ARGUMENT), None)
                return self._given_size(given, unsaid)
        return None

    def _given_size(self, given: ValueNode | None, unsaid: int) -> "int | PageSize":
        if given is None:
            return unsaid
        if isinstance(given, VariableNode):
            name = given.name.value
            default = self._defaults.get(name)
            size = PageSize(name, _page(default) if isinstance(default, IntValueNode) else unsaid)
            self._sizes.add(size)
            return size
        return _page(given) if isinstance(given, IntValueNode) else 0

    def _lists_of(self, value: ValueNode) -> None:
        """Look for lists that are too long in a literal."""
        if isinstance(value, ListValueNode):
            if len(value.values) > self._limits.list_items:
                raise _long_list(self._limits.list_items)
            for each in value.values:
                self._lists_of(each)
        elif isinstance(value, ObjectValueNode):
            for field in value.fields:
                self._lists_of(field.value)

    def _type(self, node: FragmentDefinitionNode | InlineFragmentNode) -> GraphQLNamedType | None:
        return self._schema.get_type(node.type_condition.name.value) if node.type_condition else None


def refuse_long_lists(value: Any, limit: int) -> None:
    """Raise `RequestRefused` where a list in variables, at any depth, has more items than that."""
    if isinstance(value, list):
        if len(value) > limit:
            raise _long_list(limit)
        for each in value:
            refuse_long_lists(each, limit)
    elif isinstance(value, dict):
        for each in value.values():
            refuse_long_lists(each, limit)


def too_expensive(cost: int, limit: int) -> RequestRefused:
    """The refusal of an operation whose answer could be too large."""
    return _too_complex(f"the operation costs {cost}, and {limit} is the most; ask for shorter pages or less of each")


def _definition(parent: GraphQLNamedType | None, name: str) -> GraphQLField | None:
    return parent.fields.get(name) if isinstance(parent, GraphQLObjectType | GraphQLInterfaceType) else None


def _page(value: IntValueNode) -> int:
    # Long before it is a number: one of 60,000 digits takes its time.
    size = int(value.value) if len(value.value) <= 10 else -1
    if not 0 <= size <= MAX_PAGE:
        raise _bad_page()
    return size


def _bad_page() -> RequestRefused:
    message = f"{PAGE_ARGUMENT} must be between 0 and {MAX_PAGE}"
    return RequestRefused(Code.BAD_USER_INPUT, [message], of_operation=True)


def _long_list(limit: int) -> RequestRefused:
    message = f"a list has more than {limit} items"
    return RequestRefused(Code.BAD_USER_INPUT, [message], of_operation=True)


def _too_complex(message: str, node: Node | None = None) -> RequestRefused:
    return RequestRefused(Code.QUERY_TOO_COMPLEX, [_at(message, node)], of_operation=True)


def _at(message: str, node: Node | None) -> GraphQLError:
    return GraphQLError(message, node)
