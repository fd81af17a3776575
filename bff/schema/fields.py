"""How fields get their values: what Strawberry puts around a resolver is left out where nothing needs it."""

from collections.abc import Callable
from types import FunctionType
from typing import Any, Final

from graphql import (
    GraphQLEnumType,
    GraphQLField,
    GraphQLFieldResolver,
    GraphQLObjectType,
    GraphQLResolveInfo,
    GraphQLSchema,
)
from strawberry import ID, Info
from strawberry.types.base import StrawberryObjectDefinition, StrawberryOptional
from strawberry.types.enum import StrawberryEnumDefinition
from strawberry.types.field import StrawberryField
from strawberry.types.fields.resolver import StrawberryResolver

_DEFINITION = "strawberry-definition"
"""By this name graphql-core's types and fields know what Strawberry made them of."""

_AS_THEY_COME: Final = (int, float, str, bool, ID)
"""Types of arguments that Strawberry hands on as they are."""


class Attribute:
    """Resolves a field that is nothing but an attribute of its object. Who executes it may read that by itself."""

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name

    def __call__(self, source: Any, _info: GraphQLResolveInfo[Any]) -> Any:
        """As graphql-core calls resolvers."""
        return getattr(source, self.name)


def class_of(kind: GraphQLObjectType | GraphQLEnumType) -> type | None:
    """The class whose objects a type shows; None where that is not known, or the type has its own say in it."""
    made_of = kind.extensions.get(_DEFINITION)
    if isinstance(made_of, StrawberryEnumDefinition):
        return made_of.wrapped_cls
    # Strawberry's own `is_type_of`, which types with interfaces have, takes every object of this class; none is cast.
    if isinstance(made_of, StrawberryObjectDefinition) and not made_of.is_type_of:
        return made_of.origin
    return None


def shorten_resolvers(schema: GraphQLSchema) -> None:
    """
    Put the function itself in place of Strawberry's wrappers around it.

    They are for extensions, permissions and conversions of arguments, three coroutines deep: what has none of these
    needs no wrapper. Exceptions are not Strawberry's to handle here, either: see `graphql_schema`.
    """
    for kind in schema.type_map.values():
        if isinstance(kind, GraphQLObjectType) and _DEFINITION in kind.extensions:
            for field in kind.fields.values():
                _shorten(field)


def _shorten(field: GraphQLField) -> None:
    made_of = field.extensions[_DEFINITION]
    assert isinstance(made_of, StrawberryField)  # noqa: S101 (all fields of such a type are)
    resolver = made_of.base_resolver
    if made_of.extensions:
        return
    if resolver is None:
        field.resolve = Attribute(made_of.python_name)
    elif isinstance(resolver.wrapped_func, FunctionType) and _takes_what_comes(field, resolver):
        assert resolver.info_parameter  # noqa: S101 (it has one)
        field.resolve = _called(resolver.wrapped_func, resolver.info_parameter.name, made_of)


def _takes_what_comes(field: GraphQLField, resolver: StrawberryResolver[Any]) -> bool:
    """Whether a function takes its object, `info`, and arguments just as graphql-core gives them."""
    given = {argument.python_name: argument.type for argument in resolver.arguments}
    return (
        bool(resolver.self_parameter and resolver.info_parameter)
        and len(resolver.signature.parameters) == 2 + len(given)
        and given.keys() == field.args.keys()
        and all(
            (kind.of_type if isinstance(kind, StrawberryOptional) else kind) in _AS_THEY_COME for kind in given.values()
        )
    )


def _called(function: Callable[..., Any], info_name: str, field: StrawberryField) -> GraphQLFieldResolver:
    return lambda source, info, **given: function(source, **{info_name: Info(_raw_info=info, _field=field)}, **given)
