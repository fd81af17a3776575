"""A schema of boxes, and boxes in which something is not as the schema says."""

import asyncio
from collections.abc import AsyncIterator, Callable, Generator, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any

import strawberry
from graphql import GraphQLSchema
from strawberry.schema.config import StrawberryConfig

from bff.schema.scalars import SCALARS


@dataclass
class Diary:
    """The context: what was done, in its order."""

    did: list[str] = field(default_factory=list)


Info = strawberry.Info[Diary, None]


@strawberry.enum
class Colour(Enum):
    RED = "red"
    BLUE = "blue"
    GREEN = strawberry.enum_value("green", name="VERT")


@strawberry.type
class Coin:
    amount: Decimal
    side: str | None = None


class OldCoin(Coin):
    """Not exactly a coin."""


@strawberry.type
class Box:
    """Plain, and a box may be in a box."""

    label: str
    size: int = 1
    weight: float | None = 1.5
    fresh: bool = True
    id: strawberry.ID = strawberry.ID("b")
    made_on: date = date(2026, 11, 22)
    colour: Colour = Colour.BLUE
    coin: Coin = field(default_factory=lambda: Coin(amount=Decimal("1.50")))
    spare: Coin | None = None
    coins: list[Coin] = field(default_factory=list)
    grid: list[list[int | None]] | None = None
    inner: "Box | None" = None

    @strawberry.field
    async def slow(self, info: Info) -> str:
        info.context.did.append(f"slow {self.size}")
        await asyncio.sleep(0)
        return f"slow {self.size}"

    @strawberry.field
    async def never(self) -> str:
        await asyncio.Event().wait()
        return "never"

    @strawberry.field
    def quick(self, info: Info) -> str:
        info.context.did.append(f"quick {self.label}")
        return f"quick {info.path.key}"

    @strawberry.field
    async def broken(self, info: Info) -> str:
        await asyncio.sleep(0)
        raise ValueError(f"broken {self.label}")

    @strawberry.field
    async def fragile(self, info: Info) -> str | None:
        raise ValueError(f"fragile {self.label}")


@strawberry.interface
class Thing:
    name: str


@strawberry.type
class Stone(Thing):
    weight: int


@strawberry.type
class Leaf(Thing):
    made_at: datetime


@strawberry.input(one_of=True)
class Key:
    number: int | None = strawberry.UNSET
    word: str | None = strawberry.UNSET


def _anything(value: Any) -> Any:
    return value


class Later:
    """Something to wait for, as a coroutine; but it may be left alone."""

    def __init__(self, value: object) -> None:
        self.value = value

    def __await__(self) -> Generator[Any, None, Any]:
        yield from asyncio.sleep(0).__await__()
        return self.value


def _some() -> Iterator[Coin]:
    yield Coin(amount=Decimal(1))
    yield Coin(amount=Decimal(2))


async def _in_time() -> AsyncIterator[Coin]:
    for coin in _some():
        yield coin


def odd(kind: str) -> Box:
    """A box in which something is not as the schema says, or not as it mostly is."""
    box = Box(label=kind, coins=[Coin(amount=Decimal(3), side="head"), Coin(amount=Decimal(4))])
    changes: dict[str, Callable[[], dict[str, Any]]] = {
        "null": lambda: {"size": None},
        "null coin": lambda: {"coin": None},
        "nan": lambda: {"coin": Coin(amount=Decimal("NaN"))},
        "nan below": lambda: {"coins": [Coin(amount=Decimal(1)), Coin(amount=Decimal("NaN"))]},
        "null below": lambda: {"coins": [Coin(amount=Decimal(1)), None]},
        "text for a number": lambda: {"size": "many"},
        "number for text": lambda: {"label": 5},
        "huge": lambda: {"size": 2**70},
        "awaited leaf": lambda: {"label": Later("late")},
        "awaited object": lambda: {"coin": Later(Coin(amount=Decimal(7)))},
        "awaited items": lambda: {"coins": [Later(Coin(amount=Decimal(7))), Later(None)]},
        "error": lambda: {"coin": KeyError("no coin")},
        "nullable error": lambda: {"spare": KeyError("no coin"), "weight": KeyError("no weight")},
        "errors below": lambda: {
            "coins": [Coin(amount=_anything(KeyError("a"))), Coin(amount=_anything(KeyError("b")))]
        },
        "generator": lambda: {"coins": _some()},
        "async generator": lambda: {"coins": _in_time()},
        "tuple": lambda: {"coins": tuple(_some())},
        "no list": lambda: {"coins": 5},
        "other class": lambda: {"coin": OldCoin(amount=Decimal(5), side="tail")},
        "mapping": lambda: {"coin": {"amount": Decimal(5)}},
        "wrong enum": lambda: {"colour": "no colour"},
        "enum's value": lambda: {"colour": "green"},
        "named value": lambda: {"colour": Colour.GREEN},
        "grid": lambda: {"grid": [[1, None], [3]]},
        "null in grid": lambda: {"grid": [[1], None]},
        "callable": lambda: {"label": str},
        "deep": lambda: {"inner": Box(label="one", inner=Box(label="two", size=_anything(None)))},
        "fine": lambda: {"inner": Box(label="one", spare=Coin(amount=Decimal(9)), inner=Box(label="two"))},
    }
    for name, value in changes[kind]().items():
        setattr(box, name, value)
    return box


ODD = (
    "null", "null coin", "nan", "nan below", "null below", "text for a number", "number for text", "huge",
    "awaited leaf", "awaited object", "awaited items", "error", "nullable error", "errors below", "generator",
    "async generator", "tuple", "no list", "other class", "mapping", "wrong enum", "enum's value", "named value",
    "grid", "null in grid", "callable", "deep", "fine",
)  # fmt: skip


@strawberry.type
class Query:
    @strawberry.field
    async def box(self, info: Info, label: str = "a") -> Box | None:
        info.context.did.append(f"box {label}")
        return Box(label=label, coins=[*_some()], inner=Box(label="inner"))

    @strawberry.field
    async def sure(self, info: Info) -> Box:
        return Box(label="sure")

    @strawberry.field
    def boxes(self, info: Info, many: int = 3, labels: list[str] | None = None) -> list[Box]:
        return [Box(label=label) for label in labels or [f"b{n}" for n in range(many)]]

    @strawberry.field
    async def odd(self, info: Info, kind: str) -> Box | None:
        return odd(kind)

    @strawberry.field
    async def odds(self, info: Info, kinds: list[str]) -> list[Box | None]:
        return [odd(kind) for kind in kinds]

    @strawberry.field
    async def thing(self, info: Info, name: str) -> Thing | None:
        await asyncio.sleep(0)
        if name == "stone":
            return Stone(name="s", weight=5)
        return Leaf(name="l", made_at=datetime(2026, 11, 22, tzinfo=UTC)) if name == "leaf" else Thing(name="t")

    @strawberry.field
    async def things(self, info: Info) -> list[Thing]:
        return [Stone(name="s", weight=5), Leaf(name="l", made_at=datetime(2026, 11, 22, 1))]  # noqa: DTZ001

    @strawberry.field
    async def by(self, info: Info, key: Key) -> str:
        return f"{key.number} {key.word}"


@strawberry.type
class Mutation:
    @strawberry.mutation
    async def write(self, info: Info, what: Annotated[str, strawberry.argument(name="what")]) -> Box:
        info.context.did.append(f"begin {what}")
        await asyncio.sleep(0)
        info.context.did.append(f"end {what}")
        if what == "wrong":
            raise ValueError(what)
        return Box(label=what)


def schema_of(*types: type) -> GraphQLSchema:
    made = strawberry.Schema(
        query=Query,
        mutation=Mutation,
        types=[Stone, Leaf, *types],
        config=StrawberryConfig(scalar_map=SCALARS),
    )._schema
    made.type_map["Key"].is_one_of = True  # type: ignore[attr-defined]
    return made
