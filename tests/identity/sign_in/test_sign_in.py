"""Signing in: known and unknown alike, registration, and back offices that are down at the worst moment."""

import asyncio
from functools import partial

import pytest

from bff.domain import Contact, CustomerId
from bff.errors import BadReply, TimedOut, Unavailable
from bff.identity.contact import BadField
from bff.identity.principal import Principal, Strength
from bff.identity.providers import ProviderSubject
from bff.identity.sessions import Mode, Session
from bff.identity.sign_in import Refused, RegistrationNeeded
from tests.identity.sign_in.door import (
    ANNA,
    ANNAS_MAIL,
    BORIS,
    HOME,
    Door,
    access,
    by_outcome,
    cookie,
    name_of,
    refresh,
    wrong,
)
from tests.sources.conftest import until

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("contact", [ANNA, ANNAS_MAIL])
async def test_who_has_the_code_is_signed_in(door: Door, contact: Contact) -> None:
    session = await door.session(contact)
    assert session.principal == Principal(
        CustomerId("c-1"), name_of(session.principal), Strength.ONE_FACTOR, frozenset()
    )
    assert session.cookie is None
    assert session.tokens is not None
    assert (session.tokens.access_expires_in, session.tokens.refresh_expires_in) == (600, 30 * 86_400)
    assert await door.sign_in.principal_of_access_token(access(session)) == session.principal


async def test_a_browser_gets_a_cookie_and_no_tokens(door: Door) -> None:
    session = await door.session(mode=Mode.COOKIE)
    assert session.tokens is None
    assert session.cookie is not None
    assert session.cookie.max_age == 180 * 86_400
    assert await door.sign_in.principal_of_cookie(cookie(session)) == session.principal


async def test_known_and_unknown_are_answered_and_written_to_alike(door: Door) -> None:
    assert await door.ask(ANNA) == await door.ask(BORIS)
    known, unknown = door.post.to(ANNA), door.post.to(BORIS)
    assert len(known) == len(unknown) == 1
    assert known[0].replace(door.last_code(ANNA), "…") == unknown[0].replace(door.last_code(BORIS), "…")
    # Nobody was looked up, so there is no time to tell them apart by.
    assert door.directory.found == 0
    assert await door.enter(wrong(door.last_code(ANNA)), ANNA) == await door.enter(wrong(door.last_code(BORIS)), BORIS)
    assert door.directory.found == 0


async def test_messages_speak_the_customers_language(door: Door) -> None:
    await door.ask(ANNA, language="ru")
    await door.ask(BORIS, language="en")
    await door.ask(ANNAS_MAIL, language="tlh")
    assert door.post.to(ANNA) == [f"Код для входа: {door.last_code(ANNA)}. Никому его не сообщайте."]
    assert door.post.to(BORIS) == [f"Your sign-in code: {door.last_code(BORIS)}. Do not tell it to anyone."]
    assert door.post.to(ANNAS_MAIL)[0].startswith("Код для входа")
    # In Cyrillic, one short message has 70 characters.
    assert len(door.post.to(ANNA)[0]) <= 70


async def test_short_messages_may_end_with_a_line_for_browsers(door: Door) -> None:
    door.sign_in = door.another(web_otp_host="shop.example")
    await door.ask(ANNA)
    await door.ask(ANNAS_MAIL)
    assert door.post.to(ANNA)[0].endswith(f"\n\n@shop.example #{door.last_code(ANNA)}")
    assert "#" not in door.post.to(ANNAS_MAIL)[0]


async def test_who_is_unknown_registers_and_is_signed_in(door: Door) -> None:
    needed = await door.enter(await door.code(BORIS), BORIS)
    assert isinstance(needed, RegistrationNeeded)
    assert needed.expires_in == 600
    assert needed.ticket not in repr(needed)
    session = await door.sign_in.register(needed.ticket, " Борис ", "Орлов", HOME, Mode.TOKENS)
    assert isinstance(session, Session)
    assert session.principal.customer == "c-new-1"
    (registration,) = door.directory.registrations
    assert (registration.contact, registration.first_name, registration.last_name) == (BORIS, "Борис", "Орлов")
    door.later(60)
    again = await door.enter(await door.code(BORIS), BORIS)
    assert isinstance(again, Session)
    assert again.principal.customer == "c-new-1"


async def test_a_ticket_works_once(door: Door) -> None:
    ticket = await door.ticket()
    answers = await asyncio.gather(
        *(door.sign_in.register(ticket, "Борис", None, HOME, Mode.TOKENS) for _ in range(20))
    )
    assert by_outcome(answers) == {"Session": 1, "Refused": 19}
    assert len(door.directory.registrations) == 1
    assert await door.sign_in.register(ticket, "Борис", None, HOME, Mode.TOKENS) == Refused()


@pytest.mark.parametrize(("seconds", "outcome"), [(599, Session), (600, Refused)])
async def test_a_ticket_lives_ten_minutes(door: Door, seconds: int, outcome: type) -> None:
    ticket = await door.ticket()
    door.later(seconds)
    assert isinstance(await door.sign_in.register(ticket, "Борис", None, HOME, Mode.TOKENS), outcome)


async def test_a_ticket_that_was_tampered_with_is_refused(door: Door) -> None:
    ticket = await door.ticket()
    bad = [
        "",
        "kt1.",
        "kt1.!",
        "kt1.AAAA",
        "kt1.ж",
        ticket[4:],
        ticket[:-6] + "AAAAAA",
        "kt1." + "A" * 40 + ticket[44:],
        ticket + "A" * 2_000,
        refresh(await door.session()),
    ]
    for text in bad:
        assert await door.sign_in.register(text, "Борис", None, HOME, Mode.TOKENS) == Refused()
    assert door.directory.registrations == []
    assert BORIS.value[1:] not in ticket
    assert isinstance(await door.sign_in.register(ticket, "Борис", None, HOME, Mode.TOKENS), Session)


async def test_bad_names_leave_the_ticket_good(door: Door) -> None:
    ticket = await door.ticket()
    with pytest.raises(BadField, match="firstName"):
        await door.sign_in.register(ticket, "", "Орлов", HOME, Mode.TOKENS)
    with pytest.raises(BadField, match="lastName"):
        await door.sign_in.register(ticket, "Борис", "\x00", HOME, Mode.TOKENS)
    assert door.directory.registrations == []
    assert isinstance(await door.sign_in.register(ticket, "Борис", "Орлов", HOME, Mode.TOKENS), Session)


async def test_a_registration_whose_answer_never_came_may_be_repeated(door: Door) -> None:
    ticket = await door.ticket()
    door.directory.error = TimedOut("no answer")
    with pytest.raises(TimedOut):
        await door.sign_in.register(ticket, "Борис", None, HOME, Mode.TOKENS)
    door.directory.error = None
    door.directory.known[BORIS] = CustomerId("c-7")
    session = await door.sign_in.register(ticket, "Борис", None, HOME, Mode.TOKENS)
    assert isinstance(session, Session)
    assert session.principal.customer == "c-7"


async def test_a_ticket_put_back_lives_no_longer_than_it_would_have(door: Door) -> None:
    ticket = await door.ticket()
    door.directory.gate.clear()
    door.directory.error = Unavailable("down")
    going = asyncio.ensure_future(door.sign_in.register(ticket, "Борис", None, HOME, Mode.TOKENS))
    await until(lambda: door.directory.registrations)
    door.later(600)
    door.directory.gate.set()
    with pytest.raises(Unavailable):
        await going
    door.directory.error = None
    door.later(-60)
    assert await door.sign_in.register(ticket, "Борис", None, HOME, Mode.TOKENS) == Refused()


async def test_a_code_stays_good_while_the_back_office_is_down(door: Door) -> None:
    code = await door.code()
    door.directory.error = Unavailable("down")
    for _ in range(12):
        with pytest.raises(Unavailable):
            await door.enter(code)
    door.directory.error = None
    assert isinstance(await door.enter(code), Session)
    assert await door.enter(code) == Refused()


async def test_a_code_stays_good_where_one_key_has_an_error(door: Door) -> None:
    code = await door.code()
    door.directory.error_of_key = BadReply("two customers have this phone")
    for _ in range(6):
        with pytest.raises(BadReply):
            await door.enter(code)
    door.directory.error_of_key = None
    assert isinstance(await door.enter(code), Session)


def _found(door: Door, number: int) -> bool:
    return door.directory.found == number


async def test_a_code_stays_good_when_the_customer_leaves_in_the_middle(door: Door) -> None:
    code = await door.code()
    door.directory.gate.clear()
    for number in range(1, 7):
        going = asyncio.ensure_future(door.enter(code))
        await until(partial(_found, door, number))
        going.cancel()
        with pytest.raises(asyncio.CancelledError):
            await going
    door.directory.gate.set()
    assert isinstance(await door.enter(code), Session)


async def test_a_code_that_was_replaced_while_its_customer_was_looked_up_is_refused(door: Door) -> None:
    code = await door.code()
    door.directory.gate.clear()
    going = asyncio.ensure_future(door.enter(code))
    failing = asyncio.ensure_future(door.enter(code))
    await until(lambda: door.directory.found == 2)
    door.later(30)
    newer = await door.code()
    failing.cancel()
    door.directory.gate.set()
    assert await going == Refused()
    with pytest.raises(asyncio.CancelledError):
        await failing
    assert isinstance(await door.enter(newer), Session)


@pytest.mark.parametrize("customer", ["", "c\n1", "c" * 201])
async def test_ids_that_are_none_sign_nobody_in(door: Door, customer: str) -> None:
    door.directory.known[ANNA] = CustomerId(customer)
    code = await door.code()
    with pytest.raises(BadReply):
        await door.enter(code)
    ticket = await door.ticket()
    door.directory.known[BORIS] = CustomerId(customer)
    with pytest.raises(BadReply):
        await door.sign_in.register(ticket, "Борис", None, HOME, Mode.TOKENS)


async def test_a_provider_may_vouch_for_a_customer_or_for_a_contact(door: Door) -> None:
    way = door.sign_in.sign_in_by_provider
    by_id = await way(ProviderSubject("yandex", "1", customer=CustomerId("c-5")), HOME, Mode.COOKIE)
    by_mail = await way(ProviderSubject("yandex", "2", email="Anna@pochta.example"), HOME, Mode.TOKENS)
    by_phone = await way(ProviderSubject("yandex", "3", phone="8 916 123-45-67"), HOME, Mode.TOKENS)
    assert [isinstance(each, Session) and each.principal.customer for each in (by_id, by_mail, by_phone)] == [
        "c-5",
        "c-1",
        "c-1",
    ]
    unknown = await way(ProviderSubject("yandex", "4", phone=BORIS.value), HOME, Mode.TOKENS)
    assert isinstance(unknown, RegistrationNeeded)
    session = await door.sign_in.register(unknown.ticket, "Борис", None, HOME, Mode.TOKENS)
    assert isinstance(session, Session)
    with pytest.raises(BadField):
        await way(ProviderSubject("yandex", "5"), HOME, Mode.TOKENS)


async def test_nothing_secret_or_personal_prints(door: Door) -> None:
    session = await door.session()
    browser = await door.session(ANNAS_MAIL, Mode.COOKIE)
    printed = repr([session, browser, await door.ask(BORIS), ANNA])
    for text in (access(session), refresh(session), cookie(browser), door.last_code(BORIS), "9161234567", "anna@"):
        assert text not in printed
