"""The loyalty system keeps RetailCRM's ways: the key, filters, pages, numbers as JSON numbers."""

from collections.abc import Callable
from typing import Any

import httpx2
import pytest

from bff.demo.data import bonuses, people
from bff.demo.data.world import World
from bff.demo.launch import DemoOffices, demo_office

Get = Callable[..., Any]


@pytest.fixture
def get(offices: DemoOffices, http: httpx2.Client) -> Get:
    """Returns the JSON of a good answer."""

    def do(path: str, **query: Any) -> Any:
        parameters = {key.replace("__", "[") + "]" * key.count("__"): value for key, value in query.items()}
        response = http.get(f"{offices.loyalty.address}{path}", params=parameters, headers={"X-API-KEY": "demo"})
        assert response.status_code == 200
        answer = response.json()
        assert answer["success"] is True
        return answer

    return do


ACCOUNTS = "/api/v5/loyalty/accounts"


def test_the_key_by_header_or_by_query(offices: DemoOffices, http: httpx2.Client) -> None:
    address = f"{offices.loyalty.address}/api/credentials"
    assert http.get(address, headers={"X-API-KEY": "demo"}).json()["siteAccess"] == "access_full"
    assert http.get(address, params={"apiKey": "demo"}).status_code == 200
    for refused in (http.get(address), http.get(address, headers={"X-API-KEY": "wrong"})):
        assert refused.status_code == 403
        assert refused.json() == {"success": False, "errorMsg": 'Wrong "apiKey" value.'}
    assert offices.loyalty.calls() == {"credentials": 4}


def test_account(get: Get) -> None:
    answer = get(ACCOUNTS, **{"filter[customerExternalId]": "c-1001"})
    assert answer["pagination"] == {"limit": 20, "totalCount": 1, "currentPage": 1, "totalPageCount": 1}
    (account,) = answer["loyaltyAccounts"]
    assert account["id"] == 5001
    assert account["status"] == "activated"
    assert account["customer"] == {
        "id": 20001,
        "externalId": "c-1001",
        "site": "shop-example",
        "firstName": "Анна",
        "lastName": "Соколова",
    }
    assert account["level"]["name"] == "Золотой"
    assert account["loyalty"]["currency"] == "RUB"
    assert account["amount"] > 0
    assert account["ordersSum"] < account["nextLevelSum"]
    assert len(account["createdAt"]) == len("2024-05-01 12:30:00")


def test_the_new_customer_has_nothing_yet(get: Get) -> None:
    (account,) = get(ACCOUNTS, **{"filter[customerId]": 20002})["loyaltyAccounts"]
    assert (account["amount"], account["ordersSum"]) == (0, 0)
    for status in ("waiting_activation", "burn_soon"):
        details = get(f"/api/v5/loyalty/account/{account['id']}/bonus/{status}/details")
        assert (details["bonuses"], details["statistic"]) == ([], {"totalAmount": 0})


def test_the_highest_level_has_no_next(get: Get) -> None:
    (account,) = get(ACCOUNTS, **{"filter[customerExternalId]": "c-1003"})["loyaltyAccounts"]
    assert account["level"]["name"] == "Платиновый"
    assert "nextLevelSum" not in account


def test_filters(get: Get) -> None:
    def owners(**query: Any) -> list[str]:
        return [account["customer"]["externalId"] for account in get(ACCOUNTS, **query)["loyaltyAccounts"]]

    assert owners(**{"filter[ids][]": [5003, 5001, 99]}) == ["c-1001", "c-1003"]
    assert owners(**{"filter[phoneNumber]": "+7 900 000-10-02"}) == ["c-1002"]
    assert owners(**{"filter[customerExternalId]": "c-9999"}) == []
    assert owners(**{"filter[ids][]": [5003], "filter[customerExternalId]": "c-1001"}) == []


def test_pages_of_accounts(get: Get, world: World) -> None:
    last = get(ACCOUNTS, limit=100, page=18)
    assert last["pagination"]["totalCount"] == len(bonuses.members(world))
    assert last["pagination"]["totalPageCount"] == -(-len(bonuses.members(world)) // 100)
    assert get(ACCOUNTS, limit=20, page=999)["loyaltyAccounts"] == []


def test_burning_lots_come_in_pages(get: Get, world: World) -> None:
    path = "/api/v5/loyalty/account/5003/bonus/burn_soon/details"
    first, second = get(path, limit=20), get(path, limit=20, page=2)
    assert first["pagination"] == {"limit": 20, "totalCount": 27, "currentPage": 1, "totalPageCount": 2}
    lots = first["bonuses"] + second["bonuses"]
    assert [lot["date"] for lot in lots] == [lot.on.isoformat() for lot in bonuses.account(world, 1003).burning]
    assert first["statistic"]["totalAmount"] == sum(lot["amount"] for lot in lots)


def test_lots_of_the_customer_with_everything(get: Get, offices: DemoOffices) -> None:
    for status, at_least in (("waiting_activation", 1), ("burn_soon", 3)):
        lots = get(f"/api/v5/loyalty/account/5001/bonus/{status}/details", limit=50)["bonuses"]
        assert len({lot["date"] for lot in lots}) >= at_least
    assert offices.loyalty.calls() == {"bonus_waiting_activation": 1, "bonus_burn_soon": 1}


def test_personal_discounts(get: Get) -> None:
    answer = get("/api/v5/customers", **{"filter[externalIds][]": ["c-1001", "c-1002", "c-9999"]}, limit=100)
    anna, oleg = answer["customers"]
    assert (anna["externalId"], anna["personalDiscount"], anna["phones"]) == ("c-1001", 7, [{"number": "+79000001001"}])
    assert (oleg["externalId"], oleg["personalDiscount"], "email" in oleg) == ("c-1002", 0, False)
    assert get("/api/v5/customers")["pagination"]["totalCount"] == people.LAST - people.FIRST + 1


@pytest.mark.parametrize(
    ("path", "status"),
    [
        (f"{ACCOUNTS}?limit=21", 400),
        (f"{ACCOUNTS}?limit=x", 400),
        (f"{ACCOUNTS}?page=0", 400),
        (f"{ACCOUNTS}?filter[ids][]=x", 400),
        ("/api/v5/loyalty/account/999/bonus/burn_soon/details", 404),
        ("/api/v5/loyalty/account/5001/bonus/burned/details", 404),
    ],
)
def test_refusals(offices: DemoOffices, http: httpx2.Client, path: str, status: int) -> None:
    response = http.get(f"{offices.loyalty.address}{path}", headers={"X-API-KEY": "demo"})
    assert response.status_code == status


def test_an_unknown_account_is_said_in_json(offices: DemoOffices, http: httpx2.Client) -> None:
    address = f"{offices.loyalty.address}/api/v5/loyalty/account/999/bonus/burn_soon/details"
    assert http.get(address, headers={"X-API-KEY": "demo"}).json()["success"] is False


def test_too_many_calls_a_second(http: httpx2.Client) -> None:
    with demo_office("loyalty", options={"per_second": 2, "api_key": "other"}) as office:
        headers = {"X-API-KEY": "other"}
        responses = [http.get(f"{office.address}/api/credentials", headers=headers)]
        # A busy machine may ask no more often than it may.
        while responses[-1].status_code == 200 and len(responses) < 1_000:
            responses.append(http.get(f"{office.address}/api/credentials", headers=headers))
    assert len(responses) > 2
    assert responses[-1].status_code == 503
    assert responses[-1].headers["Retry-After"] == "1"
    assert responses[-1].json()["success"] is False
