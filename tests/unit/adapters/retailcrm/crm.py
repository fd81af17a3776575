"""Answers as RetailCRM writes them."""

from collections.abc import Mapping, Sequence
from typing import Any

from tests.unit.adapters.fake_http import Answer, Asked, as_json


def account(number: int, owner: str | None, **more: Any) -> dict[str, Any]:
    """One account; names of `more` as in the API."""
    return {
        "active": True,
        "id": number,
        "loyalty": {"id": 2, "currency": "rub"},
        "customer": {"id": number + 100, "externalId": owner, "customFields": []},
        "phoneNumber": "79000000000",
        "amount": 120.5,
        "ordersSum": 4000,
        "nextLevelSum": 10000,
        "level": {"type": "bonus_percent", "id": 5, "name": "Новичок", "privilegeSize": 5},
        "status": "activated",
        **more,
    }


def page(name: str, items: Sequence[Any], *, number: int = 1, of: int = 1, **more: Any) -> Answer:
    """One page of a list."""
    pagination = {"limit": 100, "totalCount": len(items), "currentPage": number, "totalPageCount": of}
    return as_json({"success": True, "pagination": pagination, name: list(items), **more})


def accounts(*items: Mapping[str, Any]) -> Answer:
    """The whole list of accounts."""
    return page("loyaltyAccounts", items)


class Accounts:
    """`GET /api/v5/loyalty/accounts` over accounts that a test may change."""

    def __init__(self, *all_of_them: dict[str, Any]) -> None:
        self.all = list(all_of_them)

    def __call__(self, asked: Asked) -> Answer:
        numbers = {int(text) for text in asked.all("filter[ids][]")}
        owners = asked.all("filter[customerExternalId]")
        return accounts(
            *(each for each in self.all if each["id"] in numbers or each["customer"]["externalId"] in owners)
        )
