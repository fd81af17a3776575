"""Bad inputs, group F: objects. Another's answers as one that is absent; whose it is comes from no argument."""

import base64
from typing import Any

import pytest

from bff.schema.ids import global_id
from tests.sign_in.customer import REFRESH, REGISTER, REQUEST, SIGN_IN, Customer, codes
from tests.sign_in.shop import ANNA, NO_CALLS, Shop, stranger

NODE = "query Node($id: ID!) { node(id: $id) { id ... on Order { number total { amount } } } }"
LAST_ORDER = "{ dashboard { lastOrder { id number } } }"
ABSENT = global_id("Order", "00000000-03e9-11ee-8016-00155d0a1b2c")


@pytest.fixture
def boris(shop: Shop) -> Customer:
    """Somebody who has just registered and has nothing."""
    boris = shop.customer(stranger())
    boris.register(boris.ticket(), "Борис")
    return boris


def test_anothers_order_by_its_id_answers_as_an_absent_one(shop: Shop, boris: Customer) -> None:
    anna = shop.customer(ANNA).sign_in()
    order = anna.ask(LAST_ORDER)["data"]["dashboard"]["lastOrder"]
    assert anna.ask(NODE, {"id": order["id"]})["data"]["node"]["number"] == order["number"]
    anothers, absent = (boris.post(NODE, {"id": id_}) for id_ in (order["id"], ABSENT))
    assert codes(anothers.json()) == ["NOT_FOUND"]
    assert anothers.json()["data"] == {"node": None}
    assert anothers.content == absent.content
    # The same in a browser.
    shop.later(30)
    boris.tokens = None
    boris.sign_in("COOKIE")
    assert boris.post(NODE, {"id": order["id"]}).content == absent.content


def test_anothers_order_in_a_list_of_own_ones(shop: Shop, boris: Customer) -> None:
    """Batched into one call of the back office, and still told apart."""
    anna = shop.customer(ANNA).sign_in()
    order = anna.ask(LAST_ORDER)["data"]["dashboard"]["lastOrder"]
    query = "query Two($a: ID!, $b: ID!) { a: node(id: $a) { id } b: node(id: $b) { id } }"
    answer = anna.ask(query, {"a": order["id"], "b": ABSENT})
    assert answer["data"] == {"a": {"id": order["id"]}, "b": None}
    answer = boris.ask(query, {"a": order["id"], "b": ABSENT})
    assert (answer["data"], codes(answer)) == ({"a": None, "b": None}, ["NOT_FOUND"] * 2)


def encoded(text: bytes) -> str:
    return base64.urlsafe_b64encode(text).decode()


BAD_IDS = {
    "another type": global_id("Product", "p-184"),
    "the customer": global_id("Customer", "c-1001"),
    "the bonus account": global_id("BonusAccount", "c-1001"),
    "no type": encoded(b"c8849227-03e9-11ee-8016-00155d0a1b2c"),
    "no id": encoded(b"Order:"),
    "no base64": "T3JkZXI6Yzg4*",
    "padding missing": "T3JkZXI6Yzg4NDkyMjctMDNlOS0xMWVlLTgwMTYtMDAxNTVkMGExYjJ",
    "other alphabet": "T3JkZXI6///+",
    "not UTF-8": encoded(b"Order:\xff\xfe"),
    "control characters": encoded(b"Order:\x00\n"),
    "markup": encoded(b"Order:]]></x><y>"),
    "long": encoded(b"Order:" + b"a" * 300),
    "plain": "c-1001",
    "empty": "",
    "not ASCII": "Заказ",
}


@pytest.mark.parametrize("how", BAD_IDS)
def test_ids_that_are_none_answer_as_an_absent_one(shop: Shop, boris: Customer, how: str) -> None:
    absent = boris.post(NODE, {"id": ABSENT})
    assert codes(absent.json()) == ["NOT_FOUND"]
    assert boris.post(NODE, {"id": BAD_IDS[how]}).content == absent.content


def test_a_guest_learns_nothing_about_any_id(shop: Shop) -> None:
    guest = shop.customer()
    answers = [guest.post(NODE, {"id": id_}).content for id_ in (ABSENT, *BAD_IDS.values())]
    assert len(set(answers)) == 1
    assert codes(guest.ask(NODE, {"id": ABSENT})) == ["UNAUTHENTICATED"]
    assert shop.calls() == NO_CALLS


SMUGGLED: list[tuple[str, str, dict[str, Any]]] = [
    ("in an argument", '{ dashboard(customerId: "c-1001") { profile { displayName } } }', {}),
    ("in a section", '{ dashboard { profile(customer: "c-1001") { displayName } } }', {}),
    ("in a node", '{ node(id: "%s", customerId: "c-1001") { id } }' % ABSENT, {}),  # noqa: UP031
    (
        "in an input",
        'mutation { registerCustomer(input: {ticket: "t", firstName: "a", customerId: "c-1001"}) { signedIn } }',
        {},
    ),
    (
        "in a session's input",
        'mutation { refreshSession(input: {refreshToken: "t", scope: "kabinet.staff"}) { tokens { accessToken } } }',
        {},
    ),
    ("in an argument of signing out", 'mutation { signOutEverywhere(customerId: "c-1001") { signedOut } }', {}),
]


@pytest.mark.parametrize(("query", "variables"), [each[1:] for each in SMUGGLED], ids=[each[0] for each in SMUGGLED])
def test_a_customers_id_smuggled_in(shop: Shop, boris: Customer, query: str, variables: dict[str, Any]) -> None:
    reset(shop)
    answer = boris.ask(query, variables)
    assert codes(answer) == ["GRAPHQL_VALIDATION_FAILED"]
    assert "data" not in answer
    assert shop.calls() == NO_CALLS


def test_a_customers_id_smuggled_into_variables(shop: Shop, boris: Customer) -> None:
    reset(shop)
    contact = {"phone": "+79000001001"}
    for query, variables in (
        (REQUEST, {"contact": {**contact, "customerId": "c-1001"}}),
        (SIGN_IN, {"contact": {**contact, "id": "c-1001"}, "code": "123456"}),
    ):
        answer = boris.ask(query, variables)
        assert codes(answer) == ["BAD_USER_INPUT"]
        assert "data" not in answer
    # A variable that no operation has is none: it changes nothing.
    answer = boris.ask(LAST_ORDER, {"customerId": "c-1001"})
    assert answer["data"] == {"dashboard": {"lastOrder": None}}
    assert shop.sent().keys() == set(boris.contact.values())


@pytest.mark.parametrize(
    "contact",
    [
        {},
        {"phone": None},
        {"phone": None, "email": None},
        {"phone": "+79000001001", "email": None},
        {"phone": "+79000001001", "email": "anna.sokolova@pochta.example"},
        {"phone": ["+79000001001"]},
        {"phone": 79_000_001_001},
        "+79000001001",
        None,
        [{"phone": "+79000001001"}, {"phone": "+79000001002"}],
    ],
    ids=str,
)
def test_a_contact_is_exactly_one(shop: Shop, contact: Any) -> None:
    for mutation, more in ((REQUEST, {}), (SIGN_IN, {"code": "123456"})):
        answer = shop.customer().ask(mutation, {"contact": contact, **more})
        assert set(codes(answer)) == {"BAD_USER_INPUT"}, answer
        assert "data" not in answer
    assert shop.sent() == {}


@pytest.mark.parametrize(
    "contact",
    [
        "{}",
        '{phone: "+79000001001", email: "a@b.example"}',
        "{phone: null}",
        "{phone: $none}",
        "{phone: $none, email: $none}",
    ],
)
def test_a_contact_is_exactly_one_in_the_document_too(shop: Shop, contact: str) -> None:
    head = "mutation ($none: String)" if "$" in contact else "mutation"
    query = f"{head} {{ requestSignInCode(input: {{contact: {contact}}}) {{ resendAfter }} }}"
    answer = shop.customer().ask(query)
    assert set(codes(answer)) <= {"GRAPHQL_VALIDATION_FAILED", "BAD_USER_INPUT"}, answer
    assert codes(answer)
    assert answer.get("data") is None
    assert shop.sent() == {}


@pytest.mark.parametrize("text", ["", "kt1.", "kt1." + "A" * 80, "kt1." + "A" * 20_000, "ы", "\x00", "null"], ids=len)
def test_tickets_and_refresh_tokens_that_are_none(shop: Shop, text: str) -> None:
    guest = shop.customer()
    done = guest.do(REGISTER, {"ticket": text, "first": "Борис"})
    [error] = done["userErrors"]
    assert (done["signedIn"], error["code"], error["field"]) == (False, "REFUSED", ["ticket"])
    assert codes(guest.ask(REFRESH, {"token": text})) == ["UNAUTHENTICATED"]
    assert shop.calls() == NO_CALLS


def reset(shop: Shop) -> None:
    """Zero the counters of the offices."""
    for office in shop.offices:
        office.reset()
