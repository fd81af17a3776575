"""Cookie mode: what a browser keeps, and what it takes to be believed with it."""

import re

import pytest

from tests.sign_in.conftest import OpenShop
from tests.sign_in.customer import PROFILE, REFRESH, REQUEST, SIGN_IN, SIGN_OUT, Customer, codes
from tests.sign_in.shop import ANNA, NO_CALLS, OLEG, Shop, stranger

OURS = r"__Host-kabinet=kc1\.[\w-]{22}\.[\w-]{43}; Path=/; Max-Age=15552000; Secure; HttpOnly; SameSite=Lax"
FORGET = "__Host-kabinet=; Path=/; Max-Age=0; Secure; HttpOnly; SameSite=Lax"


def signed_in(shop: Shop) -> Customer:
    browser = shop.customer().sign_in("COOKIE")
    assert browser.cookie is not None
    assert browser.tokens is None
    return browser


def test_the_cookie_has_all_its_attributes_and_the_answer_no_token(shop: Shop) -> None:
    anna = shop.customer()
    variables = {"contact": ANNA, "code": anna.code(), "mode": "COOKIE"}
    reply = anna.post(SIGN_IN, variables)
    done = reply.json()["data"]["done"]
    assert done == {"signedIn": True, "tokens": None, "registration": None, "userErrors": []}
    [header] = reply.headers.get_list("set-cookie")
    assert re.fullmatch(OURS, header)
    value = header.partition(";")[0].removeprefix("__Host-kabinet=")
    shop.secrets.add(value)
    assert value not in reply.text
    assert reply.headers["cache-control"] == "private, no-store"
    # It is given once: no answer afterwards has it.
    anna.cookie = value
    assert "set-cookie" not in anna.post(PROFILE).headers


def test_the_dashboard_with_cookie_and_header(shop: Shop) -> None:
    browser = signed_in(shop)
    profile = browser.profile()
    assert profile is not None
    assert profile["displayName"] == "Анна Соколова"


@pytest.mark.parametrize("more", [{}, {"Sec_Fetch_Site": "same-origin"}, {"Content_Type": "application/json"}], ids=str)
def test_without_the_header_nothing_is_done(shop: Shop, more: dict[str, str]) -> None:
    browser = signed_in(shop)
    for office in shop.offices:
        office.reset()
    shop.later(30)
    for query, variables in ((PROFILE, {}), (SIGN_OUT, {}), (REQUEST, {"contact": OLEG})):
        reply = browser.post(query, variables, X_Kabinet_CSRF="", **more)
        assert (reply.status_code, codes(reply.json())) == (403, ["FORBIDDEN"])
        assert "set-cookie" not in reply.headers
    assert shop.calls() == NO_CALLS
    assert shop.sent() == {"+79000001001": 1}
    assert browser.profile() is not None


def test_a_foreign_page_has_no_effect_even_with_the_header(shop: Shop) -> None:
    browser = signed_in(shop)
    reply = browser.post(SIGN_OUT, Origin="https://evil.example")
    assert (reply.status_code, codes(reply.json())) == (403, ["FORBIDDEN"])
    assert browser.profile() is not None


def test_sign_out_takes_the_cookie_away_and_the_copy_of_it_is_dead(shop: Shop) -> None:
    browser = signed_in(shop)
    reply = browser.post(SIGN_OUT)
    assert reply.json()["data"]["done"]["signedOut"] is True
    assert reply.headers.get_list("set-cookie") == [FORGET]
    assert browser.profile() is None


def test_who_registers_in_a_browser_gets_a_cookie(shop: Shop) -> None:
    boris = shop.customer(stranger())
    ticket = boris.ticket()
    assert boris.cookie is None
    boris.register(ticket, "Борис", mode="COOKIE")
    profile = boris.profile()
    assert profile is not None
    assert profile["displayName"] == "Борис"


def forged(cookie: str) -> dict[str, str]:
    family, mac = cookie.split(".")[1:]
    other = "A" if mac[0] != "A" else "B"
    return {
        "another signature": f"kc1.{family}.{other}{mac[1:]}",
        "another session": f"kc1.{'A' * 22}.{mac}",
        "no signature": f"kc1.{family}.",
        "not ASCII": f"kc1.{family}.{'é' * 43}",
        "quoted": f'"{cookie}"',
        "another kind": f"kr1.{family}.1.{mac}",
        "empty": "",
        "long": f"kc1.{family}.{'A' * 5_000}",
        "twice": f"{cookie}; __Host-kabinet={cookie}",
    }


@pytest.mark.parametrize("how", forged("kc1.a.b"))
def test_a_forged_cookie_is_a_guests_who_can_sign_in_again(shop: Shop, how: str) -> None:
    anna = signed_in(shop)
    assert anna.cookie is not None
    oleg = shop.customer(OLEG)
    oleg.cookie = forged(anna.cookie)[how]
    assert oleg.profile() is None
    oleg.sign_in("COOKIE")
    profile = oleg.profile()
    assert profile is not None
    assert profile["displayName"] == "Олег"


def test_a_stale_cookie_is_a_guests_who_can_sign_in_again(shop: Shop) -> None:
    browser = signed_in(shop)
    stale = browser.cookie
    shop.later(31 * 86_400)
    assert browser.profile() is None
    browser.sign_in("COOKIE")
    assert browser.cookie != stale
    assert browser.profile() is not None


def test_a_cookie_goes_on_while_it_is_used_but_not_for_ever(shop: Shop) -> None:
    browser = signed_in(shop)
    for _ in range(8):
        shop.later(20 * 86_400)
        assert browser.profile() is not None
    shop.later(20 * 86_400)
    assert browser.profile() is None


def test_a_cookies_session_is_no_token_and_a_tokens_no_cookie(shop: Shop) -> None:
    """What is stolen in one form is of no use in the other."""
    app, browser = shop.customer(OLEG).sign_in(), signed_in(shop)
    assert browser.cookie is not None
    reply = shop.customer().post(PROFILE, Authorization=f"Bearer {browser.cookie}")
    assert reply.status_code == 401
    assert codes(shop.customer().ask(REFRESH, {"token": browser.cookie})) == ["UNAUTHENTICATED"]
    thief = shop.customer()
    thief.cookie = app.access
    assert thief.profile() is None
    thief.cookie = app.refresh_token
    assert thief.profile() is None


def test_a_token_is_believed_before_a_cookie(shop: Shop) -> None:
    browser = signed_in(shop)
    oleg = shop.customer(OLEG).sign_in()
    oleg.cookie = browser.cookie
    profile = oleg.profile()
    assert profile is not None
    assert profile["displayName"] == "Олег"
    assert oleg.post(PROFILE, Authorization="Bearer nonsense").status_code == 401


def test_a_page_of_the_list_signs_in_with_credentials(new_shop: OpenShop) -> None:
    shop = new_shop(server={"origins": ["https://shop.example"]})
    browser = signed_in(shop)
    reply = browser.post(PROFILE, Origin="https://shop.example", Sec_Fetch_Site="cross-site")
    assert reply.json()["data"]["dashboard"]["profile"]["displayName"] == "Анна Соколова"
    assert reply.headers["access-control-allow-origin"] == "https://shop.example"
    assert reply.headers["access-control-allow-credentials"] == "true"
