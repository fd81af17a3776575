"""What comes and what burns: one call an account."""

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from bff.domain import BonusAccount, BonusExpirations, BonusLot, CustomerId, PendingBonuses
from bff.errors import BadReply, Unknown, Upstream
from tests.unit.adapters.fake_http import Answer, Asked, FakeServer, as_json
from tests.unit.adapters.retailcrm.conftest import Make
from tests.unit.adapters.retailcrm.crm import page

pytestmark = pytest.mark.anyio


def of(customer: str, number: str) -> BonusAccount:
    return BonusAccount(customer=CustomerId(customer), id=number, balance=Decimal(0))


def lots(*items: tuple[Any, Any], number: int = 1, pages: int = 1, total: Any = 240) -> Answer:
    bonuses = [{"date": day, "amount": amount} for day, amount in items]
    return page("bonuses", bonuses, number=number, of=pages, statistic={"totalAmount": total})


async def test_pending(server: FakeServer, make: Make) -> None:
    server.behaviour = lambda asked: lots(total=0.5) if "/13/" in asked.path else lots(total=7)
    details = make().bonus_details
    assert details is not None
    assert await details.pending_bonuses([of("c-1", "13"), of("c-2", "14")]) == {
        "c-1": PendingBonuses(customer=CustomerId("c-1"), amount=Decimal("0.5")),
        "c-2": PendingBonuses(customer=CustomerId("c-2"), amount=Decimal(7)),
    }
    assert sorted(asked.path for asked in server.asked) == [
        "/api/v5/loyalty/account/13/bonus/waiting_activation/details",
        "/api/v5/loyalty/account/14/bonus/waiting_activation/details",
    ]


async def test_expirations_of_all_pages_soonest_first(server: FakeServer, make: Make) -> None:
    def behaviour(asked: Asked) -> Answer:
        if asked.all("page") == ["1"]:
            return lots(("2027-03-01", 10), ("2026-12-01 00:00:00", 5.5), number=1, pages=2)
        return lots(("2026-11-30", 1), number=2, pages=2)

    server.behaviour = behaviour
    details = make().bonus_details
    assert details is not None
    assert await details.bonus_expirations([of("c-1", "13")]) == {
        "c-1": BonusExpirations(
            customer=CustomerId("c-1"),
            lots=(
                BonusLot(amount=Decimal(1), expires_on=date(2026, 11, 30)),
                BonusLot(amount=Decimal("5.5"), expires_on=date(2026, 12, 1)),
                BonusLot(amount=Decimal(10), expires_on=date(2027, 3, 1)),
            ),
        )
    }
    assert {asked.path for asked in server.asked} == {"/api/v5/loyalty/account/13/bonus/burn_soon/details"}


async def test_an_account_that_fails_costs_only_its_customer(server: FakeServer, make: Make) -> None:
    def behaviour(asked: Asked) -> Answer:
        if "/1/" in asked.path:
            return as_json({"success": False, "errorMsg": "Not found"}, 404)
        if "/2/" in asked.path:
            return Answer(b"<html>404</html>", 404)
        return lots(("soon", 1)) if "/3/" in asked.path else lots()

    server.behaviour = behaviour
    details = make().bonus_details
    assert details is not None
    asked = [of("c-1", "1"), of("c-2", "2"), of("c-3", "3"), of("c-4", "4"), of("c-5", "../../customers?x=")]
    found = await details.bonus_expirations(asked)
    assert {key: type(value) for key, value in found.items()} == {
        "c-1": Unknown,
        "c-2": Upstream,
        "c-3": BadReply,
        "c-4": BonusExpirations,
        "c-5": Unknown,
    }
    assert len(server.asked) == 4
    assert "soon" not in str(found[CustomerId("c-3")]).removeprefix("burn_soon")


@pytest.mark.parametrize("lot", [("0001-01-01", 1), (None, 1), ("2026-12-01", "1"), ("2026-13-01", 1), (5, 1)])
async def test_a_lot_that_cannot_be_read_is_an_error(server: FakeServer, make: Make, lot: tuple[Any, Any]) -> None:
    server.behaviour = lambda _: lots(lot)
    details = make().bonus_details
    assert details is not None
    with pytest.raises(BadReply):
        await details.bonus_expirations([of("c-1", "1")])
