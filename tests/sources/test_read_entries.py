"""What is kept of a read, and whose it must be: errors, entries that are another's, drops, what cannot be kept."""

import asyncio
from collections.abc import Sequence
from typing import Any

import msgspec
import pytest
from structlog.testing import capture_logs

from bff.domain import BonusAccount, CustomerId, PendingBonuses, Profile
from bff.errors import (
    AdapterBroken,
    Unavailable,
)
from bff.sources import EVERYBODY, Answer
from bff.sources.tier import Entry
from tests.fakes.back_offices import NOW, offers, product, profile, rub
from tests.sources.cached_desk import (
    ANNA,
    VERA,
    Desk,
    aged,
    named,
)
from tests.sources.virtual_time import in_virtual_time, turns


@in_virtual_time
async def test_errors_are_never_kept() -> None:
    desk = Desk(profiles={"c-1": Unavailable("away"), "c-2": profile("c-2")})
    await desk.get("c-1", "c-2", "c-3")
    assert len(desk.tier) == 1
    await desk.get("c-1", "c-2", "c-3")
    assert desk.office.asked("profiles")[1:] == [["c-1", "c-3"]]


@in_virtual_time
async def test_that_there_is_nothing_is_kept_like_anything_else() -> None:
    desk = Desk(latest_orders={"c-1": None}, bonus_accounts={"c-1": None})
    for name in ("latest_orders", "bonus_accounts"):
        first = await desk.get("c-1", name=name)
        assert first == await desk.get("c-1", name=name) == {"c-1": Answer(None, NOW)}
        assert desk.asked(name) == 1


@in_virtual_time
async def test_orders_by_id_are_not_kept() -> None:
    desk = Desk(orders={})
    for _ in range(2):
        await desk.get("o-1", name="orders")
    assert desk.asked("orders") == 2
    assert len(desk.tier) == 0


@in_virtual_time
async def test_what_is_there_and_what_is_not_come_together() -> None:
    desk = Desk(profiles=named("Анна"))
    await desk.get("c-1", "c-2")
    found = await desk.get("c-3", "c-2", "c-1")
    assert {key: answer.value.customer for key, answer in found.items()} == {key: key for key in found}
    assert desk.office.asked("profiles") == [["c-1", "c-2"], ["c-3"]]


def foreign(entry: Entry) -> Entry:
    return msgspec.structs.replace(entry, owner="c-2")


def foreign_body(entry: Entry) -> Entry:
    return msgspec.structs.replace(entry, body=msgspec.msgpack.encode(profile("c-2")))


def nothing(entry: Entry) -> Entry:
    return msgspec.structs.replace(entry, body=b"")


def half(entry: Entry) -> Entry:
    return msgspec.structs.replace(entry, body=entry.body[:-3])


def of_another_version(entry: Entry) -> Entry:
    return msgspec.structs.replace(entry, body=msgspec.msgpack.encode({"customer": "c-1", "name": "Анна"}))


def of_another_type(entry: Entry) -> Entry:
    return msgspec.structs.replace(entry, body=msgspec.msgpack.encode(["c-1"]))


def of_no_moment(entry: Entry) -> Entry:
    return msgspec.structs.replace(entry, as_of=float("nan"))


def of_the_end_of_time(entry: Entry) -> Entry:
    return msgspec.structs.replace(entry, as_of=float("inf"))


TAMPERING = [
    foreign,
    foreign_body,
    nothing,
    half,
    of_another_version,
    of_another_type,
    of_no_moment,
    of_the_end_of_time,
]


@pytest.mark.parametrize("tampering", TAMPERING, ids=lambda tampering: str(tampering.__name__))
@in_virtual_time
async def test_an_entry_that_cannot_be_this_customers_is_dropped_reported_and_asked_for_anew(tampering: Any) -> None:
    desk = await aged(10)
    place = desk.place()
    await desk.tamper(place, tampering(await desk.entry(place)))
    with capture_logs() as logs:
        assert await desk.profile() == Answer(VERA, desk.watch())
    assert [(line["event"], line["log_level"], line["read"]) for line in logs] == [
        ("cache entry refused", "error", "profiles")
    ]
    assert "c-2" not in str(logs)
    assert await desk.profile() == Answer(VERA, desk.watch()), "the new one is kept"
    assert desk.asked() == 2


@in_virtual_time
async def test_somebodys_own_is_not_everybodys() -> None:
    desk = Desk(promotions=offers("o-1"))
    await desk.get(EVERYBODY, name="promotions")
    place = desk.place(EVERYBODY, "promotions")
    entry = await desk.entry(place)
    personal = msgspec.msgpack.encode(offers("o-2", customer="c-2"))
    for tampered in (msgspec.structs.replace(entry, owner="c-2"), msgspec.structs.replace(entry, body=personal)):
        await desk.tamper(place, tampered)
        with capture_logs() as logs:
            found = await desk.get(EVERYBODY, name="promotions")
        assert found[EVERYBODY].value == offers("o-1")
        assert len(logs) == 1


@in_virtual_time
async def test_one_bad_entry_of_the_catalogue_does_not_cost_the_others() -> None:
    desk = Desk(products=lambda keys: {key: product(key) for key in keys})
    await desk.get("p-1", "p-2", name="products")
    place = desk.place("p-1", "products")
    await desk.tamper(place, nothing(await desk.entry(place)))
    with capture_logs():
        await desk.get("p-1", "p-2", name="products")
    assert desk.office.asked("products")[1:] == [["p-1"]]


@in_virtual_time
async def test_customers_who_share_an_account_do_not_share_its_entry() -> None:
    together = [BonusAccount(customer=CustomerId(each), id="a-1", balance=rub("1").amount) for each in ("c-1", "c-2")]
    desk = Desk(
        pending_bonuses=lambda keys: {
            key.customer: PendingBonuses(customer=key.customer, amount=rub("1").amount) for key in keys
        }
    )
    for _ in range(2):
        with capture_logs() as logs:
            found = await desk.get(*together, name="pending_bonuses")
        assert [found[each].value.customer for each in together] == ["c-1", "c-2"]
        assert logs == []
    assert desk.asked("pending_bonuses") == 1


@in_virtual_time
async def test_a_read_that_began_before_a_drop_does_not_put_the_old_answer_back() -> None:
    release = asyncio.Event()

    async def slowly(keys: Sequence[str]) -> Any:
        await release.wait()
        return named("Анна")(keys)

    desk = Desk(profiles=slowly)
    reading = asyncio.create_task(desk.get("c-1", "c-2"))
    await turns()
    await desk.cache.drop(["customer:c-1"])
    release.set()
    assert (await reading)["c-1"].value == ANNA
    desk.office.replies["profiles"] = named("Вера")
    found = await desk.get("c-1", "c-2")
    assert [found[key].value.display_name for key in ("c-1", "c-2")] == ["Вера", "Анна"]


@pytest.mark.parametrize("tag", ["customer:c-1", "profile:c-1"])
@in_virtual_time
async def test_a_drop_by_tag_is_felt_at_once(tag: str) -> None:
    desk = await aged(1)
    await desk.cache.drop([tag])
    assert (await desk.profile()).value == VERA


@pytest.mark.parametrize("tag", ["products", "products:p-1"])
@in_virtual_time
async def test_what_is_everybodys_has_tags_too(tag: str) -> None:
    desk = Desk(products=lambda keys: {key: product(key) for key in keys})
    for _ in range(2):
        await desk.get("p-1", name="products")
        await desk.cache.drop([tag])
    assert desk.asked("products") == 2


@in_virtual_time
async def test_an_answer_that_cannot_be_kept_is_shown_all_the_same() -> None:
    half_a_character = profile("c-1", "\ud800")
    no_type_of_ours = Profile(customer=CustomerId("c-2"), display_name=object())  # type: ignore[arg-type]  # on purpose
    desk = Desk(profiles={"c-1": half_a_character, "c-2": no_type_of_ours, "c-3": profile("c-3")})
    with capture_logs() as logs:
        found = await desk.get("c-1", "c-2", "c-3")
    assert [found[key].value for key in ("c-1", "c-2", "c-3")] == [half_a_character, no_type_of_ours, profile("c-3")]
    assert [(line["event"], line["kind"]) for line in logs] == [("answer cannot be kept", "Profile")] * 2
    assert len(desk.tier) == 1


@in_virtual_time
async def test_an_adapters_mistake_is_not_kept_as_an_answer() -> None:
    desk = Desk(profiles=ValueError("x"))
    with capture_logs():
        assert isinstance(await desk.profile(), AdapterBroken)
    assert len(desk.tier) == 0
