"""Accounts by customer: which calls are made, and whose accounts are believed."""

import asyncio
from decimal import Decimal
from typing import Any

import pytest

from bff.domain import BonusAccount, CurrencyCode, CustomerId, Money, Tier
from bff.errors import BackOfficeError, BadReply, IntegrityViolation, Upstream
from bff.plugins import Adapter
from tests.unit.adapters.fake_http import Answer, Asked, FakeServer, as_json
from tests.unit.adapters.retailcrm.conftest import Make
from tests.unit.adapters.retailcrm.crm import Accounts, account, accounts, page

pytestmark = pytest.mark.anyio


async def ask(adapter: Adapter, *customers: str) -> dict[CustomerId, BonusAccount | BackOfficeError | None]:
    assert adapter.bonuses is not None
    return dict(await adapter.bonuses.bonus_accounts([CustomerId(name) for name in customers]))


def good(value: Any) -> BonusAccount:
    assert isinstance(value, BonusAccount), value
    return value


def asked_for(server: FakeServer) -> list[tuple[list[str], list[str]]]:
    """Names and account ids of each call."""
    return [(each.all("filter[customerExternalId]"), each.all("filter[ids][]")) for each in server.asked]


async def test_an_account(server: FakeServer, make: Make) -> None:
    server.behaviour = Accounts(account(13, "c-1"))
    assert await ask(make(site="main"), "c-1") == {
        "c-1": BonusAccount(
            customer=CustomerId("c-1"),
            id="13",
            balance=Decimal("120.5"),
            tier=Tier(name="Новичок", remaining_to_next=Money(Decimal(6000), CurrencyCode("RUB"))),
        )
    }
    (asked,) = server.asked
    assert asked.path == "/api/v5/loyalty/accounts"
    assert asked.headers["x-api-key"] == "k-e-y-77"
    assert asked.all("filter[sites][]") == ["main"]
    assert (asked.all("limit"), asked.all("page")) == (["100"], ["1"])


@pytest.mark.parametrize(
    ("more", "tier"),
    [
        ({"level": None}, None),
        ({"nextLevelSum": None}, Tier(name="Новичок")),
        ({"ordersSum": 99_999}, Tier(name="Новичок", remaining_to_next=Money(Decimal(0), CurrencyCode("RUB")))),
        (
            {"loyalty": {"id": 2, "currency": "kzt"}},
            Tier(name="Новичок", remaining_to_next=Money(Decimal(6000), CurrencyCode("KZT"))),
        ),
        (
            {"loyalty": {"id": 2, "currency": "points"}},
            Tier(name="Новичок", remaining_to_next=Money(Decimal(6000), CurrencyCode("RUB"))),
        ),
    ],
)
async def test_a_tier(server: FakeServer, make: Make, more: dict[str, Any], tier: Tier | None) -> None:
    server.behaviour = Accounts(account(13, "c-1", **more))
    assert good((await ask(make(), "c-1"))[CustomerId("c-1")]).tier == tier


async def test_seen_customers_share_a_call(server: FakeServer, make: Make) -> None:
    server.behaviour = Accounts(*(account(number, f"c-{number}") for number in range(1, 6)))
    adapter = make(batch=3)
    first = await ask(adapter, "c-1", "c-2", "c-3", "c-4", "c-404")
    assert sorted(first) == ["c-1", "c-2", "c-3", "c-4", "c-404"]
    assert first.pop(CustomerId("c-404")) is None, "the API searched, and there is no account"
    assert sorted(names for names, _ in asked_for(server)) == [["c-1"], ["c-2"], ["c-3"], ["c-4"], ["c-404"]]
    server.asked.clear()
    again = await ask(adapter, "c-1", "c-2", "c-3", "c-4", "c-5")
    assert {key: again[key] for key in first} == first
    assert sorted(asked_for(server)) == [([], ["1", "2", "3"]), ([], ["4"]), (["c-5"], [])]


async def test_a_wrong_memory_only_costs_a_call(server: FakeServer, make: Make) -> None:
    crm = Accounts(account(1, "c-1"), account(2, "c-2"), account(3, "c-3"))
    server.behaviour = crm
    adapter = make()
    await ask(adapter, "c-1", "c-2", "c-3")
    # c-1's account went to c-4, c-2's is gone, and both have new ones.
    crm.all = [account(1, "c-4"), account(11, "c-1", amount=7), account(12, "c-2", amount=8), account(3, "c-3")]
    server.asked.clear()
    found = await ask(adapter, "c-1", "c-2", "c-3")
    assert {key: good(value).id for key, value in found.items()} == {"c-1": "11", "c-2": "12", "c-3": "3"}
    assert sorted(asked_for(server)) == [([], ["1", "2", "3"]), (["c-1"], []), (["c-2"], [])]
    server.asked.clear()
    await ask(adapter, "c-1", "c-2", "c-3")
    assert asked_for(server) == [([], ["11", "12", "3"])]


async def test_an_account_that_is_gone_is_forgotten(server: FakeServer, make: Make) -> None:
    crm = Accounts(account(1, "c-1"))
    server.behaviour = crm
    adapter = make()
    await ask(adapter, "c-1")
    crm.all = []
    server.asked.clear()
    assert await ask(adapter, "c-1") == {"c-1": None}
    assert await ask(adapter, "c-1") == {"c-1": None}
    assert asked_for(server) == [([], ["1"]), (["c-1"], []), (["c-1"], [])]


async def test_an_account_that_moved_to_a_customer_of_the_same_call(server: FakeServer, make: Make) -> None:
    crm = Accounts(account(1, "c-1"), account(2, "c-2"))
    server.behaviour = crm
    adapter = make()
    await ask(adapter, "c-1", "c-2")
    crm.all = [account(1, "c-2", active=False), account(2, "c-2")]
    found = await ask(adapter, "c-1", "c-2")
    assert found.pop(CustomerId("c-1")) is None
    assert {key: good(value).id for key, value in found.items()} == {"c-2": "2"}


async def test_an_account_that_is_no_longer_active_is_looked_for_again(server: FakeServer, make: Make) -> None:
    crm = Accounts(account(1, "c-1"))
    server.behaviour = crm
    adapter = make()
    await ask(adapter, "c-1")
    crm.all = [account(1, "c-1", active=False), account(9, "c-1")]
    assert good((await ask(adapter, "c-1"))[CustomerId("c-1")]).id == "9"


async def test_asking_again_may_fail_without_costing_the_others(server: FakeServer, make: Make) -> None:
    crm = Accounts(account(1, "c-1"), account(2, "c-2"))
    server.behaviour = crm
    adapter = make()
    await ask(adapter, "c-1", "c-2")
    crm.all = [account(2, "c-2")]
    server.behaviour = lambda asked: crm(asked) if asked.all("filter[ids][]") else Answer(b"", 500)
    found = await ask(adapter, "c-1", "c-2")
    assert isinstance(found[CustomerId("c-1")], Upstream)
    assert good(found[CustomerId("c-2")]).id == "2"


async def test_strangers_are_passed_on(server: FakeServer, make: Make) -> None:
    crm = Accounts(account(1, "c-1"))
    server.behaviour = crm
    adapter = make()
    await ask(adapter, "c-1")
    server.behaviour = lambda _: accounts(account(66, "c-66"))
    assert "c-66" in await ask(adapter, "c-1")  # by account id
    assert "c-66" in await ask(make(), "c-2")  # by name


async def test_the_account_of_a_customer_whom_another_call_asked_for_is_a_mix_up(
    server: FakeServer, make: Make
) -> None:
    server.behaviour = lambda _: accounts(account(2, "c-2"))
    adapter = make()
    with pytest.raises(IntegrityViolation):
        await ask(adapter, "c-1", "c-2")
    crm = Accounts(account(1, "c-1"), account(2, "c-2"))
    server.behaviour = crm
    await ask(adapter, "c-1", "c-2")
    crm.all = [account(2, "c-2")]
    server.behaviour = lambda asked: crm(asked) if asked.all("filter[ids][]") else accounts(account(2, "c-2"))
    with pytest.raises(IntegrityViolation):
        await ask(adapter, "c-1", "c-2")


async def test_an_account_of_nobody_is_refused(server: FakeServer, make: Make) -> None:
    server.behaviour = lambda _: accounts(account(1, None))
    with pytest.raises(BadReply):
        await ask(make(), "c-1")


@pytest.mark.parametrize(
    ("of_the_customer", "loyalty_id", "chosen"),
    [
        ([account(1, "c-1", active=False), account(2, "c-1")], None, "2"),
        ([account(1, "c-1"), account(2, "c-1")], None, BadReply),
        ([account(1, "c-1"), account(2, "c-1", loyalty={"id": 7})], 7, "2"),
        ([account(1, "c-1")], 7, None),
        ([account(1, "c-1", active=False), account(2, "c-1", active=False)], None, "2"),
        ([account(1, "c-1"), account(1, "c-1")], None, "1"),
        ([account(1, "c-1"), account(1, "c-1", amount=1)], None, BadReply),
        ([account(1, "c-1"), account(2, "c-1", amount="many")], None, BadReply),
    ],
)
async def test_one_of_several_accounts_is_chosen(
    server: FakeServer,
    make: Make,
    of_the_customer: list[dict[str, Any]],
    loyalty_id: int | None,
    chosen: str | type[BadReply] | None,
) -> None:
    server.behaviour = lambda _: accounts(*of_the_customer)
    found = (await ask(make(loyalty_id=loyalty_id), "c-1")).get(CustomerId("c-1"))
    if isinstance(chosen, type):
        assert isinstance(found, chosen)
    else:
        assert (found and good(found).id) == chosen


async def test_pages_are_followed(server: FakeServer, make: Make) -> None:
    def behaviour(asked: Asked) -> Answer:
        number = int(asked.all("page")[0])
        return page("loyaltyAccounts", [account(number, "c-1", active=number == 3)], number=number, of=3)

    server.behaviour = behaviour
    assert good((await ask(make(), "c-1"))[CustomerId("c-1")]).id == "3"
    assert len(server.asked) == 3


@pytest.mark.parametrize("answer", [page("loyaltyAccounts", [], of=51), page("loyaltyAccounts", [], number=2, of=2)])
async def test_pages_that_never_end_are_refused(server: FakeServer, make: Make, answer: Answer) -> None:
    server.behaviour = lambda _: answer
    with pytest.raises(BadReply, match="pagination"):
        await ask(make(), "c-1")
    assert len(server.asked) == 1


@pytest.mark.parametrize("amount", ['"120.5"', "1e400", "1e-999999999", "true", "[1]", "1000000000000000", "null"])
async def test_a_balance_that_is_no_number_costs_its_customer(server: FakeServer, make: Make, amount: str) -> None:
    def behaviour(asked: Asked) -> Answer:
        return Answer(Accounts(account(1, "c-1"))(asked).body.replace(b"120.5", amount.encode()))

    server.behaviour = behaviour
    found = await ask(make(), "c-1")
    error = found[CustomerId("c-1")]
    assert isinstance(error, BadReply)
    assert "amount" in str(error)
    assert "120" not in str(error)


async def test_a_bad_account_costs_only_its_owner(server: FakeServer, make: Make) -> None:
    crm = Accounts(account(1, "c-1"), account(2, "c-2"))
    server.behaviour = crm
    adapter = make()
    await ask(adapter, "c-1", "c-2")
    crm.all = [account(1, "c-1", amount="NaN"), account(2, "c-2")]
    found = await ask(adapter, "c-1", "c-2")
    assert isinstance(found[CustomerId("c-1")], BadReply)
    assert good(found[CustomerId("c-2")]).id == "2"


async def test_a_balance_keeps_all_its_digits(server: FakeServer, make: Make) -> None:
    digits = b"0.1000000000000000055511151231257827021181583404541015625"
    answer = accounts(account(1, "c-1"))
    server.behaviour = lambda _: Answer(answer.body.replace(b"120.5", digits))
    assert good((await ask(make(), "c-1"))[CustomerId("c-1")]).balance == Decimal(digits.decode())


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (Answer(b'{"success": true, "loyaltyAccounts": [{"id": 50'), BadReply),
        (Answer(b'{"success": true, "loyaltyAccounts": []}', cut=2), BadReply),
        (Answer(b'{"success": true, "loyaltyAccounts": [NaN]}'), BadReply),
        (Answer(b'{"success": true}'), BadReply),
        (Answer(b'{"success": "yes", "loyaltyAccounts": []}'), BadReply),
        (Answer(b'{"success": true, "loyaltyAccounts": {}}'), BadReply),
        (Answer(b"[" * 100_000), BadReply),
        (Answer(b'{"success": true, "x": 1e99999999999999999999, "loyaltyAccounts": [{"id": 1e9}]}'), BadReply),
        (Answer(b""), BadReply),
        (as_json({"success": False, "errorMsg": "c-1 is bad"}), Upstream),
        (as_json({"success": False, "errorMsg": "c-1 is bad"}, 400), Upstream),
    ],
)
async def test_a_bad_answer_is_its_error(
    server: FakeServer, make: Make, answer: Answer, error: type[BackOfficeError]
) -> None:
    server.behaviour = lambda _: answer
    with pytest.raises(error) as caught:
        await ask(make(), "c-1")
    assert "c-1" not in str(caught.value)


@pytest.mark.parametrize("key", ["", " ", "c-1\n", "c\0", "\ud800"])
async def test_an_id_that_cannot_be_is_not_asked_for(server: FakeServer, make: Make, key: str) -> None:
    assert await ask(make(), key) == {}
    assert server.asked == []


async def test_a_key_stays_one_parameter(server: FakeServer, make: Make) -> None:
    server.behaviour = lambda _: accounts()
    await ask(make(), "c-1&filter[ids][]=7")
    assert asked_for(server) == [(["c-1&filter[ids][]=7"], [])]


async def test_calls_keep_to_the_pool_and_cancelling_leaves_it_usable(server: FakeServer, make: Make) -> None:
    arrived, go = asyncio.Semaphore(0), asyncio.Event()

    async def behaviour(_: Asked) -> Answer:
        arrived.release()
        await go.wait()
        return accounts()

    server.behaviour = behaviour
    adapter = make(pool=2)
    for _ in range(3):
        task = asyncio.create_task(ask(adapter, "c-1", "c-2", "c-3", "c-4"))
        await arrived.acquire()
        await arrived.acquire()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    go.set()
    server.most_in_flight = 0
    server.asked.clear()
    assert set((await ask(adapter, "c-1", "c-2", "c-3", "c-4", "c-5")).values()) == {None}
    assert len(server.asked) == 5
    assert server.most_in_flight <= 2
