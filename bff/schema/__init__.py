"""The GraphQL contract: Strawberry types, one file a section; `build` puts them together."""

from bff.schema.build import graphql_schema, sdl

__all__ = ["graphql_schema", "sdl"]
