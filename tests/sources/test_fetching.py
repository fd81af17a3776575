"""Asking a back office: owners, a bad key among good ones, and what is handed on to be kept. `test_read` has more."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from types import SimpleNamespace
from typing import Any

import pytest
from structlog.testing import capture_logs

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
from bff.sources import Answer, OutageLog
from bff.sources.breaker import Breaker
from bff.sources.fetching import Fetcher
from bff.sources.guard import Courtesy, Guard
from tests.fakes.back_offices import NOW, order, profile
from tests.fakes.back_offices import now as standing_clock
from tests.sources.virtual_time import in_virtual_time, now, turns

Ask = Callable[[list[str]], Any]


class Kept:
    """A keeper that writes down what it is given."""

    def __init__(self) -> None:
        self.log: list[Any] = []

    async def before(self, keys: Sequence[str]) -> int:
        """See `Keeper`."""
        self.log.append(("before", list(keys)))
        return len(self.log)

    async def after(self, answers: Mapping[str, Answer[Any]], before: int) -> None:
        """See `Keeper`."""
        self.log.append(("after", sorted(answers), before))


class Desk:
    """A port's method; `reply` gets the keys of a call and gives the answer, raises, or gives something to await."""

    def __init__(self, reply: Ask, *, tokens: float = 0.0, owned: bool = True, **breaker: Any) -> None:
        self.reply = reply
        self.calls: list[list[str]] = []
        self.kept = Kept()
        self.courtesy = Courtesy(retry_share=0.001 if tokens else 0, tokens=tokens)
        self.guard = Guard(1.0, Breaker(**breaker), self.courtesy, "erp")
        self.fetch: Fetcher[str, Any] = Fetcher(
            "erp",
            "profiles",
            self._ask,
            owned=owned,
            key=lambda key: key,
            guard=self.guard,
            keeper=self.kept,
            clock=standing_clock,
            outages=OutageLog(),
        )

    async def _ask(self, keys: Sequence[str]) -> Any:
        self.calls.append(list(keys))
        self.kept.log.append("call")
        reply = self.reply(list(keys))
        return await reply if hasattr(reply, "__await__") else reply


def each(keys: Sequence[str]) -> dict[str, Any]:
    return {key: profile(key) for key in keys}


def poisoned(*bad: str, error: Callable[[], BackOfficeError] = lambda: Upstream("500")) -> Ask:
    """A back office that rejects every call with one of these keys in it."""

    def reply(keys: list[str]) -> dict[str, Any]:
        if set(bad) & set(keys):
            raise error()
        return each(keys)

    return reply


def many(count: int) -> list[str]:
    return [f"c-{number}" for number in range(count)]


def bad_ones(found: Mapping[str, object]) -> list[str]:
    return [key for key, outcome in found.items() if not isinstance(outcome, Answer)]


@in_virtual_time
async def test_what_is_kept_is_marked_before_the_call_and_handed_over_after_it() -> None:
    desk = Desk(each)
    found = await desk.fetch(["c-1", "c-2"])
    assert found == {key: Answer(profile(key), NOW) for key in ("c-1", "c-2")}
    assert desk.kept.log == [("before", ["c-1", "c-2"]), "call", ("after", ["c-1", "c-2"], 1)]


@in_virtual_time
async def test_that_there_is_nothing_is_kept_and_errors_never_are() -> None:
    desk = Desk(lambda _: {"c-1": None, "c-2": Unavailable("away")})
    found = await desk.fetch(["c-1", "c-2", "c-3"])
    assert found["c-1"] == Answer(None, NOW)
    assert (type(found["c-2"]), type(found["c-3"])) == (Unavailable, Unknown)
    assert desk.kept.log[-1] == ("after", ["c-1"], 1)


@pytest.mark.parametrize("reply", [{}, {"c-1": BadReply("NaN")}, {"c-1": profile("c-2")}, {"c-9": None}, None])
@in_virtual_time
async def test_where_there_is_no_answer_nothing_is_kept(reply: Any) -> None:
    desk = Desk(lambda _: reply)
    assert isinstance((await desk.fetch(["c-1"]))["c-1"], BackOfficeError)
    assert desk.kept.log == [("before", ["c-1"]), "call"]


@in_virtual_time
async def test_an_error_of_one_key_says_so_and_names_its_back_office() -> None:
    found = await Desk(lambda _: {"c-1": BadReply("NaN"), "c-2": Unavailable("away", back_office="cms")}).fetch(
        ["c-1", "c-2"]
    )
    of_one, named = found["c-1"], found["c-2"]
    assert isinstance(of_one, BadReply)
    assert isinstance(named, Unavailable)
    assert (of_one.of_one_key, of_one.back_office, named.back_office) == (True, "erp", "cms")
    whole = (await Desk(poisoned("c-1")).fetch(["c-1"]))["c-1"]
    assert isinstance(whole, Upstream)
    assert (whole.of_one_key, whole.back_office) == (False, "erp")


@in_virtual_time
async def test_one_bad_key_is_found_by_halves() -> None:
    desk = Desk(poisoned("c-37"), tokens=10)
    desk.courtesy.retry_share = 0.001
    found = await desk.fetch(many(50))
    assert bad_ones(found) == ["c-37"]
    assert isinstance(found["c-37"], Upstream)
    assert len(found) == 50
    assert desk.kept.log[-1][0] == "after"
    assert len(desk.kept.log[-1][1]) == 49
    # 50, once more, and two for each of at most six halvings.
    assert len(desk.calls) <= 2 + 2 * 6
    assert len(desk.calls) == len({tuple(call) for call in desk.calls}) + 1, "only the whole was tried twice"
    assert desk.guard.refusal() is None, "the back office works: its breaker does not open"


@pytest.mark.parametrize("at", [0, 1, 24, 25, 49])
@pytest.mark.parametrize(
    "error",
    [
        lambda: BadReply("malformed"),
        lambda: TooLarge("too much"),
        lambda: Refused("blocked", refusal=Code.FORBIDDEN),
    ],
    ids=["BadReply", "TooLarge", "Refused"],
)
@in_virtual_time
async def test_wherever_it_stands_and_whatever_it_brings_about(at: int, error: Callable[[], BackOfficeError]) -> None:
    desk = Desk(poisoned(f"c-{at}", error=error), tokens=10)
    found = await desk.fetch(many(50))
    assert bad_ones(found) == [f"c-{at}"]
    assert type(found[f"c-{at}"]) is type(error())
    assert len(desk.calls) <= 1 + 2 * 6


@in_virtual_time
async def test_two_bad_keys_in_one_half_are_searched_for_as_far_as_it_is_plain() -> None:
    desk = Desk(poisoned("c-0", "c-1", error=lambda: BadReply("malformed")), tokens=10)
    assert bad_ones(await desk.fetch(many(8))) == ["c-0", "c-1"]


@in_virtual_time
async def test_where_both_halves_fail_it_is_the_back_office() -> None:
    desk = Desk(poisoned(*many(8), error=lambda: BadReply("malformed")), tokens=10)
    found = await desk.fetch(many(8))
    assert {type(outcome) for outcome in found.values()} == {BadReply}
    assert len(desk.calls) == 3


@in_virtual_time
async def test_the_search_keeps_to_the_budget() -> None:
    for tokens, calls in ((0, 1), (1, 3), (2, 5)):
        desk = Desk(poisoned("c-0", error=lambda: BadReply("malformed")), tokens=tokens)
        found = await desk.fetch(many(50))
        assert len(desk.calls) == calls
        assert bad_ones(found)[0] == "c-0"
        assert len(bad_ones(found)) == {1: 50, 3: 25, 5: 12}[calls]


@in_virtual_time
async def test_no_search_begins_when_the_time_is_up() -> None:
    async def slow(keys: list[str]) -> Any:
        await asyncio.sleep(0.6)
        return poisoned("c-0", error=lambda: BadReply("malformed"))(keys)

    desk = Desk(slow, tokens=10)
    found = await desk.fetch(many(8))
    assert len(desk.calls) == 3
    assert bad_ones(found) == many(4)
    assert now() < 2


@pytest.mark.parametrize(
    "error",
    [Unavailable("x"), Busy("x"), SignInRefused("x"), IntegrityViolation("x"), AdapterBroken("x"), TimedOut("x")],
    ids=lambda error: type(error).__name__,
)
@in_virtual_time
async def test_what_no_key_can_bring_about_is_not_searched_for(error: BackOfficeError) -> None:
    desk = Desk(poisoned("c-0", error=lambda: error), tokens=0.5)
    assert len(bad_ones(await desk.fetch(many(8)))) == 8
    assert len(desk.calls) == 1


@in_virtual_time
async def test_a_half_that_mixes_customers_up_is_no_data_and_the_other_is() -> None:
    def reply(keys: list[str]) -> Any:
        if len(keys) == 8:
            raise BadReply("malformed")
        return each(keys) if "c-0" in keys else {key: profile("c-99") for key in keys}

    desk = Desk(reply, tokens=10)
    with capture_logs() as logs:
        found = await desk.fetch(many(8))
    assert {type(found[key]) for key in many(8)[4:]} == {IntegrityViolation}
    assert bad_ones(found) == many(8)[4:]
    assert "integrity violation" in [line["event"] for line in logs]
    assert isinstance(desk.guard.refusal(), IntegrityViolation)


@in_virtual_time
async def test_halves_that_fail_in_different_ways_keep_what_is_grave() -> None:
    def reply(keys: list[str]) -> Any:
        if "c-0" in keys:
            raise BadReply("malformed")
        return {key: profile("c-99") for key in keys}

    found = await Desk(reply, tokens=10).fetch(many(4))
    assert [type(found[key]) for key in many(4)] == [BadReply, BadReply, IntegrityViolation, IntegrityViolation]


@in_virtual_time
async def test_an_integrity_violation_opens_the_breaker_and_is_reported_without_names() -> None:
    desk = Desk(lambda _: {"c-1": profile("c-2")}, least_calls=1_000)
    with capture_logs() as logs:
        await desk.fetch(["c-1"])
    assert isinstance((await desk.fetch(["c-1"]))["c-1"], IntegrityViolation)
    assert len(desk.calls) == 1
    assert logs[0]["event"] == "integrity violation"
    assert "c-1" not in str(logs)
    assert "c-2" not in str(logs)


@in_virtual_time
async def test_a_refusal_of_the_guard_is_an_outcome_of_every_key() -> None:
    desk = Desk(poisoned("c-0"), least_calls=1)
    await desk.fetch(["c-0"])
    first, second = await desk.fetch(["c-1", "c-2"]), await desk.fetch(["c-1"])
    assert [type(outcome) for outcome in (*first.values(), *second.values())] == [Upstream] * 3
    assert len(desk.calls) == 1
    assert first["c-1"] is not second["c-1"]


@in_virtual_time
async def test_what_is_not_by_customer_may_be_anybodys() -> None:
    desk = Desk(lambda _: {"o-1": order("c-9"), "o-2": SimpleNamespace()}, owned=False)
    assert await desk.fetch(["o-1"]) == {"o-1": Answer(order("c-9"), NOW)}


@in_virtual_time
async def test_our_own_cancellation_is_passed_on_and_keeps_nothing() -> None:
    desk = Desk(lambda _: asyncio.Event().wait())
    task = asyncio.create_task(desk.fetch(["c-1"]))
    await turns()
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()
    assert desk.kept.log == [("before", ["c-1"]), "call"]
    assert desk.guard.refusal() is None
