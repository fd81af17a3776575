"""A store that is away: everything says so, nobody is signed out or let in, and all goes on when it is back."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from bff.errors import Code, Unavailable
from bff.identity.sessions import Mode, Session
from bff.identity.sign_in import CodeSent
from bff.identity.store import SqliteStore, StoreUnavailable
from tests.identity.sign_in.door import ANNA, ANNAS_MAIL, BORIS, HOME, Door, access, cookie, refresh

pytestmark = pytest.mark.anyio


@contextmanager
def locked(door: Door) -> Iterator[None]:
    """Another program writes to the file and does not come to an end: it can be read and not written."""
    rival = sqlite3.connect(door.path, isolation_level=None)
    try:
        rival.execute("BEGIN EXCLUSIVE")
        yield
    finally:
        rival.close()


async def test_every_use_case_says_that_the_store_is_away(door: Door) -> None:
    session, browser, ticket = await door.session(), await door.session(ANNAS_MAIL, Mode.COOKIE), await door.ticket()
    door.later(120)
    code = await door.code()
    sent = len(door.post.messages)
    way, principal = door.sign_in, session.principal
    await door.store.close()
    for asked in (
        way.request_code(BORIS, HOME, "ru"),
        way.sign_in(ANNAS_MAIL, code, HOME, Mode.TOKENS),
        way.register(ticket, "Борис", None, HOME, Mode.TOKENS),
        way.refresh(refresh(session)),
        way.sign_out(principal),
        way.sign_out_everywhere(principal),
        way.request_second_factor(principal, HOME, "ru"),
        way.confirm_second_factor(principal, code, HOME),
        way.principal_of_access_token(access(session)),
        way.principal_of_cookie(cookie(browser)),
    ):
        with pytest.raises(StoreUnavailable) as caught:
            await asked
        assert caught.value.public_code is Code.UNAVAILABLE
    assert len(door.post.messages) == sent
    assert door.directory.registrations == []

    await door.store.open()
    assert await way.principal_of_access_token(access(session)) == principal
    assert await way.principal_of_cookie(cookie(browser)) == browser.principal
    assert isinstance(await door.enter(code), Session)
    assert isinstance(await way.register(ticket, "Борис", None, HOME, Mode.TOKENS), Session)
    assert isinstance(await way.refresh(refresh(session)), Session)


async def test_a_store_that_can_only_be_read_signs_no_browser_out(door: Door) -> None:
    browser = await door.session(mode=Mode.COOKIE)
    door.later(7_200)
    store = SqliteStore(door.path, clock=door.watch, limit_seconds=5.0)
    await store.open()
    way = door.another(store)
    assert (await way.principal_of_cookie(cookie(browser))) == browser.principal
    door.later(7_200)
    with locked(door):
        assert (await way.principal_of_cookie(cookie(browser))) == browser.principal
        with pytest.raises(StoreUnavailable):
            await way.sign_out(browser.principal)
    assert (await way.principal_of_cookie(cookie(browser))) == browser.principal
    await store.close()


async def test_the_back_offices_error_is_told_where_the_code_cannot_be_put_back(door: Door) -> None:
    """The store goes away while the back office fails: the check stays counted, and the code is not lost."""
    code, ticket = await door.code(), await door.ticket()
    store = SqliteStore(door.path, clock=door.watch, limit_seconds=5.0)
    await store.open()
    way = door.another(store)

    class Leaving(Unavailable):
        """Takes the store with it."""

    async def leave(_: object) -> object:
        await store.close()
        raise Leaving("down")

    door.directory.find = leave  # type: ignore[method-assign, assignment]
    with pytest.raises(Leaving):
        await way.sign_in(ANNA, code, HOME, Mode.TOKENS)
    del door.directory.find
    assert isinstance(await door.enter(code), Session)

    await store.open()
    door.directory.register = leave  # type: ignore[method-assign, assignment]
    with pytest.raises(Leaving):
        await way.register(ticket, "Борис", None, HOME, Mode.TOKENS)
    del door.directory.register
    # The ticket is gone. Nothing was acknowledged, and another code brings another one.
    door.later(60)
    assert await door.ask(BORIS) == CodeSent(60, 300)
