"""Frozen objects made the quick way are what their dataclass makes."""

import copy
import pickle
from dataclasses import FrozenInstanceError, dataclass, field, fields, replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from bff.domain import CurrencyCode, Money, Offer, Order, OrderLine, OrderStage, Product, Profile
from bff.mapping.making import maker

PRICE = Money(Decimal("1.50"), CurrencyCode("RUB"))
STAGE = {"name": "Собран", "reached_at": datetime(2026, 11, 21, 10, 42, tzinfo=UTC)}


@pytest.mark.parametrize("cls", [Money, Profile, Order, OrderLine, OrderStage, Product, Offer])
def test_every_shape_s_object_comes_out_the_same(cls: type[Any]) -> None:
    values: dict[str, Any] = {field.name: f"its {field.name}" for field in fields(cls)}
    if cls is Money:
        values = {"amount": Decimal("1.50"), "currency": "RUB"}
    made, usual = maker(cls)(**values), cls(**values)
    assert type(made) is cls
    assert (made, repr(made), hash(made)) == (usual, repr(usual), hash(usual))
    assert pickle.loads(pickle.dumps(made)) == copy.deepcopy(made) == replace(made) == usual  # noqa: S301 - our own
    assert msgspec.json.encode(made) == msgspec.json.encode(usual)
    name = fields(cls)[0].name
    with pytest.raises(FrozenInstanceError):
        setattr(made, name, "another")
    with pytest.raises(FrozenInstanceError):
        delattr(made, name)
    with pytest.raises((AttributeError, TypeError)):
        made.unheard_of = 1


def test_defaults_and_what_is_missing() -> None:
    assert maker(OrderStage)(name="Собран") == OrderStage(name="Собран")
    with pytest.raises(TypeError):
        maker(OrderStage)()  # type: ignore[call-arg]
    with pytest.raises(TypeError):
        maker(OrderStage)(name="Собран", unheard_of=1)  # type: ignore[call-arg]


def test_each_is_an_object_of_its_own() -> None:
    make = maker(OrderStage)
    assert make(**STAGE) is not make(**STAGE)  # type: ignore[arg-type]
    assert maker(OrderLine)(name="Чайник", quantity=Decimal(1), price=PRICE, total=PRICE).price is PRICE


def test_what_it_cannot_make_is_refused_at_start() -> None:
    @dataclass(frozen=True, slots=True)
    class Listed:
        things: list[str] = field(default_factory=list)

    with pytest.raises(TypeError, match="Listed"):
        maker(Listed)
