"""Customers as sign-in finds and makes them: shared, guarded, never kept, never guessed."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from bff.domain import Contact, ContactKind, CustomerId, Registration
from bff.errors import BackOfficeError, BadReply, ConnectionLost, IntegrityViolation, Unavailable, Upstream
from bff.plugins import SettingsFault
from bff.ports import Customers
from bff.sources import CustomerDirectory, Freshness, Sections, make_storage, route
from tests.fakes.back_offices import FakeBackOffice, now, one_call_at_a_time

pytestmark = pytest.mark.anyio

ANNA, OLEG, NOBODY = (Contact(ContactKind.PHONE, f"+7916000000{number}") for number in (1, 2, 3))
KNOWN = {ANNA: CustomerId("c1"), OLEG: CustomerId("c2")}


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def known(contacts: Sequence[Contact]) -> dict[Contact, CustomerId]:
    return {contact: KNOWN[contact] for contact in contacts if contact in KNOWN}


def directory(office: FakeBackOffice, **how: Any) -> CustomerDirectory:
    settings = {"erp": one_call_at_a_time()}
    sources = route(Sections(customers="erp"), {"erp": office.adapter("customers")}, now, settings=settings, **how)
    assert sources.customers is not None
    return sources.customers


async def test_it_is_the_port() -> None:
    port: Customers = directory(FakeBackOffice(find=known))
    assert await port.find([ANNA, NOBODY]) == {ANNA: "c1"}
    assert await port.find([]) == {}


async def test_searches_at_once_are_one_call_and_each_gets_their_own() -> None:
    office = FakeBackOffice(find=known)
    found = directory(office)
    answers = await asyncio.gather(found.find([ANNA]), found.find([OLEG]), found.find([ANNA, NOBODY]))
    assert list(answers) == [{ANNA: "c1"}, {OLEG: "c2"}, {ANNA: "c1"}]
    assert [sorted(keys, key=str) for keys in office.asked("find")] == [[ANNA, OLEG, NOBODY]]


async def test_nothing_is_kept() -> None:
    office = FakeBackOffice(find=known)
    storage = make_storage(
        Freshness(), shop="shop", max_entries=10, max_bytes=10_000, redis_url=None, redis_connections=1,
        redis_limit_seconds=1, clock=now,
    )  # fmt: skip
    found = directory(office, storage=storage)
    assert await found.find([NOBODY]) == {}
    office.replies["find"] = {NOBODY: CustomerId("c3")}
    assert await found.find([NOBODY]) == {NOBODY: "c3"}
    assert len(office.asked("find")) == 2
    await storage.cache.close()


async def test_an_answer_about_somebody_else_is_refused_whole() -> None:
    office = FakeBackOffice(find={ANNA: CustomerId("c1"), OLEG: CustomerId("c2")})
    with pytest.raises(IntegrityViolation) as caught:
        await directory(office).find([ANNA])
    assert ANNA.value not in str(caught.value) + repr(caught.value)


async def test_a_contact_that_several_have_is_nobodys() -> None:
    office = FakeBackOffice(find={ANNA: BadReply("several"), OLEG: CustomerId("c2")})
    found = directory(office)
    with pytest.raises(BadReply):
        await found.find([ANNA, OLEG])
    office.replies["find"] = known
    assert await found.find([OLEG]) == {OLEG: "c2"}


@pytest.mark.parametrize("error", [Upstream("500"), Unavailable("gone")])
async def test_a_breakdown_is_an_error_and_not_an_unknown_contact(error: BackOfficeError) -> None:
    with pytest.raises(type(error)) as caught:
        await directory(FakeBackOffice(find=error)).find([NOBODY])
    assert caught.value.back_office == "erp"


async def test_registering() -> None:
    office = FakeBackOffice(register=CustomerId("c9"))
    assert await directory(office).register(Registration(NOBODY, "Анна")) == "c9"
    assert office.asked("register") == [[Registration(NOBODY, "Анна")]]


async def test_two_registrations_of_one_contact_at_once_are_one() -> None:
    async def slowly(_: object) -> CustomerId:
        await asyncio.sleep(0.01)
        return CustomerId("c9")

    office = FakeBackOffice(register=slowly)
    made = directory(office)
    ids = await asyncio.gather(*(made.register(Registration(NOBODY, name)) for name in ("Анна", "Аня") * 25))
    assert set(ids) == {"c9"}
    assert len(office.asked("register")) == 1


async def test_a_registration_whose_answer_is_lost_says_so_and_may_be_repeated() -> None:
    office = FakeBackOffice(register=ConnectionLost("cut"))
    made = directory(office)
    with pytest.raises(ConnectionLost) as caught:
        await made.register(Registration(NOBODY, "Анна"))
    assert caught.value.outcome_unknown
    assert len(office.asked("register")) == 1
    office.replies["register"] = CustomerId("c9")
    assert await made.register(Registration(NOBODY, "Анна")) == "c9"


def test_without_the_setting_there_is_nobody_to_ask() -> None:
    assert route(Sections(), {"erp": FakeBackOffice().adapter()}, now).customers is None


def test_a_back_office_without_the_port_is_a_fault() -> None:
    with pytest.raises(SettingsFault) as caught:
        route(Sections(customers="erp"), {"erp": FakeBackOffice().adapter("profiles")}, now)
    assert caught.value.faults == ["sections.customers: back office 'erp' lacks the port customers; it serves profiles"]


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (ContactKind.PHONE, "79160000001"),
        (ContactKind.PHONE, "+7 916 000 00 01"),
        (ContactKind.PHONE, "+٧٩١٦٠٠٠٠٠٠١"),
        (ContactKind.PHONE, "+79160000001\n"),
        (ContactKind.EMAIL, "anna"),
        (ContactKind.EMAIL, "anna@Shop.example"),
        (ContactKind.EMAIL, "anna @shop.example"),
        (ContactKind.EMAIL, "anna\x00@shop.example"),
        (ContactKind.EMAIL, "a" * 250 + "@b.example"),
    ],
)
def test_a_contact_is_normalised(kind: ContactKind, value: str) -> None:
    with pytest.raises(ValueError, match="not a normalised") as caught:
        Contact(kind, value)
    assert value not in str(caught.value)


def test_neither_contacts_nor_names_print() -> None:
    assert "916" not in repr(ANNA)
    assert repr(Registration(ANNA, "Анна", "Соколова")) == f"Registration(contact={ANNA!r})"
