"""Pages of a list, as Relay's connections want them."""

import base64
import binascii
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from bff.errors import BadUserInput

MAX_PAGE = 100

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Some items of a list, each with the cursor that the next page may start after."""

    items: tuple[tuple[str, T], ...]
    total: int
    has_previous: bool
    has_next: bool


def page(items: Sequence[T], *, first: int, after: str | None, key: Callable[[T], str]) -> Page[T]:
    """
    Cut a page out of a whole list. Raises `BadUserInput` for a size outside 0…100 or a cursor that is not ours.

    A cursor names the item that it stands behind, so new items on top move nothing; where that item is gone, its old
    place in the list is the next best.
    """
    if not 0 <= first <= MAX_PAGE:
        raise BadUserInput(f"first must be between 0 and {MAX_PAGE}")
    start = 0
    if after is not None:
        place, name = _read_cursor(after)
        keys = [key(item) for item in items]
        if place < len(keys) and keys[place] == name:
            # Looked at first: where a back office sends an id twice, the first of them would start the page anew.
            start = place + 1
        else:
            start = keys.index(name) + 1 if name in keys else min(place, len(items))
    chosen = items[start : start + first]
    return Page(
        items=tuple((_cursor(start + index, key(item)), item) for index, item in enumerate(chosen)),
        total=len(items),
        has_previous=start > 0,
        has_next=start + first < len(items),
    )


def _cursor(place: int, name: str) -> str:
    return base64.urlsafe_b64encode(f"{place}:{name}".encode()).decode()


def _read_cursor(cursor: str) -> tuple[int, str]:
    bad = BadUserInput("after is not a cursor of this list")
    try:
        place, separator, name = base64.b64decode(cursor, altchars=b"-_", validate=True).decode().partition(":")
    except (ValueError, binascii.Error):
        raise bad from None
    if not separator or not place.isascii() or not place.isdigit() or len(place) > 9:
        raise bad
    return int(place), name
