"""What Strawberry hands to resolvers, typed, and what can be read from it."""

from collections.abc import Iterator, Mapping
from typing import TypeAlias

import strawberry
from graphql import FieldNode, FragmentDefinitionNode, FragmentSpreadNode, InlineFragmentNode

from bff.resolvers.context import Context, Path

Info: TypeAlias = strawberry.Info[Context, None]


def path_of(info: Info) -> Path:
    """Where the answer of this field stands."""
    path: Path = info.path.as_list()
    return path


def selected(info: Info, *path: str) -> frozenset[str]:
    """
    Names of the fields asked of this field's value, or of what stands at `path` below it.

    Fragments are looked through; `@skip` and `@include` are not weighed.
    """
    # graphql-core's own nodes: Strawberry's `selected_fields` converts every argument and directive below the field.
    raw = info._raw_info  # noqa: SLF001
    nodes = [below for field in raw.field_nodes for below in _fields(field, raw.fragments)]
    for name in path:
        nodes = [below for node in nodes if node.name.value == name for below in _fields(node, raw.fragments)]
    return frozenset(node.name.value for node in nodes)


def _fields(
    node: FieldNode | InlineFragmentNode | FragmentDefinitionNode, fragments: Mapping[str, FragmentDefinitionNode]
) -> Iterator[FieldNode]:
    for selection in node.selection_set.selections if node.selection_set else ():
        if isinstance(selection, FieldNode):
            yield selection
        elif isinstance(selection, FragmentSpreadNode):
            yield from _fields(fragments[selection.name.value], fragments)
        elif isinstance(selection, InlineFragmentNode):
            yield from _fields(selection, fragments)
