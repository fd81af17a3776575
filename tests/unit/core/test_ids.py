"""Global ids and cursors: what we gave comes back, and anything else is refused."""

import base64

import pytest

from bff.errors import NotFound
from bff.schema.ids import global_id, local_id


def packed(text: bytes) -> str:
    return base64.urlsafe_b64encode(text).decode()


@pytest.mark.parametrize("own", ["o-1", "a/b:c", "00-ББ-000123", "?>~" * 10, "x" * 200])
def test_an_id_comes_back_as_it_was(own: str) -> None:
    made = global_id("Order", own)
    assert own not in made
    assert local_id(made, "Order") == own


@pytest.mark.parametrize(
    "value",
    [
        "",
        "o-1",
        "T",
        "====",
        "%%%%",
        "заказ",
        "\ud800",
        "T3JkZXI6MQ",
        "T3Jk\nZXI6MQ==",
        packed(b"Order"),
        packed(b"Order:"),
        packed(b":1"),
        packed(b"order:1"),
        packed(b"Product:1"),
        packed(b"Order :1"),
        packed(b"Order:\xff"),
        packed(b"Order:1\x00"),
        packed(b"Order:1\n"),
        packed("Order:1\u202e".encode()),
        packed(b"Order:" + b"x" * 201),
        "A" * 1_000_000,
    ],
    ids=range(21),
)
def test_what_is_no_id_of_ours_is_not_found(value: str) -> None:
    with pytest.raises(NotFound, match=r"^there is no such object$"):
        local_id(value, "Order")
