"""All types put together."""

from functools import cache

import strawberry
from graphql import GraphQLInputObjectType, GraphQLSchema, lexicographic_sort_schema, print_schema
from strawberry.schema.config import StrawberryConfig

from bff.schema.fields import shorten_resolvers
from bff.schema.mutation import Mutation
from bff.schema.order import Order
from bff.schema.query import Query
from bff.schema.scalars import SCALARS
from bff.schema.session import ContactInput

ONE_OF = (ContactInput,)
"""Inputs of which exactly one field is given."""


@cache
def graphql_schema() -> GraphQLSchema:
    """The executable schema; made once a process."""
    schema = strawberry.Schema(
        query=Query, mutation=Mutation, types=[Order], config=StrawberryConfig(scalar_map=SCALARS)
    )
    _declare_one_of(schema._schema)  # noqa: SLF001
    shorten_resolvers(schema._schema)  # noqa: SLF001
    # Strawberry defines the types; parsing, validation and execution are graphql-core's own, without Strawberry's
    # extensions in between. It has no public name for the graphql-core schema that it made.
    return schema._schema  # noqa: SLF001


def _declare_one_of(schema: GraphQLSchema) -> None:
    """Strawberry checks `one_of` in an extension of its own, which is not run; graphql-core checks what is declared."""
    for each in ONE_OF:
        declared = schema.type_map[each.__name__]
        assert isinstance(declared, GraphQLInputObjectType)  # noqa: S101 (they are inputs)
        declared.is_one_of = True


def sdl() -> str:
    """The contract as text, sorted: what `schema.graphql` holds."""
    return print_schema(lexicographic_sort_schema(graphql_schema())) + "\n"
