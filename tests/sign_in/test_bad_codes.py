"""Bad inputs, group D: one-time codes. The answer is one and the same, and all is counted by subject."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.sign_in.conftest import Logs, OpenShop
from tests.sign_in.customer import REQUEST, SIGN_IN, Customer, user_codes
from tests.sign_in.shop import ANNA, NO_CALLS, OLEG, Shop, stranger

REFUSED = {
    "signedIn": False,
    "tokens": None,
    "registration": None,
    "userErrors": [
        {
            "code": "REFUSED",
            "field": ["code"],
            "message": "Код не подошёл. Запросите новый.",
            "retryAfter": None,
        }
    ],
}
"""The one answer to each code that is not good, whatever is wrong with it."""

ALIASED = """mutation Many($contact: ContactInput!) {{ {} }}"""


def other(code: str, step: int = 1) -> str:
    """Another code."""
    return f"{(int(code) + step) % 1_000_000:06}"


def checks(codes: list[str]) -> str:
    """One operation that tries many codes."""
    fields = (
        f'a{number}: signInWithCode(input: {{contact: $contact, code: "{code}"}}) {{ signedIn }}'
        for number, code in enumerate(codes)
    )
    return ALIASED.format(" ".join(fields))


def no_session(shop: Shop, *customers: Customer) -> None:
    """Nobody came in: no back office was asked, and nobody has a session."""
    assert shop.calls() == NO_CALLS
    assert all(customer.tokens is None and customer.cookie is None for customer in customers)


def test_alias_brute_force_checks_five_codes_and_no_more(shop: Shop, logs: Logs) -> None:
    anna = shop.customer()
    code = anna.code()
    # Ten fields at the root are allowed; the good code is the sixth of them.
    wrong = [other(code, step) for step in range(1, 10)]
    answer = anna.ask(checks([*wrong[:5], code, *wrong[5:]]), {"contact": ANNA})
    assert [field["signedIn"] for field in answer["data"].values()] == [False] * 10
    # More are refused before the first is looked at.
    reply = anna.post(checks([other(code)] * 1_000), {"contact": ANNA})
    assert "data" not in reply.json()
    assert anna.enter(code) == REFUSED
    no_session(shop, anna)
    assert [line["why"] for line in logs if line["event"] == "code refused"] == ["wrong"] * 5 + ["spent"] * 6


def test_resend_does_not_reset_the_count(shop: Shop) -> None:
    anna = shop.customer()
    for number in range(2):
        code = anna.code()
        for step in range(1, 6):
            assert anna.enter(other(code, step)) == REFUSED
        assert anna.enter(code) == REFUSED
        shop.later(30 if number == 0 else 60)
    # Ten failures: for today there is no further code, and none costs a message.
    done = anna.request_code()
    assert user_codes(done) == ["RATE_LIMITED"]
    assert 86_000 < done["userErrors"][0]["retryAfter"] <= 86_400
    assert shop.sent() == {"+79000001001": 2}
    no_session(shop, anna)
    shop.later(86_400)
    anna.asked_for = 2
    assert anna.sign_in().profile() is not None


def test_resend_has_its_pauses_and_its_end(shop: Shop) -> None:
    anna = shop.customer()
    for number, pause in enumerate([30, 60, *[120] * 8], start=1):
        assert anna.request_code()["resendAfter"] == pause
        early = anna.request_code()
        assert (user_codes(early), early["userErrors"][0]["field"]) == (["RATE_LIMITED"], [])
        shop.later(pause - 1)
        assert user_codes(anna.request_code()) == ["RATE_LIMITED"]
        shop.later(1)
        shop.messages.code(ANNA, number)
    assert user_codes(anna.request_code()) == ["RATE_LIMITED"]
    assert shop.sent() == {"+79000001001": 10}


def test_a_code_used_twice(shop: Shop) -> None:
    anna, thief = shop.customer(), shop.customer()
    code = anna.code()
    assert anna.enter(code)["signedIn"]
    assert thief.enter(code) == REFUSED
    assert thief.tokens is None
    assert shop.calls()["erp"] == {"НайтиКлиентов": 1}


def at_once(number: int, ask: Any) -> list[Any]:
    """So many answers that are asked for side by side."""
    with ThreadPoolExecutor(number) as threads:
        return [future.result() for future in [threads.submit(ask) for _ in range(number)]]


@pytest.mark.parametrize("contact", [ANNA, stranger()], ids=["known", "unknown"])
def test_fifty_correct_checks_at_once_let_one_in(new_shop: OpenShop, contact: dict[str, str]) -> None:
    shop = new_shop()
    anna = shop.customer(contact)
    variables = {"contact": contact, "code": anna.code()}
    answers = [answer.json()["data"]["done"] for answer in at_once(50, lambda: anna.post(SIGN_IN, variables))]
    entered = [done for done in answers if done["signedIn"] or done["registration"]]
    assert len(entered) == 1
    assert [done for done in answers if done not in entered] == [REFUSED] * 49


def test_another_phones_code(shop: Shop) -> None:
    anna, oleg = shop.customer(ANNA), shop.customer(OLEG)
    annas, olegs = anna.code(), oleg.code()
    assert anna.enter(olegs if olegs != annas else other(annas)) == REFUSED
    assert oleg.enter(annas if olegs != annas else other(annas)) == REFUSED
    no_session(shop, anna, oleg)
    assert oleg.enter(olegs)["signedIn"]


def test_expired_by_a_second(shop: Shop) -> None:
    anna = shop.customer()
    code = anna.code()
    shop.later(300)
    assert anna.enter(code) == REFUSED
    no_session(shop, anna)
    code = anna.code()
    shop.later(299)
    assert anna.enter(code)["signedIn"]


def in_other_digits(code: str, zero: str) -> str:
    return "".join(chr(ord(zero) + int(digit)) for digit in code)


@pytest.mark.parametrize("zero", ["٠", "۰", "０", "𝟎"])
def test_digits_of_other_scripts(shop: Shop, zero: str) -> None:
    anna = shop.customer()
    code = anna.code()
    assert anna.enter(in_other_digits(code, zero)) == REFUSED
    no_session(shop, anna)
    phone = {"phone": "+7" + in_other_digits("9000001003", zero)}
    done = shop.customer(phone).request_code()
    [error] = done["userErrors"]
    assert (error["code"], error["field"]) == ("INVALID", ["contact", "phone"])
    assert shop.sent() == {"+79000001001": 1}
    # It is one of five checks, as any other wrong code is.
    for _ in range(4):
        assert anna.enter(in_other_digits(code, zero)) == REFUSED
    assert anna.enter(code) == REFUSED


@pytest.mark.parametrize(
    "code", ["", "12345", "1234567", "12345a", "1 2345", "-12345", "1e5", "\x00" * 6, "9" * 10_000]
)
def test_what_is_no_code(shop: Shop, code: str) -> None:
    anna = shop.customer()
    anna.code()
    assert anna.enter(code) == REFUSED
    no_session(shop, anna)


def test_every_way_to_write_a_number_shares_its_counts(shop: Shop) -> None:
    ways = ["+7 (999) 123-45-67", "89991234567", "8 999 123 45 67", "9991234567", "+79991234567", " 8-999-123-45-67 "]
    answers = [shop.customer({"phone": way}).request_code() for way in ways]
    assert [user_codes(done) for done in answers] == [[], *[["RATE_LIMITED"]] * 5]
    assert shop.sent() == {"+79991234567": 1}
    code = shop.messages.code({"phone": "+79991234567"})
    for way in ways[:5]:
        assert shop.customer({"phone": way}).enter(other(code)) == REFUSED
    assert shop.customer({"phone": ways[5]}).enter(code) == REFUSED


@pytest.mark.parametrize(
    "phone",
    [
        "+78091234567",
        "8-809-505-12-34",
        "+78031234567",
        "+78001234567",
        "+74951234567",
        "+79541234567",
        "+881612345678",
        "+870773123456",
        "+88213300655",
        "+16502530000",
        "+375291234567",
        "+77011234567",
        "112",
        "+7999123456",
        "+799912345678",
        "+7999123\x004567",
        "+79991234567;ext=1",
        "tel:+79991234567",
        "+79991234567,+79991234568",
        "+7999123456\u200b7",
        "",
    ],
    ids=repr,
)
def test_premium_satellite_and_other_numbers_cost_no_message(shop: Shop, phone: str) -> None:
    customer = shop.customer({"phone": phone})
    for done in (customer.request_code(), customer.enter("123456")):
        [error] = done["userErrors"]
        assert (error["code"], error["field"], error["retryAfter"]) == ("INVALID", ["contact", "phone"], None)
    assert shop.sent() == {}
    no_session(shop, customer)


@pytest.mark.parametrize(
    "email",
    ["", "anna", "anna@", "@pochta.example", "a@b@pochta.example", "anna@pochta.example\nBcc: x@evil.example",
     "Anna <anna@pochta.example>", "anna@pochta.example, x@evil.example", "a" * 250 + "@pochta.example",
     "anna@[127.0.0.1]", "anna\x00@pochta.example"],
    ids=lambda email: repr(email)[:40],
)  # fmt: skip
def test_addresses_that_are_none_get_no_message(shop: Shop, email: str) -> None:
    done = shop.customer({"email": email}).request_code()
    [error] = done["userErrors"]
    assert (error["code"], error["field"]) == ("INVALID", ["contact", "email"])
    assert shop.sent() == {}


def test_neighbouring_numbers_from_one_network_get_twenty_messages(shop: Shop) -> None:
    """A hundred of them; `test_load` has a thousand."""
    customers = [shop.customer({"phone": f"+7917555{number:04}"}, "203.0.113.5") for number in range(100)]
    with ThreadPoolExecutor(10) as threads:
        outcomes = [tuple(user_codes(done)) for done in threads.map(Customer.request_code, customers)]
    assert sorted(outcomes) == [()] * 20 + [("RATE_LIMITED",)] * 80
    assert sum(shop.sent().values()) == 20
    # Somebody next door is let in meanwhile.
    assert shop.customer(ANNA, "203.0.113.6").sign_in().profile() is not None


@pytest.mark.parametrize("proxies", [[], ["10.0.0.0/8"]], ids=["no proxy", "another proxy"])
def test_a_forged_forwarded_for_does_not_change_the_network(new_shop: OpenShop, proxies: list[str]) -> None:
    shop = new_shop(server={"forwarded_from": proxies}, sign_in={"codes_per_network": 3})
    outcomes = []
    for number in range(10):
        customer = shop.customer({"phone": f"+7917555{number:04}"}, f"203.0.113.{number}")
        outcomes.append(user_codes(customer.request_code()))
    assert outcomes == [[]] * 3 + [["RATE_LIMITED"]] * 7
    assert sum(shop.sent().values()) == 3


def test_what_stands_left_of_our_proxys_word_does_not_change_the_network(new_shop: OpenShop) -> None:
    shop = new_shop(sign_in={"codes_per_network": 3})
    outcomes = []
    for number in range(10):
        forwarded = f"10.0.0.{number}, 198.51.100.{number}, 203.0.113.5"
        customer = shop.customer({"phone": f"+7917555{number:04}"}, forwarded)
        outcomes.append(user_codes(customer.request_code()))
    assert outcomes == [[]] * 3 + [["RATE_LIMITED"]] * 7


def test_networks_of_ipv6_have_counts_of_their_own(new_shop: OpenShop) -> None:
    shop = new_shop(sign_in={"codes_per_network": 1})

    def ask(number: int, network: str) -> list[str]:
        return user_codes(shop.customer({"phone": f"+7917555{number:04}"}, network).request_code())

    assert ask(1, "2001:db8:1:2::1") == []
    assert ask(2, "2001:db8:1:2:ffff::9") == ["RATE_LIMITED"]
    assert ask(3, "2001:db8:1:3::1") == []
    assert sum(shop.sent().values()) == 2


def test_an_unknown_phone_looks_like_a_known_one(shop: Shop, logs: Logs) -> None:
    """The same bytes, the same steps, the same message: and no back office is asked, whose answer could take time."""
    both = (ANNA, stranger())
    known, unknown = (shop.customer(contact).post(REQUEST, {"contact": contact}) for contact in both)
    assert known.content == unknown.content
    assert (known.status_code, dict(known.headers)) == (200, dict(unknown.headers) | {"date": known.headers["date"]})
    assert shop.calls() == NO_CALLS
    right = [shop.messages.code(contact) for contact in both]
    texts = [shop.messages.to(contact)[0].replace(code, "") for contact, code in zip(both, right, strict=True)]
    assert texts[0] == texts[1]
    steps = [(line["event"], sorted(line)) for line in logs]
    assert steps[: len(steps) // 2] == steps[len(steps) // 2 :]
    # A wrong code says no more than that.
    wrong = [shop.customer(contact).enter(other(code)) for contact, code in zip(both, right, strict=True)]
    assert wrong == [REFUSED, REFUSED]
    assert shop.calls() == NO_CALLS
