"""What Strawberry hands to resolvers, typed, and what can be read from it."""

from collections.abc import Iterator
from typing import TypeAlias

import strawberry
from strawberry.types.nodes import FragmentSpread, InlineFragment, SelectedField, Selection

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
    fields = [selection for field in info.selected_fields for selection in _fields(field.selections)]
    for name in path:
        fields = [below for field in fields if field.name == name for below in _fields(field.selections)]
    return frozenset(field.name for field in fields)


def _fields(selections: list[Selection]) -> Iterator[SelectedField]:
    for selection in selections:
        match selection:
            case SelectedField():
                yield selection
            case FragmentSpread() | InlineFragment():
                yield from _fields(selection.selections)
