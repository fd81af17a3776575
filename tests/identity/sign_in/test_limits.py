"""What one network and all together may ask for. Who is refused uses up nobody's share."""

import asyncio
from collections.abc import MutableMapping
from typing import Any

import pytest

from bff.domain import Contact, ContactKind
from bff.identity.sessions import Session
from bff.identity.sign_in import CodeSent, RateLimited, Refused, RegistrationNeeded
from bff.identity.throttle import network_of
from tests.identity.sign_in.door import ANNA, BORIS, HOME, Door, by_outcome
from tests.identity.sign_in.steps import SteppedStore

ELSEWHERE = "198.51.100.1"


def neighbour(number: int) -> Contact:
    return Contact(ContactKind.PHONE, f"+7916200{number:04}")


@pytest.mark.anyio
async def test_one_network_gets_twenty_codes_an_hour(door: Door) -> None:
    door.sign_in = door.another(codes_per_network=20)
    for number in range(20):
        assert isinstance(await door.ask(neighbour(number)), CodeSent)
        door.later(60)
    answer = await door.ask(neighbour(20))
    assert answer == RateLimited(3_600 - 20 * 60)
    assert isinstance(await door.ask(neighbour(20), ELSEWHERE), CodeSent)
    door.later(3_600 - 20 * 60)
    assert isinstance(await door.ask(neighbour(21)), CodeSent)
    assert len(door.post.messages) == 22


@pytest.mark.anyio
async def test_a_thousand_neighbouring_numbers_from_one_network_get_twenty_codes(door: Door) -> None:
    door.sign_in = door.another(codes_per_network=20)
    answers = await asyncio.gather(*(door.sign_in.request_code(neighbour(n), HOME, "ru") for n in range(1_000)))
    await door.sign_in.close()
    assert by_outcome(answers) == {"CodeSent": 20, "RateLimited": 980}
    assert len(door.post.messages) == 20
    # Those who got none are as they were: from their own networks they get their first code.
    refused = next(number for number, answer in enumerate(answers) if isinstance(answer, RateLimited))
    assert await door.ask(neighbour(refused), ELSEWHERE) == CodeSent(resend_after=30, expires_in=300)


@pytest.mark.anyio
async def test_a_refused_request_leaves_a_code_as_it_was(door: Door) -> None:
    """Where many ask at once from a network that may ask once, the codes of all but one are withdrawn."""
    contacts = [neighbour(number) for number in range(10)]
    codes = [await door.code(contact) for contact in contacts]
    door.later(30)
    door.sign_in = door.another(codes_per_network=1)
    answers = await asyncio.gather(*(door.ask(contact, ELSEWHERE) for contact in contacts))
    assert by_outcome(answers) == {"CodeSent": 1, "RateLimited": 9}
    for contact, code, answer in zip(contacts, codes, answers, strict=True):
        outcome = await door.enter(code, contact)
        assert isinstance(outcome, RegistrationNeeded if isinstance(answer, RateLimited) else Refused)


@pytest.mark.anyio
async def test_a_newer_code_is_not_withdrawn_with_the_one_before_it(door: Door) -> None:
    """A request that is refused late, when the next one was answered already."""
    store = SteppedStore(door.path, clock=door.watch)
    await store.open()
    slow = door.another(store, codes_per_network=1)

    async def overtake(number: int, name: str) -> None:
        if number == 5:
            await door.ask(neighbour(1), HOME)
            door.later(30)
            await door.ask(ANNA, ELSEWHERE)

    store.restart(overtake)
    assert isinstance(await slow.request_code(ANNA, HOME, "ru"), RateLimited)
    assert len(door.post.to(ANNA)) == 1
    assert isinstance(await door.enter(door.last_code(ANNA)), Session)
    await store.close()


@pytest.mark.anyio
async def test_many_requests_for_one_phone_use_up_no_network(door: Door) -> None:
    door.sign_in = door.another(codes_per_network=20, codes_per_shop=20)
    answers = [await door.ask(ANNA) for _ in range(100)]
    assert by_outcome(answers) == {"CodeSent": 1, "RateLimited": 99}
    answers = await asyncio.gather(*(door.ask(ANNA) for _ in range(100)))
    assert by_outcome(answers) == {"RateLimited": 100}
    assert isinstance(await door.ask(BORIS), CodeSent)
    assert len(door.post.messages) == 2


@pytest.mark.anyio
async def test_ten_thousand_requests_for_one_phone_at_once_send_one_code_and_others_sign_in(
    door: Door, logs: list[MutableMapping[str, Any]]
) -> None:
    door.sign_in = door.another(codes_per_network=20)
    flood = asyncio.gather(
        *(door.sign_in.request_code(ANNA, f"10.0.{n % 200}.{n // 200}", "ru") for n in range(10_000))
    )
    await asyncio.sleep(0)
    assert isinstance(await door.ask(BORIS), CodeSent)
    assert by_outcome(await flood) == {"CodeSent": 1, "RateLimited": 9_999}
    await door.sign_in.close()
    assert len(door.post.to(ANNA)) == 1
    assert sum(line["event"] == "code refused" for line in logs) == 9_999


@pytest.mark.anyio
async def test_all_together_get_a_thousand_codes_an_hour(door: Door) -> None:
    door.sign_in = door.another(codes_per_shop=1_000)
    networks = [f"203.0.{number // 200}.{number % 200}" for number in range(1_010)]
    answers = await asyncio.gather(
        *(door.sign_in.request_code(neighbour(n), network, "ru") for n, network in enumerate(networks))
    )
    await door.sign_in.close()
    assert by_outcome(answers) == {"CodeSent": 1_000, "RateLimited": 10}
    assert len(door.post.messages) == 1_000
    answer = await door.ask(ANNA)
    assert answer == RateLimited(3_600)
    door.later(3_600)
    assert isinstance(await door.ask(ANNA), CodeSent)


@pytest.mark.anyio
async def test_who_is_refused_by_the_network_uses_up_no_share_of_the_shop(door: Door) -> None:
    door.sign_in = door.another(codes_per_network=2, codes_per_shop=5)
    await asyncio.gather(*(door.ask(neighbour(number)) for number in range(50)))
    for number in range(3):
        assert isinstance(await door.ask(neighbour(100 + number), f"203.0.113.{number}"), CodeSent)
    assert isinstance(await door.ask(neighbour(200), "203.0.113.9"), RateLimited)


@pytest.mark.anyio
async def test_one_network_may_check_a_hundred_codes_an_hour(door: Door) -> None:
    door.sign_in = door.another(checks_per_network=100)
    code = await door.code()
    answers = await asyncio.gather(*(door.enter("000000", neighbour(number)) for number in range(120)))
    assert by_outcome(answers) == {"Refused": 100, "RateLimited": 20}
    answer = await door.enter(code)
    assert answer == RateLimited(3_600)
    assert isinstance(await door.enter(code, network=ELSEWHERE), Session)
    assert await door.enter(code, network=ELSEWHERE) == Refused()


@pytest.mark.anyio
async def test_the_networks_of_ipv6_are_as_large_as_a_customers(door: Door) -> None:
    door.sign_in = door.another(codes_per_network=1)
    assert isinstance(await door.ask(neighbour(1), "2001:db8:1:2::1"), CodeSent)
    assert isinstance(await door.ask(neighbour(2), "2001:db8:1:2:ffff::9"), RateLimited)
    assert isinstance(await door.ask(neighbour(2), "2001:db8:1:3::1"), CodeSent)


@pytest.mark.anyio
async def test_the_store_holds_no_address_in_clear(door: Door) -> None:
    await door.code()
    assert HOME.encode() not in door.everything_stored()


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::/64", "2001:db8:1:2::/64"),  # as the edge says it
        ("fe80::1%eth0", "fe80::/64"),
        ("192.0.2.7, 10.0.0.1", "unknown"),
        ("192.0.2.07", "unknown"),
        ("", "unknown"),
        (None, "unknown"),
    ],
)
def test_what_counts_as_one_network(address: str | None, network: str) -> None:
    assert network_of(address) == network
