"""One-time codes: how long, how often, and for whom they are good. Everything is counted by contact."""

import asyncio
from collections import Counter

import pytest

from bff.domain import Contact, ContactKind
from bff.identity.sessions import Mode, Session
from bff.identity.sign_in import CodeSent, RateLimited, Refused, RegistrationNeeded
from tests.identity.sign_in.door import ANNA, ANNAS_MAIL, BORIS, Door, by_outcome, wrong

pytestmark = pytest.mark.anyio

DAY = 86_400
_TOKENS = Mode.TOKENS


async def test_a_code_is_six_digits_and_signs_in_once(door: Door) -> None:
    assert await door.ask() == CodeSent(resend_after=30, expires_in=300)
    code = door.last_code()
    assert len(code) == 6
    assert isinstance(await door.enter(code), Session)
    assert await door.enter(code) == Refused()


async def test_codes_differ_and_begin_with_any_digit(door: Door) -> None:
    codes = [await door.code(Contact(ContactKind.EMAIL, f"customer{number}@pochta.example")) for number in range(200)]
    assert len(set(codes)) > 190
    assert len(Counter(code[0] for code in codes)) > 5


@pytest.mark.parametrize(("seconds", "outcome"), [(299, Session), (300, Refused), (301, Refused)])
async def test_a_code_lives_five_minutes(door: Door, seconds: int, outcome: type) -> None:
    code = await door.code()
    door.later(seconds)
    assert isinstance(await door.enter(code), outcome)


async def test_a_code_is_checked_five_times(door: Door) -> None:
    code = await door.code()
    for step in range(1, 5):
        assert await door.enter(wrong(code, step)) == Refused()
    assert isinstance(await door.enter(code), Session)


async def test_after_five_wrong_checks_the_right_code_is_refused(door: Door) -> None:
    code = await door.code()
    for step in range(1, 6):
        assert await door.enter(wrong(code, step)) == Refused()
    assert await door.enter(code) == Refused()


async def test_after_ten_failures_a_day_every_code_is_refused_until_the_day_is_over(door: Door) -> None:
    for _ in range(2):
        code = await door.code()
        for step in range(1, 6):
            assert await door.enter(wrong(code, step)) == Refused()
        door.later(120)
    # A new code does not reset the count: none is sent, which would be of no use.
    sent = len(door.post.messages)
    answer = await door.ask()
    assert isinstance(answer, RateLimited)
    assert DAY - 300 < answer.seconds <= DAY
    assert len(door.post.messages) == sent
    door.later(answer.seconds)
    assert isinstance(await door.enter(await door.code()), Session)


async def test_a_living_code_is_refused_when_failures_run_out_meanwhile(door: Door) -> None:
    door.sign_in = door.another(failures_per_contact=3)
    code = await door.code()
    for step in range(1, 4):
        await door.enter(wrong(code, step))
    assert await door.enter(code) == Refused()


async def test_failures_count_across_codes(door: Door) -> None:
    """Asking again for a code to reset the count."""
    door.sign_in = door.another(failures_per_contact=3)
    for failures in range(3):
        code = await door.code()
        assert await door.enter(wrong(code)) == Refused(), failures
        door.later(120)
    assert isinstance(await door.ask(), RateLimited)


async def test_what_is_no_code_at_all_counts_as_wrong(door: Door) -> None:
    """Digits of other scripts, too: there is one way to write a code."""
    code = await door.code()
    arabic = code.translate({ord("0") + digit: 0x660 + digit for digit in range(10)})
    for entered in (arabic, "", f" {code}", "\ud80012345", "9" * 60_000):
        assert await door.enter(entered) == Refused()
    assert await door.enter(code) == Refused()


async def test_without_a_code_there_is_nothing_to_guess_and_nothing_is_counted(door: Door) -> None:
    for guess in range(20):
        assert await door.enter(f"{guess:06}") == Refused()
    assert isinstance(await door.enter(await door.code()), Session)


async def test_another_contacts_code_is_refused(door: Door) -> None:
    code = await door.code(ANNA)
    for contact in (BORIS, ANNAS_MAIL):
        others = await door.code(contact)
        assert code == others or await door.enter(code, contact) == Refused()
    assert isinstance(await door.enter(code), Session)


async def test_a_new_code_takes_the_place_of_the_last_one(door: Door) -> None:
    first = await door.code()
    door.later(30)
    second = await door.code()
    assert first == second or await door.enter(first) == Refused()
    assert isinstance(await door.enter(second), Session)


async def test_codes_are_sent_again_after_30_60_and_120_seconds(door: Door) -> None:
    for pause in (30, 60, 120, 120):
        assert await door.ask() == CodeSent(resend_after=pause, expires_in=300)
        assert await door.ask() == RateLimited(pause)
        door.later(pause - 1)
        assert await door.ask() == RateLimited(1)
        door.later(1)
    assert len(door.post.messages) == 4


async def test_a_contact_gets_ten_codes_a_day(door: Door) -> None:
    for _ in range(10):
        assert isinstance(await door.ask(), CodeSent)
        door.later(120)
    answer = await door.ask()
    assert answer == RateLimited(DAY - 10 * 120)
    door.later(DAY - 10 * 120)
    assert await door.ask() == CodeSent(resend_after=30, expires_in=300)


async def test_ways_to_write_one_phone_share_a_count(door: Door) -> None:
    first = door.sign_in.read_contact(ContactKind.PHONE, "+7 (999) 123-45-67")
    second = door.sign_in.read_contact(ContactKind.PHONE, "8999 123 45 67")
    assert await door.ask(first) == CodeSent(resend_after=30, expires_in=300)
    assert await door.ask(second) == RateLimited(30)
    assert isinstance(await door.enter(door.last_code(first), second), RegistrationNeeded)


async def test_of_fifty_right_checks_at_once_one_wins(door: Door) -> None:
    code = await door.code()
    others = door.another()
    tries = [(door.sign_in, others)[number % 2] for number in range(50)]
    answers = await asyncio.gather(*(way.sign_in(ANNA, code, f"192.0.2.{n}", _TOKENS) for n, way in enumerate(tries)))
    assert by_outcome(answers) == {"Session": 1, "Refused": 49}
    # Nor did the other 49 cost the customer anything.
    door.later(30)
    assert isinstance(await door.enter(await door.code()), Session)


async def test_a_thousand_guesses_at_once_are_five_checks(door: Door) -> None:
    """As aliases in one request, or from as many networks: what counts is the contact."""
    code = await door.code()
    guesses = [wrong(code, step) for step in range(1, 1_000)]
    answers = await asyncio.gather(
        *(door.enter(guess, network=f"198.51.{n // 250}.{n % 250}") for n, guess in enumerate([*guesses, code]))
    )
    assert by_outcome(answers) == {"Refused": 1_000}
    assert door.directory.found == 0
    door.later(30)
    # Five of them were checks, so five failures are left today.
    code = await door.code()
    for step in range(1, 5):
        await door.enter(wrong(code, step))
    assert isinstance(await door.enter(code), Session)


async def test_fifty_requests_at_once_send_one_code(door: Door) -> None:
    others = door.another()
    answers = await asyncio.gather(
        *((door.sign_in, others)[n % 2].request_code(ANNA, f"192.0.2.{n}", "ru") for n in range(50))
    )
    await door.sign_in.close()
    await others.close()
    assert by_outcome(answers) == {"CodeSent": 1, "RateLimited": 49}
    assert len(door.post.messages) == 1
    assert await door.ask() == RateLimited(30)
    assert isinstance(await door.enter(door.last_code()), Session)


async def test_counts_outlive_the_process(door: Door) -> None:
    code = await door.code()
    for step in range(1, 5):
        await door.enter(wrong(code, step))
    await door.store.close()
    await door.store.open()
    door.sign_in = door.another()
    assert await door.ask() == RateLimited(30)
    await door.enter(wrong(code, 5))
    assert await door.enter(code) == Refused()


async def test_the_store_holds_neither_codes_nor_contacts_in_clear(door: Door) -> None:
    codes = [await door.code(contact) for contact in (ANNA, ANNAS_MAIL)]
    assert isinstance(await door.enter(codes[0]), Session)
    stored = door.everything_stored()
    assert len(stored) > 1_000
    for text in (*codes, ANNA.value, ANNA.value[2:], "anna", "pochta"):
        assert text.encode() not in stored


async def test_a_clock_that_is_put_back_gives_codes_no_longer_life(door: Door) -> None:
    code = await door.code()
    door.later(-3_600)
    assert await door.enter(code) == Refused()
    # Nor does it lock the customer out for an hour.
    assert isinstance(await door.enter(await door.code()), Session)


async def test_a_clock_that_is_put_back_by_a_little_changes_nothing(door: Door) -> None:
    """Machines that share a store are some seconds apart."""
    code = await door.code()
    door.later(-5)
    assert isinstance(await door.ask(), RateLimited)
    assert isinstance(await door.enter(code), Session)


async def test_a_clock_that_jumps_ahead_ends_codes(door: Door) -> None:
    code = await door.code()
    door.later(3_600)
    assert await door.enter(code) == Refused()
    assert isinstance(await door.enter(await door.code()), Session)
