"""The breaker, on instants that the tests choose."""

import pytest

from bff.errors import BackOfficeError, IntegrityViolation, TimedOut, Unavailable
from bff.sources.breaker import Breaker

AWAY = Unavailable("away", back_office="erp")
MIXED_UP = IntegrityViolation("somebody else's", back_office="erp")


def fail(breaker: Breaker, *at: float) -> None:
    for now in at:
        breaker.failed(now, AWAY, probe=0)


def opened(**settings: float) -> Breaker:
    """One that opened at 0."""
    breaker = Breaker(**settings)  # type: ignore[arg-type]  # times only
    fail(breaker, 0, 0, 0, 0, 0)
    assert breaker.refusal(0)
    return breaker


def same(one: BackOfficeError | None, other: BackOfficeError) -> bool:
    return type(one) is type(other) and str(one) == str(other)


def test_few_calls_open_nothing_whatever_they_say() -> None:
    breaker = Breaker(least_calls=5)
    fail(breaker, 1, 1, 1, 1)
    assert breaker.refusal(1) is None
    assert breaker.begin() == 0
    fail(breaker, 1)
    assert same(breaker.refusal(1), AWAY)


@pytest.mark.parametrize(("good", "opens"), [(5, True), (6, False)])
def test_it_takes_a_share_of_the_calls(good: int, opens: bool) -> None:
    breaker = Breaker(failure_share=0.5)
    for _ in range(good):
        breaker.succeeded(1, probe=0)
    fail(breaker, 1, 1, 1, 1, 1)
    assert (breaker.refusal(1) is not None) is opens


def test_what_is_older_than_the_window_does_not_count() -> None:
    breaker = Breaker(window_seconds=10)
    fail(breaker, 0, 1, 2, 3)
    fail(breaker, 10)
    assert breaker.refusal(10) is None, "the first has left"
    fail(breaker, 10.5)
    assert breaker.refusal(10.5) is not None
    breaker = Breaker(window_seconds=10)
    for now in range(100):
        breaker.succeeded(now, probe=0)
    assert len(breaker._outcomes) == 10


def test_it_refuses_for_a_while_and_then_lets_one_probe_through() -> None:
    breaker = opened(open_seconds=2)
    assert breaker.refusal(1.99) is not None
    assert breaker.refusal(2) is None
    probe = breaker.begin()
    assert probe
    assert breaker.refusal(2) is not None, "one, not two"
    assert breaker.refusal(100) is not None, "however long it takes"
    breaker.succeeded(3, probe=probe)
    assert breaker.refusal(3) is None
    assert breaker.begin() == 0


def test_it_forgets_when_it_closes() -> None:
    breaker = opened(open_seconds=2)
    breaker.succeeded(3, probe=breaker.begin())
    fail(breaker, 3, 3, 3, 3)
    assert breaker.refusal(3) is None
    fail(breaker, 3)
    assert breaker.refusal(4.99) is not None
    assert breaker.refusal(5) is None, "the pause begins anew too"


def test_each_probe_that_fails_doubles_the_pause() -> None:
    breaker = opened(open_seconds=2, longest_open_seconds=12)
    now = 2.0
    for pause in (4, 8, 12, 12):
        assert breaker.refusal(now) is None
        breaker.failed(now, TimedOut("slow"), probe=breaker.begin())
        assert isinstance(breaker.refusal(now + pause - 0.01), TimedOut)
        now += pause
    assert breaker.refusal(now) is None


def test_a_pause_that_is_set_longer_than_the_longest_does_not_shrink() -> None:
    breaker = opened(open_seconds=60, longest_open_seconds=30)
    breaker.failed(60, AWAY, probe=breaker.begin())
    assert breaker.refusal(119.9) is not None
    assert breaker.refusal(120) is None


def test_a_probe_that_is_given_up_lets_the_next_one_through() -> None:
    breaker = opened(open_seconds=2)
    breaker.gave_up(probe=breaker.begin())
    assert breaker.refusal(2) is None
    assert breaker.begin()


def test_what_was_under_way_when_it_opened_no_longer_counts() -> None:
    breaker = opened(open_seconds=2)
    breaker.succeeded(0.1, probe=0)
    fail(breaker, 0.2)
    breaker.gave_up(probe=0)
    assert breaker.refusal(1.99) is not None
    assert breaker.refusal(2) is None


def test_data_of_somebody_else_opens_it_at_once() -> None:
    breaker = Breaker(least_calls=1_000)
    breaker.succeeded(0, probe=0)
    breaker.failed(0, MIXED_UP, probe=0)
    assert same(breaker.refusal(0), MIXED_UP)


def test_many_calls_side_by_side_that_mix_customers_up_are_one_outage() -> None:
    breaker = Breaker(open_seconds=2)
    for now in (0, 0.1, 0.2, 0.3):
        breaker.failed(now, MIXED_UP, probe=0)
    assert breaker.refusal(2.29) is not None
    assert breaker.refusal(2.3) is None


@pytest.mark.parametrize("outcome", ["answered", "failed", "given up"])
def test_a_probe_during_which_it_opened_anew_has_no_say(outcome: str) -> None:
    breaker = opened(open_seconds=2)
    outdated = breaker.begin()
    breaker.failed(3, MIXED_UP, probe=0)  # a call from before it opened
    if outcome == "answered":
        breaker.succeeded(3, probe=outdated)
    elif outcome == "failed":
        breaker.failed(3, AWAY, probe=outdated)
    assert same(breaker.refusal(4.99), MIXED_UP)
    assert breaker.refusal(5) is None
    probe = breaker.begin()
    if outcome == "given up":
        breaker.gave_up(probe=outdated)
    assert breaker.refusal(5) is not None, "one probe at a time"
    breaker.succeeded(6, probe=probe)
    assert breaker.refusal(6) is None


def test_the_error_that_it_keeps_holds_no_frames() -> None:
    breaker = Breaker(least_calls=1)
    with pytest.raises(Unavailable) as caught:
        raise Unavailable("away") from ValueError("a whole answer")
    breaker.failed(0, caught.value, probe=0)
    kept = breaker.refusal(0)
    assert kept is not None
    assert (kept.__traceback__, kept.__context__, kept.__cause__) == (None, None, None)
