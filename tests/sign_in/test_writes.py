"""Bad inputs, group G, as far as there is something to write: whatever happens, a customer is made once."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from bff.demo.launch import DemoOffices
from tests.patience import PATIENT_MS, until
from tests.resilience.fault_proxy import fault_proxy
from tests.resilience.faults import Cut, Fault, Hang, Reset
from tests.sign_in.conftest import OpenShop
from tests.sign_in.customer import REGISTER, REQUEST, codes, user_codes
from tests.sign_in.shop import Shop, stranger

REGISTRATIONS = "ЗарегистрироватьКлиента"


def registrations(shop: Shop) -> int:
    """How many customers the ERP was asked to make."""
    return shop.offices.erp.calls()[REGISTRATIONS]


def test_the_same_ticket_fifty_times_at_once_makes_one_customer(shop: Shop) -> None:
    boris = shop.customer(stranger())
    ticket = boris.ticket()

    def register(number: int) -> dict[str, Any]:
        variables = {"ticket": ticket, "first": f"Борис {number}"}
        done: dict[str, Any] = boris.post(REGISTER, variables).json()["data"]["done"]
        return done

    with ThreadPoolExecutor(50) as threads:
        answers = list(threads.map(register, range(50)))
    assert sum(done["signedIn"] for done in answers) == 1
    assert [user_codes(done) for done in answers if not done["signedIn"]] == [["REFUSED"]] * 49
    assert registrations(shop) == 1


def test_the_same_ticket_with_another_name_changes_nothing(shop: Shop) -> None:
    boris = shop.customer(stranger())
    ticket = boris.ticket()
    boris.register(ticket, "Борис")
    assert user_codes(shop.customer().register(ticket, "Глеб")) == ["REFUSED"]
    assert registrations(shop) == 1
    profile = boris.profile()
    assert profile is not None
    assert profile["displayName"] == "Борис"


def test_two_tickets_of_one_contact_make_one_customer(shop: Shop) -> None:
    """The ERP knows the contact by the time that the second one comes."""
    contact = stranger()
    here, there = shop.customer(contact), shop.customer(contact)
    first = here.ticket()
    shop.later(30)
    there.asked_for = 1
    second = there.ticket()
    assert here.register(first, "Борис")["signedIn"]
    assert there.register(second, "Глеб")["signedIn"]
    profile = there.profile()
    assert profile == here.profile()
    assert profile is not None
    assert profile["displayName"] == "Борис"


def test_a_ticket_expires_and_an_altered_one_is_none(shop: Shop) -> None:
    boris = shop.customer(stranger())
    ticket = boris.ticket()
    for altered in (ticket[:-1] + ("A" if ticket[-1] != "A" else "B"), ticket.swapcase(), ticket + "A", ticket[4:]):
        assert user_codes(boris.register(altered, "Борис")) == ["REFUSED"]
    shop.later(600)
    assert user_codes(boris.register(ticket, "Борис")) == ["REFUSED"]
    assert registrations(shop) == 0


@pytest.mark.parametrize("fault", [Hang(delivers=True), Reset(after_bytes=0), Cut(after_bytes=30)], ids=str)
def test_after_an_unknown_outcome_it_is_sent_again_and_makes_one_customer(
    new_shop: OpenShop, offices: DemoOffices, fault: Fault
) -> None:
    """The ERP made the customer, and its answer was lost. The ticket stays good; whom it made comes in."""
    with fault_proxy("127.0.0.1", offices.erp.port) as proxy:
        address = offices.erp.service.replace(f"127.0.0.1:{offices.erp.port}", proxy.address)
        # Only what hangs is a matter of time.
        limit = 3_000 if isinstance(fault, Hang) else PATIENT_MS
        shop = new_shop(back_offices={"erp": {"address": address, "write_timeout_ms": limit}})
        boris = shop.customer(stranger())
        ticket = boris.ticket()
        proxy.set(fault)
        answer = boris.ask(REGISTER, {"ticket": ticket, "first": "Борис"})
        assert answer.get("data") is None
        assert codes(answer)[0] in {"TIMEOUT", "UNAVAILABLE", "UPSTREAM", "BAD_REPLY"}
        # A write is sent once, whatever comes of it.
        assert registrations(shop) == 1
        proxy.heal()
        variables = {"ticket": ticket, "first": "Глеб"}
        until(lambda: "errors" not in boris.ask(REGISTER, variables), "the breaker stays open")
        assert registrations(shop) >= 2
        shop.later(30)
        boris.asked_for = 1
        profile = boris.sign_in().profile()
        assert profile is not None
        assert profile["displayName"] == "Борис"


@pytest.mark.parametrize("fail", ["refuse", "500", "malformed"])
def test_after_a_failure_it_is_sent_again(new_shop: OpenShop, fail: Any) -> None:
    shop = new_shop(back_offices={"erp": {"write_timeout_ms": PATIENT_MS}})
    boris = shop.customer(stranger())
    variables = {"ticket": boris.ticket(), "first": "Борис"}
    shop.offices.erp.faults(fail=fail, operation=REGISTRATIONS)
    answer = boris.ask(REGISTER, variables)
    assert answer.get("data") is None
    assert codes(answer)[0] in {"UNAVAILABLE", "UPSTREAM", "BAD_REPLY"}
    # A write is sent once, whatever comes of it.
    assert registrations(shop) == 1
    shop.offices.erp.faults()
    until(lambda: "errors" not in boris.ask(REGISTER, variables), "the breaker stays open")
    assert registrations(shop) == 2


def test_ten_requests_for_a_code_in_one_operation_send_one(shop: Shop) -> None:
    contact = stranger()
    fields = " ".join(
        f"a{number}: requestSignInCode(input: {{contact: $contact}}) {{ userErrors {{ code }} }}"
        for number in range(10)
    )
    answer = shop.customer(contact).ask(f"mutation Many($contact: ContactInput!) {{ {fields} }}", {"contact": contact})
    assert [user_codes(done) for done in answer["data"].values()] == [[], *[["RATE_LIMITED"]] * 9]
    assert shop.sent() == {contact["phone"]: 1}


def test_the_store_holds_nothing_in_clear(shop: Shop) -> None:
    boris = shop.customer(stranger())
    code = boris.code()
    offer = boris.enter(code)["registration"]
    boris.register(offer["ticket"], "Святополк")
    shop.customer().do(REQUEST, {"contact": {"email": "anna.sokolova@pochta.example"}})
    stored = shop.everything_stored()
    for secret in (code, *boris.contact.values(), "Святополк", "anna.sokolova", boris.network, boris.refresh_token):
        assert secret.encode() not in stored
