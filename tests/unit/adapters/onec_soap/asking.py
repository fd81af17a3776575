"""The reads that the tests ask for most, and answers to them."""

import pytest

from bff.domain import CustomerId, FavoriteList, Order, OrderId, Profile
from bff.errors import BackOfficeError
from bff.plugins import Adapter
from bff.ports import Batch
from tests.unit.adapters.fake_http import Answer
from tests.unit.adapters.onec_soap.fake_1c import Asked, FakeOneC, result


async def profiles(adapter: Adapter, *customers: str) -> Batch[CustomerId, Profile]:
    assert adapter.profiles is not None
    return await adapter.profiles.profiles([CustomerId(name) for name in customers])


async def orders(adapter: Adapter, *ids: str) -> Batch[OrderId, Order]:
    assert adapter.orders is not None
    return await adapter.orders.orders([OrderId(name) for name in ids])


async def latest_orders(adapter: Adapter, *customers: str) -> Batch[CustomerId, Order | None]:
    assert adapter.orders is not None
    return await adapter.orders.latest_orders([CustomerId(name) for name in customers])


async def favorites(adapter: Adapter, *customers: str) -> Batch[CustomerId, FavoriteList]:
    assert adapter.favorites is not None
    return await adapter.favorites.favorites([CustomerId(name) for name in customers])


async def failure(adapter: Adapter, *customers: str) -> BackOfficeError:
    """The error that asking for profiles ends with; it names the back office."""
    with pytest.raises(BackOfficeError) as caught:
        await profiles(adapter, *(customers or ("c1",)))
    assert caught.value.back_office == "erp"
    return caught.value


async def order_failure(adapter: Adapter) -> BackOfficeError:
    """The error that stands in the place of order o1; it names the back office."""
    error = (await orders(adapter, "o1"))[OrderId("o1")]
    assert isinstance(error, BackOfficeError)
    assert error.back_office == "erp"
    return error


def clients(*ids: str, extra: str = "") -> Answer:
    """Profiles of these customers."""
    return result(
        "GetClients",
        "".join(f'<m:Client id="{one}">{extra}<m:Name><m:First>Анна</m:First></m:Name></m:Client>' for one in ids),
    )


def echo(asked: Asked) -> Answer:
    """The profiles that were asked for."""
    return clients(*asked.texts("Id"))


def order(total: str = "10.50", rows: str = "<m:Rows/>", extra: str = "") -> Answer:
    """Order o1 of c1."""
    return result(
        "GetOrder",
        f"<m:Order><m:Client>c1</m:Client><m:Id>o1</m:Id><m:No>1</m:No><m:At>2026-11-21T10:42:00</m:At>"
        f"<m:State>In Work</m:State><m:Sum>{total}</m:Sum>{rows}{extra}</m:Order>",
    )


def sessions(server: FakeOneC) -> list[tuple[str | None, str | None]]:
    """What each call said of its session: the wish and the cookie."""
    return [(asked.wish, asked.session) for asked in server.asked]
