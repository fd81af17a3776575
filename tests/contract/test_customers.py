"""Sign-in's questions to the ERP, over its process: what each way of failing becomes, and what it leaves behind."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from itertools import count
from typing import Any

import pytest

from bff.demo.launch import DemoOffice, demo_office
from bff.demo.run import demo_settings
from bff.domain import Contact, ContactKind, Registration
from bff.domain.clock import utc_now
from bff.errors import BackOfficeError, BadReply, IntegrityViolation, Refused, TimedOut, Unavailable, Upstream
from bff.http import HttpClients
from bff.plugins import discover
from bff.sources import CustomerDirectory, Sections, route
from tests import patience

pytestmark = pytest.mark.anyio

FIND, REGISTER = "НайтиКлиентов", "ЗарегистрироватьКлиента"
_PHONES = count(79_997_000_001)
PATIENT = {**patience.PATIENT, "write_timeout_ms": patience.PATIENT_MS}
HURRIED = {**PATIENT, "timeout_ms": 1_000, "write_timeout_ms": 1_000}


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
def running() -> Iterator[DemoOffice]:
    # Each test has its own sessions there, and some leave theirs behind.
    with demo_office("erp", options={"pool": 200}) as office:
        yield office


@pytest.fixture
def erp(running: DemoOffice) -> Iterator[DemoOffice]:
    running.reset()
    yield running
    running.faults()


@pytest.fixture
def newcomer() -> Contact:
    return Contact(ContactKind.PHONE, f"+{next(_PHONES)}")


@asynccontextmanager
async def opened(erp: DemoOffice, **over: Any) -> AsyncIterator[CustomerDirectory]:
    """The road to this ERP, as the composition root makes it."""
    loaded = demo_settings([erp], over={"back_offices": {"erp": over}})
    table = loaded.settings.back_offices["erp"]
    spec = discover()["onec_soap"]
    settings = spec.settings_from(table, loaded.folder)
    adapter = spec.build("erp", settings, HttpClients())
    sources = route(Sections(customers="erp"), {"erp": adapter}, utc_now, settings={"erp": settings})
    assert sources.customers is not None
    try:
        yield sources.customers
    finally:
        await sources.close()
        await adapter.close()


FAULTS: dict[str, tuple[type[BackOfficeError], bool]] = {
    "refuse": (Unavailable, True),
    "hang": (TimedOut, True),
    "500": (Upstream, True),
    "malformed": (BadReply, True),
    "fault": (Upstream, True),
    "wrong_owner": (IntegrityViolation, True),
}
"""What a fault becomes, and whether a write may have been done."""


@pytest.mark.parametrize("fail", FAULTS)
async def test_a_failure_of_the_search_is_an_error_and_nobody_is_unknown(
    erp: DemoOffice, newcomer: Contact, fail: Any
) -> None:
    known = Contact(ContactKind.PHONE, "+79000001001")
    async with opened(erp, **(HURRIED if fail == "hang" else PATIENT)) as customers:
        erp.faults(fail=fail, operation=FIND)
        with pytest.raises(FAULTS[fail][0]) as caught:
            await customers.find([known, newcomer])
        assert not caught.value.outcome_unknown
        assert known.value not in repr(caught.value)
    erp.faults()
    async with opened(erp, **PATIENT) as customers:
        assert await customers.find([known, newcomer]) == {known: "c-1001"}


@pytest.mark.parametrize("fail", FAULTS)
async def test_a_registration_that_fails_is_sent_once_and_may_be_repeated(
    erp: DemoOffice, newcomer: Contact, fail: Any
) -> None:
    wanted = Registration(newcomer, "Анна", "Соколова")
    async with opened(erp, **(HURRIED if fail == "hang" else PATIENT)) as customers:
        erp.faults(fail=fail, operation=REGISTER)
        kind, unknown = FAULTS[fail]
        with pytest.raises(kind) as caught:
            await customers.register(wanted)
        assert caught.value.outcome_unknown == unknown
        assert newcomer.value not in repr(caught.value)
        assert erp.calls()[REGISTER] == 1
    erp.faults()
    async with opened(erp, **PATIENT) as customers:
        made = await customers.register(wanted)
        assert await customers.find([newcomer]) == {newcomer: made}
        assert await customers.register(wanted) == made


async def test_a_business_refusal_is_no_outage(erp: DemoOffice, newcomer: Contact) -> None:
    async with opened(erp, guard={"breaker_least_calls": 1}, **PATIENT) as customers:
        with pytest.raises(Refused) as caught:
            await customers.register(Registration(newcomer, "Ж" * 60))
        assert caught.value.public_code.value == "BAD_USER_INPUT"
        assert not caught.value.outcome_unknown
        assert await customers.find([newcomer]) == {}
        assert await customers.register(Registration(newcomer, "Анна"))


async def test_an_erp_that_is_not_there_has_done_nothing(erp: DemoOffice, newcomer: Contact) -> None:
    async with opened(erp, address="http://127.0.0.1:1/shop/ws/cabinet.1cws", **PATIENT) as customers:
        with pytest.raises(Unavailable) as caught:
            await customers.register(Registration(newcomer, "Анна"))
        assert not caught.value.outcome_unknown


async def test_a_crowd_that_signs_in_is_a_few_calls(erp: DemoOffice) -> None:
    contacts = [Contact(ContactKind.PHONE, f"+7900{number:07}") for number in range(1001, 1201)]
    async with opened(erp, **PATIENT) as customers:
        answers = await asyncio.gather(*(customers.find([contact]) for contact in contacts * 2))
        assert list(answers) == [
            {contact: f"c-{number}"} for contact, number in zip(contacts * 2, [*range(1001, 1201)] * 2, strict=True)
        ]
    assert erp.calls()[FIND] < 100


async def test_one_who_presses_fifty_times_is_one_customer(erp: DemoOffice, newcomer: Contact) -> None:
    async with opened(erp, **PATIENT) as customers:
        pressed = [customers.register(Registration(newcomer, "Анна")) for _ in range(50)]
        assert len(set(await asyncio.gather(*pressed))) == 1
    assert Counter(erp.calls())[REGISTER] == 1
