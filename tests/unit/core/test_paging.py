"""Pages of a list: whole, in order, and no cursor that a client makes up breaks them."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bff.errors import BadUserInput
from bff.resolvers.paging import MAX_PAGE, Page, page


def cut(items: list[str], first: int = 2, after: str | None = None) -> Page[str]:
    return page(items, first=first, after=after, key=str)


def walk(items: list[str], first: int) -> list[str]:
    """Every item, as a client gets them page by page."""
    found: list[str] = []
    after = None
    for _ in range(len(items) + 1):
        got = cut(items, first, after)
        found += [item for _, item in got.items]
        if not got.has_next:
            return found
        after = got.items[-1][0]
    raise AssertionError("the pages have no end")


def test_a_first_page() -> None:
    got = cut(["a", "b", "c"])
    assert [item for _, item in got.items] == ["a", "b"]
    assert (got.total, got.has_previous, got.has_next) == (3, False, True)


def test_a_last_page() -> None:
    got = cut(["a", "b", "c"], after=cut(["a", "b", "c"]).items[-1][0])
    assert [item for _, item in got.items] == ["c"]
    assert (got.total, got.has_previous, got.has_next) == (3, True, False)


def test_nothing_is_a_page_too() -> None:
    assert cut([]) == Page(items=(), total=0, has_previous=False, has_next=False)
    assert cut(["a"], first=0) == Page(items=(), total=1, has_previous=False, has_next=True)


def test_new_items_on_top_move_nothing() -> None:
    after = cut(["a", "b", "c", "d"]).items[-1][0]
    assert [item for _, item in cut(["new", "a", "b", "c", "d"], after=after).items] == ["c", "d"]


def test_where_the_item_is_gone_its_old_place_is_the_next_best() -> None:
    after = cut(["a", "b", "c", "d"]).items[-1][0]
    assert [item for _, item in cut(["a", "c", "d"], after=after).items] == ["c", "d"]
    assert cut([], after=after).items == ()


@given(st.lists(st.sampled_from("abc"), max_size=12), st.integers(1, 5))
def test_page_by_page_gives_every_item_once_even_where_ids_come_twice(items: list[str], first: int) -> None:
    assert walk(items, first) == items


@pytest.mark.parametrize("first", [-1, -2_147_483_648, MAX_PAGE + 1, 2_147_483_647])
def test_a_size_out_of_range_is_bad_input(first: int) -> None:
    with pytest.raises(BadUserInput, match="between 0 and 100"):
        cut(["a"], first=first)


def packed(text: bytes) -> str:
    return base64.urlsafe_b64encode(text).decode()


@pytest.mark.parametrize(
    "after",
    [
        "x",
        "%%%",
        "ж",
        "\ud800",
        packed(b"a"),
        packed(b":a"),
        packed(b"-1:a"),
        packed(b"1e3:a"),
        packed("٣:a".encode()),
        packed(b"1234567890:a"),
        packed(b"0:\xff"),
        "A" * 100_000,
    ],
    ids=range(12),
)
def test_a_cursor_that_is_not_ours_is_bad_input(after: str) -> None:
    with pytest.raises(BadUserInput, match="after is not a cursor of this list"):
        cut(["a"], after=after)


@given(st.binary(max_size=40))
def test_whatever_a_client_makes_up_is_a_page_or_bad_input(raw: bytes) -> None:
    try:
        got = cut(["a", "b", "c"], after=packed(raw))
    except BadUserInput:
        return
    assert got.total == 3
