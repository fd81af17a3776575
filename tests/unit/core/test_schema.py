"""The contract: everything is described, and the core is there with these very types."""

from collections.abc import Iterator

import pytest
from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLObjectType,
    build_schema,
    is_introspection_type,
    is_specified_scalar_type,
)
from graphql.utilities import find_breaking_changes

from bff import domain
from bff.schema import graphql_schema, sdl

CORE = """
scalar DateTime
scalar Date
scalar Decimal
scalar CurrencyCode

type Query { dashboard: Dashboard!  node(id: ID!): Node }

interface Node { id: ID! }
interface Section { asOf: DateTime!  stale: Boolean! }

type Dashboard {
  profile: Profile
  lastOrder: Order
  bonuses: BonusAccount
  favorites(first: Int! = 12, after: String): FavoriteConnection
  offers(first: Int! = 12, after: String): OfferConnection
}

type Profile implements Section {
  firstName: String  lastName: String  middleName: String  displayName: String!
  phone: String  email: String  birthDate: Date
  asOf: DateTime!  stale: Boolean!
}

enum OrderStatus { NEW CONFIRMED ASSEMBLING SHIPPED READY_FOR_PICKUP DELIVERED CANCELLED RETURNED UNKNOWN }

type Order implements Node & Section {
  id: ID!  number: String!  placedAt: DateTime!
  status: OrderStatus!  statusLabel: String!  stages: [OrderStage!]!
  total: Money!  lines: [OrderLine!]!
  asOf: DateTime!  stale: Boolean!
}
type OrderStage { name: String!  reachedAt: DateTime }
type OrderLine { product: Product  name: String!  quantity: Decimal!  price: Money!  total: Money! }
type Product { id: ID!  name: String!  url: String  imageUrl: String  price: Money  available: Boolean }

type BonusAccount implements Section {
  balance: Decimal!
  pending: Decimal!
  expirations: [BonusExpiration!]!
  tier: Tier
  asOf: DateTime!  stale: Boolean!
}
type BonusExpiration { amount: Decimal!  expiresOn: Date! }
type Tier { name: String!  nextName: String  remainingToNext: Money }

enum OfferKind { PROMOTION PERSONAL COUPON }
type Offer { id: ID!  kind: OfferKind!  title: String!  description: String  imageUrl: String  url: String
             promoCode: String  startsOn: Date  endsOn: Date }
type Money { amount: Decimal!  currency: CurrencyCode! }

type PageInfo { hasNextPage: Boolean!  hasPreviousPage: Boolean!  startCursor: String  endCursor: String }
type FavoriteEdge { cursor: String!  node: Product! }
type FavoriteConnection implements Section {
  edges: [FavoriteEdge!]!  nodes: [Product!]!  pageInfo: PageInfo!  totalCount: Int!
  asOf: DateTime!  stale: Boolean!
}
type OfferEdge { cursor: String!  node: Offer! }
type OfferConnection implements Section {
  edges: [OfferEdge!]!  nodes: [Offer!]!  pageInfo: PageInfo!  totalCount: Int!
  asOf: DateTime!  stale: Boolean!
}
"""
"""What /design/schema.md fixes: it may be added to, and nothing of it may change."""


def described() -> Iterator[tuple[str, str | None]]:
    """Names of all that is ours, with their descriptions."""
    schema = graphql_schema()
    for name, kind in schema.type_map.items():
        if is_introspection_type(kind) or is_specified_scalar_type(kind):
            continue
        yield name, kind.description
        if isinstance(kind, GraphQLEnumType):
            for value, enum_value in kind.values.items():
                yield f"{name}.{value}", enum_value.description
        elif isinstance(kind, GraphQLInputObjectType):
            for field, input_field in kind.fields.items():
                yield f"{name}.{field}", input_field.description
        elif isinstance(kind, GraphQLObjectType | GraphQLInterfaceType):
            for field, output in kind.fields.items():
                yield f"{name}.{field}", output.description
                for argument, taken in output.args.items():
                    yield f"{name}.{field}({argument}:)", taken.description


def test_every_type_field_argument_and_enum_value_is_described() -> None:
    found = dict(described())
    assert len(found) > 80
    assert [name for name, text in found.items() if not (text or "").strip()] == []


def test_the_core_is_there_with_these_very_types() -> None:
    changes = find_breaking_changes(build_schema(CORE), graphql_schema())
    assert [change.description for change in changes] == []


def test_no_type_of_the_core_has_become_laxer_or_stricter() -> None:
    core, ours = build_schema(CORE), graphql_schema()
    for name, expected in core.type_map.items():
        if is_introspection_type(expected) or not isinstance(expected, GraphQLObjectType | GraphQLInterfaceType):
            continue
        actual = ours.type_map[name]
        assert isinstance(actual, type(expected)), name
        for field, wanted in expected.fields.items():
            got = actual.fields[field]
            assert str(got.type) == str(wanted.type), f"{name}.{field}"
            assert {arg: str(taken.type) for arg, taken in got.args.items()} == {
                arg: str(taken.type) for arg, taken in wanted.args.items()
            }, f"{name}.{field}"


@pytest.mark.parametrize(
    ("name", "ours"), [("OrderStatus", domain.OrderStatus), ("OfferKind", domain.OfferKind)]
)  # fmt: skip
def test_enums_have_the_names_of_the_domain(name: str, ours: type[domain.OrderStatus] | type[domain.OfferKind]) -> None:
    kind = graphql_schema().type_map[name]
    assert isinstance(kind, GraphQLEnumType)
    assert set(kind.values) == {member.name for member in ours} == {member.value for member in ours}


def test_every_section_of_the_main_screen_may_fail_alone() -> None:
    dashboard = graphql_schema().type_map["Dashboard"]
    assert isinstance(dashboard, GraphQLObjectType)
    assert [name for name, field in dashboard.fields.items() if str(field.type).endswith("!")] == []


def test_the_text_of_the_contract_is_sorted_and_is_the_schema() -> None:
    text = sdl()
    assert text.endswith("\n")
    assert find_breaking_changes(build_schema(text), graphql_schema()) == []
    names = [line.split()[1] for line in text.splitlines() if line.startswith(("type ", "enum ", "interface "))]
    assert names == sorted(names)
    assert sdl() == text


def test_no_back_offices_word_is_in_the_contract() -> None:
    text = sdl().lower()
    for word in ("ref_key", "контрагент", "1c", "retailcrm", "zeep", "soap", "customerid", "bff"):
        assert word not in text, word
