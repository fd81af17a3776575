"""A read with a cache behind it: how old an answer may be, whose it must be, and what is asked for anew."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from structlog.testing import capture_logs

from bff.domain import BonusAccount, CustomerId, PendingBonuses, Profile
from bff.errors import (
    AdapterBroken,
    BackOfficeError,
    BadReply,
    Busy,
    Code,
    IntegrityViolation,
    Refused,
    SignInRefused,
    TimedOut,
    TooLarge,
    Unavailable,
    Unknown,
    Upstream,
)
from bff.plugins import BackOfficeSettings, GuardSettings
from bff.sources import EVERYBODY, Ages, Answer, Cache, Freshness, MemoryTier, Read, Sections, Sources, Storage, route
from bff.sources.read import Keeping
from bff.sources.tier import Entry, Place
from tests.fakes.back_offices import NOW, FakeBackOffice, account, offers, product, profile, rub
from tests.sources.conftest import Watch
from tests.sources.virtual_time import in_virtual_time, now, turns

FRESH, STALE, DEAD = 100.0, 200.0, 1_000.0
AGES = Ages(fresh_seconds=FRESH, stale_seconds=STALE, on_error_seconds=DEAD)
WELL_FRESH, WELL_STALE, OLD, GONE = 80.0, 150.0, 300.0, 1_001.0
"""Ages well inside each class, whatever the jitter."""

SECTIONS = Sections(profile="erp", orders="erp", bonuses="erp", favorites="erp", products="erp", offers=("erp",))


class Desk:
    """Everything that is kept, in front of one back office; its clock and its cache are at hand."""

    def __init__(self, **replies: Any) -> None:
        self.watch = Watch()
        self.watch.now = NOW
        self.office = FakeBackOffice(**replies)
        self.tier = MemoryTier(max_entries=1_000, max_bytes=10_000_000, clock=self.watch)
        self.cache = Cache([self.tier], self.watch)
        freshness = Freshness(**dict.fromkeys(Freshness.model_fields, AGES))
        guard = GuardSettings(retry_share=0, breaker_least_calls=1_000)
        self.sources: Sources = route(
            SECTIONS,
            {"erp": self.office.adapter()},
            self.watch,
            settings={"erp": BackOfficeSettings(adapter="fake", address="https://erp.invalid", pool=1, guard=guard)},
            storage=Storage(self.cache, freshness, "shop"),
        )

    def read(self, name: str) -> Read[Any, Any]:
        found = self.sources.offers[0].promotions if name == "promotions" else getattr(self.sources, name)
        assert found is not None
        return found

    async def get(self, *keys: Any, name: str = "profiles", seconds: float = 5.0) -> dict[Any, Any]:
        return await self.read(name)(keys, deadline=now() + seconds)

    async def profile(self, customer: str = "c-1") -> Any:
        return (await self.get(customer))[customer]

    def asked(self, name: str = "profiles") -> int:
        return len(self.office.asked(name))

    def place(self, key: Any = "c-1", name: str = "profiles") -> Place:
        keeping = self.read(name)._keeping
        assert keeping is not None
        return keeping.place(key)

    async def tamper(self, place: Place, entry: Entry) -> None:
        await self.tier.put({place: entry}, await self.tier.marks(place.tags))

    async def entry(self, place: Place) -> Entry:
        (found,) = await self.tier.get([place])
        assert found is not None
        return found


def named(name: str) -> Any:
    return lambda keys: {key: profile(key, name) for key in keys}


async def aged(seconds: float, reply: Any = None) -> Desk:
    """A profile of that age is kept, and the back office answers differently by now."""
    desk = Desk(profiles=named("Анна"))
    await desk.profile()
    desk.watch.move(seconds)
    desk.office.replies["profiles"] = named("Вера") if reply is None else reply
    return desk


ANNA = profile("c-1", "Анна")
VERA = profile("c-1", "Вера")


@in_virtual_time
async def test_a_fresh_answer_asks_nobody() -> None:
    desk = await aged(WELL_FRESH)
    assert await desk.profile() == Answer(ANNA, NOW, stale=False)
    await turns()
    assert desk.asked() == 1


@in_virtual_time
async def test_a_stale_answer_serves_and_is_refreshed_behind_once() -> None:
    desk = await aged(WELL_STALE)
    found = await asyncio.gather(*(desk.profile() for _ in range(20)))
    assert found == [Answer(ANNA, NOW, stale=True)] * 20
    await turns()
    assert desk.asked() == 2
    assert await desk.profile() == Answer(VERA, desk.watch(), stale=False)
    assert desk.asked() == 2
    assert not desk.read("profiles")._refreshing


@in_virtual_time
async def test_a_refresh_that_hangs_or_fails_is_not_begun_again_at_once() -> None:
    desk = await aged(WELL_STALE, Unavailable("away"))
    for _ in range(10):
        assert (await desk.profile()).stale
        await turns()
    assert desk.asked() == 2
    desk.watch.move(2.5)  # the lease, twice the call's limit, is over
    await desk.profile()
    await turns()
    assert desk.asked() == 3


@in_virtual_time
async def test_an_old_answer_is_not_shown_while_the_back_office_answers() -> None:
    desk = await aged(OLD)
    assert await desk.profile() == Answer(VERA, desk.watch(), stale=False)
    assert desk.asked() == 2


@pytest.mark.parametrize(
    "error",
    [
        Unavailable("x"),
        TimedOut("x"),
        Busy("x"),
        Upstream("x"),
        SignInRefused("x"),
        BadReply("x"),
        TooLarge("x"),
        ValueError("x"),
    ],
    ids=lambda error: type(error).__name__,
)
@in_virtual_time
async def test_an_old_answer_serves_where_the_back_office_fails(error: Exception) -> None:
    desk = await aged(OLD, error)
    assert await desk.profile() == Answer(ANNA, NOW, stale=True)
    assert desk.asked() == 2


@in_virtual_time
async def test_an_old_answer_serves_where_the_back_office_does_not_answer_in_time() -> None:
    desk = await aged(OLD, lambda _: asyncio.Event().wait())
    assert await desk.get("c-1", seconds=0.3) == {"c-1": Answer(ANNA, NOW, stale=True)}
    assert now() == pytest.approx(0.3)
    await asyncio.sleep(5)


@in_virtual_time
async def test_an_old_answer_serves_for_one_key_that_cannot_be_read() -> None:
    desk = await aged(OLD, {"c-1": BadReply("NaN")})
    assert await desk.profile() == Answer(ANNA, NOW, stale=True)


@pytest.mark.parametrize("reply", [Unavailable("x"), {"c-1": BadReply("x")}], ids=["whole", "one key"])
@in_virtual_time
async def test_a_dead_answer_is_none(reply: Any) -> None:
    desk = await aged(GONE, reply)
    assert isinstance(await desk.profile(), BackOfficeError)


@pytest.mark.parametrize(
    "reply",
    [
        {},
        {"c-1": Unknown("nobody")},
        Refused("blocked", refusal=Code.FORBIDDEN),
        {"c-1": Refused("blocked", refusal=Code.FORBIDDEN)},
        {"c-1": profile("c-2")},
        {"c-2": profile("c-2")},
    ],
    ids=["missing", "unknown", "refused", "the key refused", "a foreign value", "a foreign key"],
)
@in_virtual_time
async def test_an_old_answer_is_no_better_than_a_no(reply: Any) -> None:
    desk = await aged(OLD, reply)
    found = await desk.profile()
    assert isinstance(found, Unknown | Refused | IntegrityViolation)


@in_virtual_time
async def test_another_customers_data_closes_the_door_and_old_answers_stay_behind_it() -> None:
    desk = await aged(OLD, {"c-1": profile("c-2")})
    for _ in range(3):
        assert isinstance(await desk.profile(), IntegrityViolation)
    assert desk.asked() == 2


BONUS_READS: Mapping[str, tuple[Any, Any]] = {
    "bonus_accounts": ("c-1", account("c-1")),
    "pending_bonuses": (account("c-1"), PendingBonuses(customer=CustomerId("c-1"), amount=account("c-1").balance)),
}


@pytest.mark.parametrize("name", BONUS_READS)
@in_virtual_time
async def test_old_bonuses_serve_in_an_outage_and_not_beside_a_value_that_makes_no_sense(name: str) -> None:
    key, value = BONUS_READS[name]
    desk = Desk(**{name: {"c-1": value}})
    await desk.get(key, name=name)
    desk.watch.move(OLD)
    old = {key: Answer(value, NOW, stale=True)}
    # One call of several side by side may have failed: that is an outage too.
    for outage in (Unavailable("x"), BadReply("malformed"), {"c-1": TimedOut("x")}, {"c-1": Upstream("x")}):
        desk.office.replies[name] = outage
        assert await desk.get(key, name=name) == old
    desk.office.replies[name] = {"c-1": BadReply("NaN")}
    assert isinstance((await desk.get(key, name=name))[key], BadReply)


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
async def test_nothing_is_refreshed_after_the_end() -> None:
    desk = await aged(WELL_STALE, lambda _: asyncio.Event().wait())
    await desk.profile()
    await turns()
    assert desk.asked() == 2
    await desk.sources.close()
    await turns()
    assert not desk.read("profiles")._refreshing
    assert (await desk.get("c-1"))["c-1"]
    desk = await aged(WELL_STALE)
    await desk.read("profiles").close()
    assert (await desk.profile()).stale
    await turns()
    assert desk.asked() == 1


@in_virtual_time
async def test_a_refresh_that_another_process_makes_is_not_made_here() -> None:
    desk = await aged(WELL_STALE)
    await desk.cache.lease(desk.place(), 100)
    assert (await desk.profile()).stale
    await turns()
    assert desk.asked() == 1


class Dice:
    """Says what it is told to, in turn; then the last one for ever."""

    def __init__(self, *values: float) -> None:
        self.values = list(values)

    def __call__(self) -> float:
        return self.values.pop(0) if len(self.values) > 1 else self.values[0]


def keeping(dice: Dice, ages: Ages = AGES, owner: str = "c-1") -> tuple[Keeping[str, Profile], Cache, Watch]:
    watch = Watch()
    cache = Cache([MemoryTier(max_entries=100, max_bytes=1_000_000, clock=watch)], watch)
    made: Keeping[str, Profile] = Keeping(
        cache,
        ages,
        Profile,
        place=lambda key: Place(key, (f"customer:{key}",)),
        owner=lambda _: owner,
        clock=watch,
        uniform=dice,
    )
    return made, cache, watch


async def kept(made: Keeping[str, Profile], cache: Cache, watch: Watch, *, took: float = 0.0) -> Entry:
    before = await made.before(["c-1"])
    watch.move(took)
    await made.after({"c-1": Answer(ANNA, watch())}, before)
    (entry,) = await cache.get([Place("c-1", ())])
    assert entry is not None
    return entry


@pytest.mark.parametrize(("dice", "fresh"), [(0.0, 90.0), (0.5, 100.0), (1.0, 110.0)])
@in_virtual_time
async def test_expiries_are_spread_by_a_tenth(dice: float, fresh: float) -> None:
    made, cache, watch = keeping(Dice(dice))
    entry = await kept(made, cache, watch, took=0.25)
    assert entry.fresh_until - entry.as_of == pytest.approx(fresh)
    assert (entry.stale_until - entry.as_of, entry.dead_at - entry.as_of) == (STALE, DEAD)
    assert entry.cost == pytest.approx(0.25)
    assert entry.owner == "c-1"


@in_virtual_time
async def test_where_all_ages_are_equal_the_spread_moves_them_together() -> None:
    made, cache, watch = keeping(Dice(1.0), Ages(fresh_seconds=100, stale_seconds=100, on_error_seconds=100))
    entry = await kept(made, cache, watch)
    assert entry.fresh_until == entry.stale_until == entry.dead_at == pytest.approx(entry.as_of + 110)


@in_virtual_time
async def test_what_is_everybodys_is_refreshed_early_by_chance_and_likelier_near_its_end() -> None:
    made, cache, watch = keeping(Dice(0.5), owner="")
    entry = await kept(made, cache, watch, took=2.0)
    # -ln(1 - 0.5) × 2 s = 1.39 s before its end; -ln(1 - 0.99) × 2 s = 9.2 s.
    assert not made.wants_refresh_early(entry, entry.fresh_until - 1.4)
    assert made.wants_refresh_early(entry, entry.fresh_until - 1.38)
    made._uniform = Dice(0.99)
    assert made.wants_refresh_early(entry, entry.fresh_until - 9.2)
    made._uniform = Dice(0.0)
    assert not made.wants_refresh_early(entry, entry.fresh_until - 0.01)


@in_virtual_time
async def test_a_customers_own_is_not_refreshed_early() -> None:
    made, cache, watch = keeping(Dice(0.999999))
    entry = await kept(made, cache, watch, took=50.0)
    assert not made.wants_refresh_early(entry, entry.fresh_until - 0.01)


@in_virtual_time
async def test_an_early_refresh_shows_the_fresh_answer_as_fresh() -> None:
    desk = Desk(promotions=offers("o-1"))
    read = desk.read("promotions")
    assert read._keeping is not None
    read._keeping._uniform = Dice(0.5)
    await desk.get(EVERYBODY, name="promotions")
    place = desk.place(EVERYBODY, "promotions")
    await desk.tamper(place, msgspec.structs.replace(await desk.entry(place), cost=10.0))
    desk.watch.move(FRESH - 5)
    desk.office.replies["promotions"] = offers("o-2")
    found = await asyncio.gather(*(desk.get(EVERYBODY, name="promotions") for _ in range(5)))
    assert {(each[EVERYBODY].value.offers[0].id, each[EVERYBODY].stale) for each in found} == {("o-1", False)}
    await turns()
    assert desk.asked("promotions") == 2
    latest = await desk.get(EVERYBODY, name="promotions")
    assert latest[EVERYBODY] == Answer(offers("o-2"), desk.watch())


@in_virtual_time
async def test_an_answer_says_when_it_was_given_wherever_it_comes_from() -> None:
    desk = await aged(WELL_FRESH)
    found = await desk.profile()
    assert found.as_of == NOW
    assert found.as_of.utcoffset() == timedelta(0)


@in_virtual_time
async def test_an_adapters_mistake_is_not_kept_as_an_answer() -> None:
    desk = Desk(profiles=ValueError("x"))
    with capture_logs():
        assert isinstance(await desk.profile(), AdapterBroken)
    assert len(desk.tier) == 0
