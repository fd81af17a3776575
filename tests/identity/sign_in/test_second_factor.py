"""Step-up: a code that goes where the session's first one went, and is good for a few minutes."""

import asyncio

import pytest

from bff.domain import CustomerId
from bff.errors import NotSupported, Unauthenticated
from bff.identity.principal import Principal, Strength
from bff.identity.providers import ProviderSubject
from bff.identity.sessions import Mode, Session
from bff.identity.sign_in import CodeSent, Confirmed, RateLimited, Refused
from tests.identity.sign_in.door import ANNA, BORIS, HOME, Door, access, by_outcome, cookie, refresh, wrong

pytestmark = pytest.mark.anyio


async def second_code(door: Door, principal: Principal) -> str:
    door.later(120)
    assert isinstance(await door.sign_in.request_second_factor(principal, HOME, "ru"), CodeSent)
    await door.sign_in.close()
    return door.last_code()


async def strength(door: Door, session: Session) -> Strength:
    if session.cookie is not None:
        return (await door.sign_in.principal_of_cookie(cookie(session))).strength
    return (await door.sign_in.principal_of_access_token(access(session))).strength


@pytest.mark.parametrize("mode", list(Mode))
async def test_a_second_factor_is_fresh_for_five_minutes(door: Door, mode: Mode) -> None:
    session = await door.session(mode=mode)
    assert await strength(door, session) is Strength.ONE_FACTOR
    code = await second_code(door, session.principal)
    assert door.post.to(ANNA)[-1].startswith("Код подтверждения: ")
    assert await door.sign_in.confirm_second_factor(session.principal, code, HOME) == Confirmed(fresh_for=300)
    assert await strength(door, session) is Strength.FRESH_SECOND_FACTOR
    door.later(299)
    assert await strength(door, session) is Strength.FRESH_SECOND_FACTOR
    door.later(1)
    assert await strength(door, session) is Strength.ONE_FACTOR


async def test_it_outlives_a_refresh_and_no_other_session_has_it(door: Door) -> None:
    session = await door.session()
    door.later(60)
    other = await door.session()
    await door.sign_in.confirm_second_factor(session.principal, await second_code(door, session.principal), HOME)
    assert await strength(door, await door.sign_in.refresh(refresh(session))) is Strength.FRESH_SECOND_FACTOR
    assert await strength(door, other) is Strength.ONE_FACTOR


async def test_it_works_once_for_its_own_session_and_purpose(door: Door) -> None:
    session = await door.session()
    door.later(60)
    other = await door.session()
    code = await second_code(door, session.principal)
    assert await door.enter(code) == Refused()
    assert await door.sign_in.confirm_second_factor(other.principal, code, HOME) == Refused()
    answers = await asyncio.gather(
        *(door.sign_in.confirm_second_factor(session.principal, code, HOME) for _ in range(4))
    )
    assert by_outcome(answers) == {"Confirmed": 1, "Refused": 3}
    assert await strength(door, other) is Strength.ONE_FACTOR


async def test_a_code_to_sign_in_with_confirms_nothing(door: Door) -> None:
    session = await door.session()
    door.later(60)
    code = await door.code()
    assert await door.sign_in.confirm_second_factor(session.principal, code, HOME) == Refused()
    assert isinstance(await door.enter(code), Session)


async def test_failures_and_messages_are_counted_together_with_those_of_signing_in(door: Door) -> None:
    door.sign_in = door.another(failures_per_contact=2)
    session = await door.session()
    assert await door.sign_in.request_second_factor(session.principal, HOME, "ru") == RateLimited(30)
    code = await second_code(door, session.principal)
    for step in (1, 2):
        assert await door.sign_in.confirm_second_factor(session.principal, wrong(code, step), HOME) == Refused()
    assert await door.sign_in.confirm_second_factor(session.principal, code, HOME) == Refused()
    door.later(120)
    assert isinstance(await door.ask(), RateLimited)
    assert await strength(door, session) is Strength.ONE_FACTOR


async def test_networks_are_limited(door: Door) -> None:
    session = await door.session()
    code = await second_code(door, session.principal)
    door.sign_in = door.another(checks_per_network=1)
    assert isinstance(await door.sign_in.confirm_second_factor(session.principal, code, HOME), RateLimited)


async def test_sessions_without_a_contact_have_none(door: Door) -> None:
    session = await door.sign_in.sign_in_by_provider(
        ProviderSubject("yandex", "1", customer=CustomerId("c-1")), HOME, Mode.TOKENS
    )
    assert isinstance(session, Session)
    for principal in (session.principal, Principal(CustomerId("c-1"))):
        with pytest.raises(NotSupported):
            await door.sign_in.request_second_factor(principal, HOME, "ru")
        with pytest.raises(NotSupported):
            await door.sign_in.confirm_second_factor(principal, "000000", HOME)


async def test_a_session_that_ended_gets_none(door: Door) -> None:
    session = await door.session()
    code = await second_code(door, session.principal)
    await door.sign_in.sign_out(session.principal)
    with pytest.raises(Unauthenticated):
        await door.sign_in.request_second_factor(session.principal, HOME, "ru")
    with pytest.raises(Unauthenticated):
        await door.sign_in.confirm_second_factor(session.principal, code, HOME)


async def test_a_session_that_ends_while_it_is_confirmed_stays_ended(door: Door) -> None:
    session = await door.session()
    code = await second_code(door, session.principal)
    answers = await asyncio.gather(
        door.sign_in.confirm_second_factor(session.principal, code, HOME),
        door.sign_in.sign_out(session.principal),
        return_exceptions=True,
    )
    assert isinstance(answers[0], Unauthenticated | Confirmed)
    with pytest.raises(Unauthenticated):
        await strength(door, session)


async def test_a_session_of_another_secret_has_no_contact_that_can_be_read(door: Door) -> None:
    session = await door.session()
    others = door.another(secret="another secret that is long enough, too")
    with pytest.raises(Unauthenticated):
        await others.request_second_factor(session.principal, HOME, "ru")


async def test_a_clock_that_is_put_back_makes_nothing_fresh(door: Door) -> None:
    session = await door.session()
    code = await second_code(door, session.principal)
    await door.sign_in.confirm_second_factor(session.principal, code, HOME)
    door.later(-5)
    assert await strength(door, session) is Strength.FRESH_SECOND_FACTOR
    door.later(-25)
    principal = (await door.sign_in.refresh(refresh(session))).principal
    assert principal.strength is Strength.ONE_FACTOR


async def test_the_contact_is_not_stored_in_clear(door: Door) -> None:
    session = await door.session()
    await second_code(door, session.principal)
    stored = door.everything_stored()
    assert ANNA.value[1:].encode() not in stored
    assert BORIS.value.encode() not in stored
