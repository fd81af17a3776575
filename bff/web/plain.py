"""
Plain values: attributes of our own objects, down to the leaves, that are read without the library's ceremony.

What is read so needs no resolver, no `info` and no path, and cannot fail: whatever is not as it should be is a
`Surprise`, and then graphql-core does the same once more, and says what is wrong in its own words.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import Enum
from functools import lru_cache
from typing import Any, Final, TypeAlias, cast

from graphql import GraphQLBoolean, GraphQLEnumType, GraphQLID, GraphQLLeafType, GraphQLString, Undefined
from graphql.execution.collect_fields import FieldDetailsList

from bff.schema.fields import class_of

Complete: TypeAlias = Callable[[Any], Any]
"""From what an attribute holds, or a resolver gives, to what the answer says. Raises `Surprise`, or anything else."""

_PLAIN: Final = frozenset({str, int, bool, float, Decimal, date, datetime})
"""Types of values that are neither awaitable nor errors."""

_AS_THEY_ARE: Final[Mapping[GraphQLLeafType, type]] = {GraphQLString: str, GraphQLID: str, GraphQLBoolean: bool}


class Surprise(Exception):
    """This is for graphql-core to look at."""


@dataclass(slots=True)
class Selection:
    """The fields that are asked of one type in one place of a document."""

    asked: FieldDetailsList | None
    """Where they were collected from: selections are found by its identity, so it has to live as long."""
    fields: dict[str, FieldDetailsList]
    blank: dict[str, Any]
    """The answer before anything is known: only names, in their order, and what is the same for every object."""
    plain: list[tuple[str, str, Complete]]
    """Name, attribute, and how to complete it."""
    rest: dict[str, FieldDetailsList]
    """What graphql-core has to do."""
    fail_alone: bool = True
    """Whether each field of the rest may be null: then none's error ends the others."""

    def read(self, source: object) -> dict[str, Any]:
        """The plain part of the answer. Raises anything."""
        answer = self.blank.copy()
        for name, attribute, complete in self.plain:
            answer[name] = complete(getattr(source, attribute))
        return answer


@lru_cache(maxsize=256)
def leaf(kind: GraphQLLeafType, *, nullable: bool) -> Complete:
    """How to complete a scalar or an enum."""
    as_it_is = _AS_THEY_ARE.get(kind)
    enum: Mapping[Any, str] = {}
    of_enum = class_of(kind) if isinstance(kind, GraphQLEnumType) else None
    if of_enum is not None:
        # Strawberry looks through all of its values for one.
        enum = {value: kind.coerce_output_value(value) for value in cast("type[Enum]", of_enum)}

    def complete(value: Any) -> Any:
        if type(value) is as_it_is or (value is None and nullable):
            return value
        if type(value) is of_enum:
            return enum[value]
        if type(value) not in _PLAIN:
            raise Surprise
        completed = kind.coerce_output_value(value)
        if completed is None or completed is Undefined:
            raise Surprise
        return completed

    return complete


def listed(each: Complete, *, nullable: bool) -> Complete:
    """How to complete a list."""

    def complete(value: Any) -> list[Any] | None:
        if type(value) is list or type(value) is tuple:
            return [each(item) for item in value]
        if value is None and nullable:
            return None
        raise Surprise

    return complete


def composed(of: type, selection: Selection, *, nullable: bool) -> Complete:
    """How to complete an object of exactly that class, all of whose selected fields are plain."""
    read = selection.read

    def complete(value: Any) -> dict[str, Any] | None:
        if type(value) is of:
            return read(value)
        if value is None and nullable:
            return None
        raise Surprise

    return complete
