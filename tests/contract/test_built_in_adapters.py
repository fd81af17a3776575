"""The built-in adapters keep the contract, each before its demo back office."""

from collections.abc import AsyncIterator, Iterator
from typing import Any, ClassVar

import pytest

from adapters.erp.onec_soap import client
from bff.app import open_back_offices
from bff.demo.data import people
from bff.demo.data.world import World, moscow_today
from bff.demo.launch import DemoOffices, demo_offices
from bff.demo.run import demo_settings
from bff.domain import Contact, ContactKind, CustomerId, ProductId
from bff.domain.clock import utc_now
from bff.plugins import Adapter, discover
from bff.testing import AdapterContract, Sample
from tests.patience import PATIENCE_SECONDS, patient

pytestmark = pytest.mark.anyio

WORLD = World(moscow_today())
CUSTOMERS = [CustomerId(f"c-{number}") for number in (*range(1001, 1005), *range(1100, 1170))]
CONTACTS = {
    Contact(kind, value): CustomerId(person.id)
    for person in (people.person(WORLD, number) for number in range(1001, 1060))
    for kind, value in ((ContactKind.EMAIL, person.email), (ContactKind.PHONE, person.phone))
    if value
}
PRODUCTS = [ProductId(f"p-{number}") for number in range(1, 130)]


@pytest.fixture(scope="module")
def offices() -> Iterator[DemoOffices]:
    with demo_offices() as offices:
        yield offices


class OfADemoOffice(AdapterContract):
    """What the three have in common: they are built as the service builds them."""

    back_office: ClassVar[str]

    @pytest.fixture
    async def adapter(self, offices: DemoOffices, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Adapter]:
        monkeypatch.setattr(client, "_FAREWELL_SECONDS", PATIENCE_SECONDS)
        faults: list[str] = []
        adapters, _ = open_back_offices(demo_settings(offices, over=patient()), discover(), faults, utc_now)
        assert not faults
        yield adapters[self.back_office]
        for adapter in adapters.values():
            await adapter.close()
        assert offices.erp.stats()["sessions"] == 0

    @pytest.fixture
    def sample(self) -> Sample:
        return Sample(customers=CUSTOMERS, products=PRODUCTS)


class TestOneC(OfADemoOffice):
    back_office = "erp"

    @pytest.fixture
    def sample(self) -> Sample:
        return Sample(customers=CUSTOMERS, contacts=CONTACTS)


class TestRetailCrm(OfADemoOffice):
    back_office = "loyalty"

    @pytest.fixture
    def sample(self) -> Sample:
        # The API is searched for one customer's account: none found is an answer.
        return Sample(customers=CUSTOMERS, unknown_is_none=frozenset({"bonus_accounts"}))


class TestRest(OfADemoOffice):
    back_office = "cms"


def test_every_built_in_adapter_is_here() -> None:
    tested: set[Any] = {"onec_soap", "retailcrm", "rest"}
    assert set(discover()) == tested
