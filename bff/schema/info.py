"""What Strawberry hands to resolvers, typed, and what can be read from it."""

from typing import TypeAlias

import strawberry
from strawberry.types.nodes import FragmentSpread, InlineFragment, SelectedField, Selection

from bff.resolvers.context import Context, Path

Info: TypeAlias = strawberry.Info[Context, None]


def path_of(info: Info) -> Path:
    """Where the answer of this field stands."""
    path: Path = info.path.as_list()
    return path


def selected(info: Info) -> frozenset[str]:
    """Names of the fields asked of this field's value, through fragments; `@skip` and `@include` are not weighed."""
    names: set[str] = set()
    todo: list[Selection] = [selection for field in info.selected_fields for selection in field.selections]
    while todo:
        selection = todo.pop()
        match selection:
            case SelectedField():
                names.add(selection.name)
            case FragmentSpread() | InlineFragment():
                todo.extend(selection.selections)
    return frozenset(names)
