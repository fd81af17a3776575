"""A value from a back office, and how fresh it is."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, TypeVar

V_co = TypeVar("V_co", covariant=True)


@dataclass(frozen=True, slots=True)
class Answer(Generic[V_co]):
    """A value as it was at `as_of`; `stale` where the back office could not be asked again since it went old."""

    value: V_co
    as_of: datetime
    stale: bool = False


def freshness(parts: Iterable[Answer[object]]) -> tuple[datetime, bool]:
    """`as_of` and `stale` of something put together from parts: as old as the oldest, stale if any is."""
    parts = tuple(parts)
    return min(part.as_of for part in parts), any(part.stale for part in parts)
