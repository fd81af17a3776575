"""Sessions: rotation and reuse, two at once, signing out here and everywhere, times and clocks."""

import asyncio
from collections.abc import MutableMapping
from typing import Any

import pytest

from bff.domain import CustomerId
from bff.errors import Unauthenticated
from bff.identity.principal import Principal
from bff.identity.providers import ProviderSubject
from bff.identity.sessions import Mode, Session
from bff.identity.subkeys import as_text, keyed_hash
from tests.identity.sign_in.door import ANNAS_MAIL, BORIS, HOME, Door, access, cookie, name_of, refresh
from tests.identity.sign_in.steps import SteppedStore

pytestmark = pytest.mark.anyio

Logs = list[MutableMapping[str, Any]]
DAY = 86_400


async def is_alive(door: Door, session: Session) -> bool:
    try:
        if session.cookie is not None:
            return await door.sign_in.principal_of_cookie(cookie(session)) == session.principal
        return await door.sign_in.principal_of_access_token(access(session)) == session.principal
    except Unauthenticated:
        return False


async def refused(door: Door, token: str) -> None:
    with pytest.raises(Unauthenticated):
        await door.sign_in.refresh(token)


def ends(logs: Logs) -> list[str]:
    return [line["why"] for line in logs if line["event"] == "session ended"]


async def test_a_refresh_gives_new_tokens_for_the_same_session(door: Door) -> None:
    first = await door.session()
    door.later(700)
    assert not await is_alive(door, first)
    second = await door.sign_in.refresh(refresh(first))
    assert second.principal == first.principal
    assert access(second) != access(first)
    assert refresh(second) != refresh(first)
    assert await is_alive(door, second)


async def test_a_spent_refresh_token_ends_the_family(door: Door, logs: Logs) -> None:
    """A thief has it, or the owner has it and a thief was first: both are signed out."""
    first = await door.session()
    second = await door.sign_in.refresh(refresh(first))
    door.later(11)
    await refused(door, refresh(first))
    await refused(door, refresh(second))
    assert not await is_alive(door, second)
    assert ends(logs) == ["reuse"]
    assert {line["log_level"] for line in logs if line["event"] == "session ended"} == {"warning"}


async def test_a_token_spent_long_ago_ends_the_family_even_within_the_grace(door: Door) -> None:
    first = await door.session()
    second = await door.sign_in.refresh(refresh(first))
    third = await door.sign_in.refresh(refresh(second))
    await refused(door, refresh(first))
    assert not await is_alive(door, third)


async def test_other_families_of_the_customer_live_on(door: Door) -> None:
    stolen, other = await door.session(), await door.session(ANNAS_MAIL)
    await door.sign_in.refresh(refresh(stolen))
    door.later(11)
    await refused(door, refresh(stolen))
    assert await is_alive(door, other)


@pytest.mark.parametrize("seconds", [0, 10])
async def test_a_lost_reply_gets_the_same_successor_again(door: Door, seconds: int) -> None:
    first = await door.session()
    second = await door.sign_in.refresh(refresh(first))
    door.later(seconds)
    again = await door.sign_in.refresh(refresh(first))
    assert refresh(again) == refresh(second)
    assert await is_alive(door, again)
    assert await is_alive(door, await door.sign_in.refresh(refresh(again)))


async def test_refreshes_at_once_get_the_same_successor(door: Door) -> None:
    first = await door.session()
    others = door.another()
    ways = [door.sign_in, others] * 10
    sessions = await asyncio.gather(*(way.refresh(refresh(first)) for way in ways))
    assert len({refresh(session) for session in sessions}) == 1
    assert await is_alive(door, sessions[7])


async def test_reuse_at_once_ends_the_family_once(door: Door, logs: Logs) -> None:
    first = await door.session()
    await door.sign_in.refresh(refresh(first))
    door.later(11)
    answers = await asyncio.gather(*(door.sign_in.refresh(refresh(first)) for _ in range(10)), return_exceptions=True)
    assert all(isinstance(answer, Unauthenticated) for answer in answers)
    assert ends(logs) == ["reuse"]


async def test_the_grace_is_a_setting(door: Door) -> None:
    door.sign_in = door.another(grace_seconds=0)
    first = await door.session()
    await door.sign_in.refresh(refresh(first))
    door.later(1)
    await refused(door, refresh(first))


async def test_signing_out_works_at_once(door: Door, logs: Logs) -> None:
    session, other = await door.session(), await door.session(ANNAS_MAIL)
    await door.sign_in.sign_out(session.principal)
    assert not await is_alive(door, session)
    await refused(door, refresh(session))
    assert await is_alive(door, other)
    await door.sign_in.sign_out(session.principal)
    await door.sign_in.sign_out(Principal(CustomerId("c-1")))
    assert ends(logs) == ["signed out"]


async def test_signing_out_everywhere_ends_all_of_the_customers_sessions(door: Door, logs: Logs) -> None:
    sessions = [await door.session(), await door.session(ANNAS_MAIL, Mode.COOKIE)]
    stranger = await door.sign_in.sign_in_by_provider(
        ProviderSubject("yandex", "1", customer=CustomerId("c-2")), HOME, Mode.TOKENS
    )
    assert isinstance(stranger, Session)
    await door.sign_in.sign_out_everywhere(sessions[1].principal)
    assert [await is_alive(door, session) for session in (*sessions, stranger)] == [False, False, True]
    await refused(door, refresh(sessions[0]))
    assert ends(logs) == ["everywhere"]
    # Who signs in after that is in, and can be signed out again.
    door.later(60)
    again = await door.session()
    assert await is_alive(door, again)
    await door.sign_in.sign_out_everywhere(Principal(CustomerId("c-1")))
    assert not await is_alive(door, again)


async def test_signing_out_everywhere_is_remembered_longer_than_any_session_lives(door: Door) -> None:
    await door.sign_in.sign_out_everywhere(Principal(CustomerId("c-1")))
    door.later(399 * DAY)
    session = await door.session()
    door.later(2 * DAY)
    session = await door.sign_in.refresh(refresh(session))
    assert await is_alive(door, session)
    await door.sign_in.sign_out_everywhere(session.principal)
    assert not await is_alive(door, session)


async def test_a_session_is_over_when_it_was_idle_for_thirty_days(door: Door, logs: Logs) -> None:
    tokens, browser = await door.session(), await door.session(ANNAS_MAIL, Mode.COOKIE)
    for _ in range(3):
        door.later(30 * DAY - 1)
        tokens = await door.sign_in.refresh(refresh(tokens))
        assert await is_alive(door, browser)
    door.later(30 * DAY)
    await refused(door, refresh(tokens))
    assert not await is_alive(door, browser)
    assert ends(logs) == ["expired", "expired"]


async def test_a_session_is_over_after_180_days_used_or_not(door: Door) -> None:
    tokens, browser = await door.session(), await door.session(ANNAS_MAIL, Mode.COOKIE)
    for _ in range(9):
        door.later(20 * DAY - 1)
        tokens = await door.sign_in.refresh(refresh(tokens))
        assert await is_alive(door, browser)
    assert tokens.tokens is not None
    assert tokens.tokens.refresh_expires_in == 9
    door.later(9)
    await refused(door, refresh(tokens))
    assert not await is_alive(door, browser)


async def test_using_a_cookie_is_written_down_once_an_hour(door: Door) -> None:
    browser = await door.session(mode=Mode.COOKIE)
    writes: list[str] = []

    async def note(number: int, name: str) -> None:
        writes.extend([name] * (name != "get"))

    store = SteppedStore(door.path, clock=door.watch)
    await store.open()
    store.restart(note)
    door.sign_in = door.another(store)
    for _ in range(10):
        assert await is_alive(door, browser)
        door.later(600)
    assert writes == ["swap"]
    await store.close()


async def test_a_session_that_ends_while_its_use_is_written_down_stays_ended(door: Door) -> None:
    browser = await door.session(mode=Mode.COOKIE)
    door.later(3_600)
    store = SteppedStore(door.path, clock=door.watch)
    await store.open()
    others = door.sign_in

    async def sign_out(number: int, name: str) -> None:
        if number == 3:
            await others.sign_out(browser.principal)

    store.restart(sign_out)
    await door.another(store).principal_of_cookie(cookie(browser))
    assert not await is_alive(door, browser)
    await store.close()


async def test_a_session_that_ends_while_it_is_refreshed_stays_ended(door: Door, logs: Logs) -> None:
    session = await door.session()
    store = SteppedStore(door.path, clock=door.watch)
    await store.open()

    async def sign_out(number: int, name: str) -> None:
        if number == 4:
            assert name == "swap"
            await door.sign_in.sign_out(session.principal)

    store.restart(sign_out)
    with pytest.raises(Unauthenticated):
        await door.another(store).refresh(refresh(session))
    assert not await is_alive(door, session)
    assert ends(logs) == ["signed out"]
    await store.close()


async def test_a_session_that_ends_while_it_is_confirmed_is_told_so(door: Door) -> None:
    session = await door.session()
    door.later(30)
    await door.sign_in.request_second_factor(session.principal, HOME, "ru")
    await door.sign_in.close()
    store = SteppedStore(door.path, clock=door.watch)
    await store.open()

    async def sign_out(number: int, name: str) -> None:
        if number == 7:
            await door.sign_in.sign_out(session.principal)

    store.restart(sign_out)
    with pytest.raises(Unauthenticated):
        await door.another(store).confirm_second_factor(session.principal, door.last_code(), HOME)
    assert not await is_alive(door, session)
    await store.close()


async def test_a_store_that_lost_its_last_write_signs_nobody_out(door: Door) -> None:
    """As a Redis may that fails over. Whoever has the token got it from us."""
    first = await door.session()
    key = f"session:{name_of(first.principal)}"
    before = await door.store.get(key)
    second = await door.sign_in.refresh(refresh(first))
    assert await door.store.swap(key, await door.store.get(key), before, lifetime=DAY)
    third = await door.sign_in.refresh(refresh(second))
    assert await is_alive(door, third)
    door.later(11)
    await refused(door, refresh(second))


async def test_refresh_tokens_that_were_tampered_with_are_refused(door: Door) -> None:
    session, other = await door.session(), await door.session(ANNAS_MAIL)
    token = refresh(session)
    prefix, name, number, mac = token.split(".")
    others = refresh(other).split(".")
    bad = [
        "",
        token + " ",
        token + "\n",
        token[:-1],
        f"{prefix}.{name}.2.{mac}",
        f"{prefix}.{name}.01.{mac}",
        f"{prefix}.{name}.١.{mac}",
        f"{prefix}.{name}.0.{mac}",
        f"{prefix}.{name}.{'9' * 5_000}.{mac}",
        f"{prefix}.{others[1]}.{number}.{mac}",
        f"{prefix}.{name}.{number}.{'A' * 43}",
        f"kr2.{name}.{number}.{mac}",
        f"kc1.{name}.{mac}",
        f"{prefix}.{name}.{number}.{as_text(keyed_hash(b'another key', name, number))}",
        access(session),
    ]
    for text in bad:
        await refused(door, text)
    with pytest.raises(Unauthenticated):
        await door.another(secret="another secret that is long enough, too").refresh(token)
    assert await is_alive(door, await door.sign_in.refresh(token))


async def test_cookies_that_were_tampered_with_are_refused(door: Door) -> None:
    browser, tokens = await door.session(mode=Mode.COOKIE), await door.session(ANNAS_MAIL)
    prefix, name, mac = cookie(browser).split(".")
    _, other, _, others_mac = refresh(tokens).split(".")
    bad = [
        "",
        f"{prefix}.{name}.{mac[:-1]}",
        f"{prefix}.{name}.{'A' * 43}",
        f"{prefix}.{other}.{mac}",
        f"{prefix}.{other}.{others_mac}",
        f"kc1.{name}.{mac}\n",
        f"kc1.{name}.ж",
        refresh(tokens),
        access(tokens),
    ]
    for text in bad:
        with pytest.raises(Unauthenticated):
            await door.sign_in.principal_of_cookie(text)
    assert await is_alive(door, browser)


async def test_a_cookie_and_tokens_do_not_stand_for_each_other(door: Door) -> None:
    """Even who knew the keys could not use a session in the other mode."""
    browser, tokens = await door.session(mode=Mode.COOKIE), await door.session(ANNAS_MAIL)
    sessions = door.sign_in._sessions
    with pytest.raises(Unauthenticated):
        await door.sign_in.principal_of_cookie(
            f"kc1.{name_of(tokens.principal)}.{sessions._cookie(name_of(tokens.principal))}"
        )
    forged = sessions._access.sign(
        CustomerId("c-1"), name_of(browser.principal), signed_in_at=door.watch.seconds(), scopes=()
    )
    with pytest.raises(Unauthenticated):
        await door.sign_in.principal_of_access_token(forged)
    await refused(door, f"kr1.{name_of(browser.principal)}.1.{sessions._refresh(name_of(browser.principal), 1)}")


async def test_a_record_that_cannot_be_read_is_no_session(door: Door, logs: Logs) -> None:
    session = await door.session()
    key = f"session:{name_of(session.principal)}"
    assert await door.store.swap(key, await door.store.get(key), b"\xc1 rubbish", lifetime=DAY)
    assert not await is_alive(door, session)
    await refused(door, refresh(session))
    assert "record cannot be read" in [line["event"] for line in logs]


async def test_sessions_outlive_the_process(door: Door) -> None:
    session, browser = await door.session(), await door.session(ANNAS_MAIL, Mode.COOKIE)
    await door.store.close()
    await door.store.open()
    door.sign_in = door.another()
    assert await is_alive(door, session)
    assert await is_alive(door, browser)
    assert await is_alive(door, await door.sign_in.refresh(refresh(session)))


async def test_nothing_of_a_token_that_signs_in_is_stored(door: Door) -> None:
    session, browser = await door.session(), await door.session(ANNAS_MAIL, Mode.COOKIE)
    await door.sign_in.refresh(refresh(session))
    stored = door.everything_stored()
    for secret in (refresh(session)[-43:], cookie(browser)[-43:], access(session)[-43:]):
        assert secret.encode() not in stored


async def test_a_clock_that_is_put_back_signs_nobody_out(door: Door) -> None:
    session, browser = await door.session(), await door.session(ANNAS_MAIL, Mode.COOKIE)
    door.later(-3_600)
    # The access token is from the future, and refused; the refresh token is not.
    assert not await is_alive(door, session)
    session = await door.sign_in.refresh(refresh(session))
    assert await is_alive(door, session)
    assert await is_alive(door, browser)


async def test_a_clock_that_jumps_ahead_costs_an_access_token_only(door: Door) -> None:
    session = await door.session()
    door.later(DAY)
    assert not await is_alive(door, session)
    assert await is_alive(door, await door.sign_in.refresh(refresh(session)))


async def test_sessions_carry_scopes(door: Door) -> None:
    sessions = door.sign_in._sessions
    session = await sessions.begin(CustomerId("c-9"), Mode.TOKENS, contact=BORIS, scopes={"staff", "orders"})
    principal = await door.sign_in.principal_of_access_token(access(session))
    assert principal.scopes == {"staff", "orders"}
    assert await sessions.contact_of(principal) == BORIS
    assert not await sessions.confirm("nobody's")
