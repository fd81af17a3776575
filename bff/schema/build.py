"""All types put together."""

from functools import cache

import strawberry
from graphql import GraphQLSchema, lexicographic_sort_schema, print_schema
from strawberry.schema.config import StrawberryConfig

from bff.schema.order import Order
from bff.schema.query import Query
from bff.schema.scalars import SCALARS


@cache
def graphql_schema() -> GraphQLSchema:
    """The executable schema; made once a process."""
    schema = strawberry.Schema(query=Query, types=[Order], config=StrawberryConfig(scalar_map=SCALARS))
    # Strawberry defines the types; parsing, validation and execution are graphql-core's own, without Strawberry's
    # extensions in between. It has no public name for the graphql-core schema that it made.
    return schema._schema  # noqa: SLF001


def sdl() -> str:
    """The contract as text, sorted: what `schema.graphql` holds."""
    return print_schema(lexicographic_sort_schema(graphql_schema())) + "\n"
