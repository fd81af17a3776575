"""Customers sign in by a code, see their cabinet, go on, and sign out: over sockets, from the first to the last."""

import pytest

from tests.sign_in.conftest import Logs
from tests.sign_in.customer import REGISTER, REQUEST, SIGN_OUT, SIGN_OUT_EVERYWHERE, codes
from tests.sign_in.shop import ANNA, ANNAS_MAIL, NO_CALLS, OLEG, Shop, stranger

ANNAS_PROFILE = {
    "displayName": "Анна Соколова",
    "phone": "+79000001001",
    "email": "anna.sokolova@pochta.example",
}
NOBODYS_MAIL = {"email": "new.customer@pochta.example"}
WAYS = "{ shop { name sections signInWays { kind name path } } }"


def events(logs: Logs) -> list[str]:
    """What the audit log says."""
    return [line["event"] for line in logs if line.get("log") == "audit" and line["log_level"] != "debug"]


def test_by_phone(shop: Shop, logs: Logs) -> None:
    anna = shop.customer(ANNA)
    assert anna.request_code() == {"resendAfter": 30, "expiresIn": 300, "userErrors": []}
    code = shop.messages.code(ANNA)
    assert shop.messages.all() == [("+79000001001", f"Код для входа: {code}. Никому его не сообщайте.")]
    assert shop.calls() == NO_CALLS
    done = anna.enter(code)
    assert (done["signedIn"], done["registration"], done["userErrors"]) == (True, None, [])
    assert anna.tokens is not None
    assert (anna.tokens["accessExpiresIn"], anna.tokens["refreshExpiresIn"]) == (600, 30 * 86_400)
    assert anna.profile() == ANNAS_PROFILE
    assert anna.cookie is None
    assert events(logs) == ["code requested", "signed in"]


def test_by_mail_and_by_phone_it_is_the_same_customer(shop: Shop) -> None:
    anna = shop.customer({"email": " Anna.Sokolova@POCHTA.example "})
    anna.do(REQUEST, {"contact": anna.contact}, Accept_Language="en")
    code = shop.messages.code(ANNAS_MAIL)
    assert shop.messages.to(ANNAS_MAIL) == [f"Your sign-in code: {code}. Do not tell it to anyone."]
    assert anna.enter(code)["signedIn"]
    assert anna.profile() == ANNAS_PROFILE
    assert shop.customer(ANNA).sign_in().profile() == ANNAS_PROFILE


def test_a_number_may_be_written_as_people_write_it(shop: Shop) -> None:
    anna = shop.customer({"phone": "8 (900) 000-10-01"})
    anna.request_code()
    assert anna.enter(shop.messages.code(ANNA))["signedIn"]
    assert shop.sent() == {"+79000001001": 1}


@pytest.mark.parametrize("contact", [stranger(), NOBODYS_MAIL], ids=["phone", "mail"])
def test_who_is_unknown_registers_and_sees_their_cabinet(shop: Shop, contact: dict[str, str], logs: Logs) -> None:
    boris = shop.customer(contact)
    done = boris.enter(boris.code())
    assert (done["signedIn"], done["tokens"], done["userErrors"]) == (False, None, [])
    assert done["registration"]["expiresIn"] == 600
    assert boris.profile() is None
    assert shop.calls()["erp"] == {"НайтиКлиентов": 1}
    ticket = done["registration"]["ticket"]
    shop.secrets.add(ticket, "Святополк", "Окаянный-Ярополчий", "Святополк Окаянный-Ярополчий")
    done = boris.register(ticket, " Святополк ", "Окаянный-Ярополчий")
    assert (done["signedIn"], done["registration"], done["userErrors"]) == (True, None, [])
    expected = {"displayName": "Святополк Окаянный-Ярополчий", "phone": None, "email": None, **contact}
    assert boris.profile() == expected
    answer = boris.ask("{ dashboard { lastOrder { id } bonuses { balance } favorites { totalCount } } }")
    assert answer["data"]["dashboard"]["lastOrder"] is None
    assert shop.calls()["erp"]["ЗарегистрироватьКлиента"] == 1
    assert events(logs) == ["code requested", "registered", "signed in"]


def test_who_has_registered_is_known_the_next_time(shop: Shop) -> None:
    contact = stranger()
    boris = shop.customer(contact)
    boris.register(boris.ticket(), "Борис")
    shop.later(30)
    boris.tokens = None
    assert boris.sign_in().profile() == {"displayName": "Борис", "email": None, **contact}
    assert shop.calls()["erp"]["ЗарегистрироватьКлиента"] == 1


def test_a_name_that_would_be_markup_stays_a_name(shop: Shop) -> None:
    boris = shop.customer(stranger())
    name = "]]></x><y>&amp;\"'"
    assert boris.register(boris.ticket(), name)["signedIn"]
    profile = boris.profile()
    assert profile is not None
    assert profile["displayName"] == name


@pytest.mark.parametrize("name", ["", " ", "a" * 101, "Анна\nЮрий", "\u202eаннА", "А\x00"], ids=repr)
def test_a_name_that_is_none_makes_no_customer_and_the_ticket_stays_good(shop: Shop, name: str) -> None:
    boris = shop.customer(stranger())
    ticket = boris.ticket()
    for first, last, field in ((name, None, "firstName"), ("Борис", name, "lastName")):
        done = boris.register(ticket, first, last)
        assert not done["signedIn"]
        [error] = done["userErrors"]
        assert (error["code"], error["field"]) == ("INVALID", [field])
    assert "ЗарегистрироватьКлиента" not in shop.calls()["erp"]
    assert boris.profile() is None


def test_a_refused_registration_can_be_done_again(shop: Shop) -> None:
    """The base has no room for so long a name, which the customer can only learn there."""
    boris = shop.customer(stranger())
    ticket = boris.ticket()
    answer = boris.ask(REGISTER, {"ticket": ticket, "first": "Б" * 60})
    assert codes(answer) == ["BAD_USER_INPUT"]
    assert boris.register(ticket, "Борис")["signedIn"]


def test_a_session_goes_on(shop: Shop) -> None:
    anna = shop.customer().sign_in()
    old = anna.access, anna.refresh_token
    shop.later(601)
    reply = anna.post("{ dashboard { profile { displayName } } }")
    assert (reply.status_code, codes(reply.json())) == (401, ["UNAUTHENTICATED"])
    assert "errors" not in anna.refresh()
    assert anna.access != old[0]
    assert anna.refresh_token != old[1]
    assert anna.profile() == ANNAS_PROFILE
    # A month without a visit ends it.
    shop.later(30 * 86_400)
    assert codes(anna.refresh()) == ["UNAUTHENTICATED"]


def test_sign_out_ends_the_session_at_once(shop: Shop, logs: Logs) -> None:
    anna, elsewhere = shop.customer().sign_in(), shop.customer()
    shop.later(30)
    elsewhere.asked_for = 1
    elsewhere.sign_in()
    assert anna.do(SIGN_OUT) == {"signedOut": True, "userErrors": []}
    reply = anna.post("{ dashboard { profile { displayName } } }")
    assert (reply.status_code, codes(reply.json())) == (401, ["UNAUTHENTICATED"])
    assert codes(anna.refresh()) == ["UNAUTHENTICATED"]
    assert elsewhere.profile() == ANNAS_PROFILE
    assert events(logs).count("session ended") == 1


def test_sign_out_everywhere_ends_every_session_at_once(shop: Shop) -> None:
    here, browser, oleg = shop.customer(), shop.customer(), shop.customer(OLEG).sign_in()
    here.sign_in()
    shop.later(30)
    browser.asked_for = 1
    browser.sign_in("COOKIE")
    assert here.do(SIGN_OUT_EVERYWHERE) == {"signedOut": True, "userErrors": []}
    assert here.post(SIGN_OUT).status_code == 401
    assert codes(here.refresh()) == ["UNAUTHENTICATED"]
    assert browser.profile() is None
    assert oleg.profile() is not None
    shop.later(60)
    again = shop.customer()
    again.asked_for = 2
    assert again.sign_in().profile() == ANNAS_PROFILE


def test_a_guest_is_signed_out_already_but_not_everywhere(shop: Shop) -> None:
    guest = shop.customer()
    assert guest.do(SIGN_OUT) == {"signedOut": True, "userErrors": []}
    assert codes(guest.ask(SIGN_OUT_EVERYWHERE)) == ["UNAUTHENTICATED"]


def test_a_guest_sees_what_there_is_and_how_to_sign_in(shop: Shop) -> None:
    assert shop.customer().ask(WAYS) == {
        "data": {
            "shop": {
                "name": "shop",
                "sections": ["profile", "lastOrder", "bonuses", "favorites", "offers"],
                "signInWays": [
                    {"kind": "PHONE_CODE", "name": None, "path": None},
                    {"kind": "EMAIL_CODE", "name": None, "path": None},
                ],
            }
        }
    }
    assert shop.calls() == NO_CALLS
