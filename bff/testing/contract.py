"""
The contract of an adapter, as tests: subclass `AdapterContract`, give it an adapter and a few keys, and run pytest.

    class TestMyAdapter(AdapterContract):
        @pytest.fixture
        def adapter(self): ...          # a fresh Adapter before a back office that answers
        @pytest.fixture
        def sample(self): ...           # keys that it knows
"""

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from bff.domain import BonusAccount, Contact, ContactKind, CustomerId, OrderId, ProductId, Profile, Registration
from bff.errors import BackOfficeError, BadUserInput
from bff.plugins import Adapter
from bff.ports import Customers

STRANGE_KEYS = (
    "",
    " ",
    ",",
    "a,b",
    "]]></x><y>",
    "<Ид>&amp;",
    "../../etc/passwd",
    "%2e%2e",
    "a b\r\nX-Injected: 1",
    "\x00",
    "\ud800",
    "Ж" * 5_000,
    "' OR 1=1 --",
)
"""Keys that no back office has, and that must not be taken for others, or for everybody."""


NOBODY = CustomerId("nobody-of-that-id")

MARKUP_NAMES = ("]]></x><y>", "<Имя>&amp;", "О'Нил & Ко", "Анна-Мария", "{contact}")
"""Names that are unusual, and stay what they are."""

IMPOSSIBLE_NAMES = ("", " ", "\x00", "a\r\nX-Injected: 1", "\ud800", "\u202eаннА", "Ж" * 5_000)
"""Names that cannot be told as themselves, or are none."""


def newcomer() -> Contact:
    """A phone that nobody has, very likely."""
    return Contact(ContactKind.PHONE, f"+7999{secrets.randbelow(10**7):07}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """Keys that the back office knows; more of them than go into one call, if that is to be tested."""

    customers: Sequence[CustomerId] = ()
    unknown_customer: CustomerId = NOBODY
    products: Sequence[ProductId] = ()
    unknown_is_none: frozenset[str] = frozenset()
    """Reads whose back office searches, so that nobody's being there is an answer: None, not a missing key."""
    contacts: Mapping[Contact, CustomerId] = field(default_factory=dict)
    """Contacts that it knows, and whose they are; both phones and mail addresses."""
    newcomer: Callable[[], Contact] = newcomer
    """A contact that it does not know; another one each time. The tests register it."""


Ask = Callable[[Sequence[Any]], Awaitable[Mapping[Any, Any]]]


def owned_reads(adapter: Adapter) -> dict[str, Ask]:
    """The adapter's reads that are by customer."""
    reads: dict[str, Ask] = {}
    if adapter.profiles:
        reads["profiles"] = adapter.profiles.profiles
    if adapter.orders:
        reads["latest_orders"] = adapter.orders.latest_orders
    if adapter.bonuses:
        reads["bonus_accounts"] = adapter.bonuses.bonus_accounts
    if adapter.favorites:
        reads["favorites"] = adapter.favorites.favorites
    if adapter.personal_offers:
        reads["personal_offers"] = adapter.personal_offers.personal_offers
    return reads


class AdapterContract:
    """What holds for every adapter. Reads whose ports it lacks are passed over."""

    async def test_it_serves_what_it_says(self, adapter: Adapter) -> None:
        """An adapter without a port serves nothing."""
        assert adapter.ports

    async def test_the_check_finds_it_well(self, adapter: Adapter) -> None:
        """`check` says something."""
        assert await adapter.check()

    async def test_each_customer_gets_their_own(self, adapter: Adapter, sample: Sample) -> None:
        """Many keys at once: every answer stands under the key of its owner, and there is one for each."""
        for name, ask in owned_reads(adapter).items():
            found = await ask(sample.customers)
            assert set(found) == set(sample.customers), name
            for customer, value in found.items():
                assert not isinstance(value, BackOfficeError), (name, customer, value)
                assert value is None or value.customer == customer, name

    async def test_one_customer_gets_what_many_get(self, adapter: Adapter, sample: Sample) -> None:
        """The answer to a key does not depend on its neighbours."""
        for name, ask in owned_reads(adapter).items():
            together = await ask(sample.customers)
            for customer in sample.customers[:3]:
                assert (await ask([customer]))[customer] == together[customer], name

    async def test_who_is_unknown_is_absent_and_not_empty(self, adapter: Adapter, sample: Sample) -> None:
        """Not to know somebody differs from knowing that they have nothing."""
        for name, ask in owned_reads(adapter).items():
            found = await ask([sample.unknown_customer, sample.customers[0]])
            assert sample.customers[0] in found, name
            if name in sample.unknown_is_none:
                assert found[sample.unknown_customer] is None, name
            else:
                assert sample.unknown_customer not in found, name

    async def test_nothing_asked_for_is_nothing_answered(self, adapter: Adapter) -> None:
        """No keys: an empty answer, never everybody's."""
        for name, ask in owned_reads(adapter).items():
            assert not await ask([]), name

    async def test_strange_keys_bring_nobodys_data(self, adapter: Adapter, sample: Sample) -> None:
        """A key with the back office's own syntax in it stays one key that is not known."""
        for name, ask in owned_reads(adapter).items():
            for key in STRANGE_KEYS:
                try:
                    found = await ask([CustomerId(key), sample.customers[0]])
                except BackOfficeError:
                    continue
                assert set(found) <= {key, sample.customers[0]}, (name, key)
                assert found.get(CustomerId(key)) is None or isinstance(found[CustomerId(key)], BackOfficeError)

    async def test_many_callers_at_once(self, adapter: Adapter, sample: Sample) -> None:
        """Calls side by side do not mix."""
        for name, ask in owned_reads(adapter).items():
            answers = await asyncio.gather(*(ask([customer]) for customer in sample.customers))
            for customer, found in zip(sample.customers, answers, strict=True):
                assert set(found) == {customer}, name
                assert found[customer] is None or found[customer].customer == customer, name

    async def test_callers_who_leave_harm_nobody(self, adapter: Adapter, sample: Sample) -> None:
        """Cancelled calls give back what they held."""
        for name, ask in owned_reads(adapter).items():
            leaving = [asyncio.ensure_future(ask(sample.customers)) for _ in range(30)]
            await asyncio.sleep(0.005)
            for task in leaving:
                task.cancel()
            await asyncio.gather(*leaving, return_exceptions=True)
            assert set(await ask(sample.customers)) == set(sample.customers), name

    async def test_orders_by_id(self, adapter: Adapter, sample: Sample) -> None:
        """What came as somebody's last order can be asked for by its id."""
        if adapter.orders is None:
            return
        latest = await adapter.orders.latest_orders(sample.customers)
        orders = [order for order in latest.values() if order is not None and not isinstance(order, BackOfficeError)]
        assert orders
        found = await adapter.orders.orders([*(order.id for order in orders), OrderId("no-order-of-that-id")])
        assert found == {order.id: order for order in orders}

    async def test_bonus_details_belong_to_their_accounts(self, adapter: Adapter, sample: Sample) -> None:
        """Pending points and lots come under the account's owner; lots soonest first."""
        if adapter.bonuses is None or adapter.bonus_details is None:
            return
        found = await adapter.bonuses.bonus_accounts(sample.customers)
        accounts = [account for account in found.values() if isinstance(account, BonusAccount)]
        pending = await adapter.bonus_details.pending_bonuses(accounts)
        expirations = await adapter.bonus_details.bonus_expirations(accounts)
        owners = {account.customer for account in accounts}
        assert set(pending) == set(expirations) == owners
        for details in expirations.values():
            assert not isinstance(details, BackOfficeError)
            days = [lot.expires_on for lot in details.lots]
            assert days == sorted(days)

    async def test_products_by_id(self, adapter: Adapter, sample: Sample) -> None:
        """Each under its own id, and unknown ones absent."""
        if adapter.products is None:
            return
        found = await adapter.products.products([*sample.products, ProductId("no-product-of-that-id")])
        assert set(found) == set(sample.products)
        for product_id, product in found.items():
            assert not isinstance(product, BackOfficeError)
            assert product.id == product_id

    async def test_promotions_are_nobodys(self, adapter: Adapter) -> None:
        """What is for everybody names no customer, and each offer once."""
        if adapter.promotions is None:
            return
        offers = await adapter.promotions.promotions()
        assert offers.customer is None
        assert len({offer.id for offer in offers.offers}) == len(offers.offers)

    async def test_each_contact_finds_its_customer(self, adapter: Adapter, sample: Sample) -> None:
        """Many at once, and each alone; letters of addresses in any case; who is unknown is absent."""
        if adapter.customers is None:
            return
        assert {contact.kind for contact in sample.contacts} == set(ContactKind)
        unknown = sample.newcomer()
        assert await adapter.customers.find([*sample.contacts, unknown]) == sample.contacts
        for contact, customer in list(sample.contacts.items())[:5]:
            assert await adapter.customers.find([contact]) == {contact: customer}
            mailbox, at, domain = contact.value.rpartition("@")
            shouted = Contact(contact.kind, mailbox.upper() + at + domain)
            assert await adapter.customers.find([shouted]) == {shouted: customer}
        assert await adapter.customers.find([unknown]) == {}
        assert await adapter.customers.find([]) == {}

    async def test_many_search_at_once(self, adapter: Adapter, sample: Sample) -> None:
        """Searches side by side do not mix."""
        if adapter.customers is None:
            return
        answers = await asyncio.gather(*(adapter.customers.find([contact]) for contact in sample.contacts))
        expected = [{contact: customer} for contact, customer in sample.contacts.items()]
        assert list(answers) == expected

    async def test_registering_is_safe_to_repeat(self, adapter: Adapter, sample: Sample) -> None:
        """A new contact makes a customer, once; a known one gives whose it is, and changes nobody."""
        if adapter.customers is None:
            return
        made = Registration(sample.newcomer(), "Анна", "Соколова")
        customer = await _registered(adapter.customers, made)
        assert customer not in sample.contacts.values()
        for again in (made, Registration(made.contact, "Мария")):
            assert await adapter.customers.register(again) == customer
        if adapter.profiles is not None:
            profile = (await adapter.profiles.profiles([customer]))[customer]
            assert isinstance(profile, Profile)
            assert (profile.customer, profile.first_name, profile.last_name) == (customer, "Анна", "Соколова")
            assert profile.phone == made.contact.value
        if adapter.orders is not None:
            assert await adapter.orders.latest_orders([customer]) == {customer: None}
        for contact, owner in list(sample.contacts.items())[:3]:
            assert await adapter.customers.register(Registration(contact, "Анна")) == owner

    async def test_registering_at_once_makes_one_customer(self, adapter: Adapter, sample: Sample) -> None:
        """The same contact several times side by side: one customer; different ones: different customers."""
        if adapter.customers is None:
            return
        contacts = [sample.newcomer() for _ in range(4)]
        registrations = [Registration(contact, "Анна") for contact in contacts * 3]
        ids = await asyncio.gather(*map(adapter.customers.register, registrations))
        assert ids == ids[:4] * 3
        assert len(set(ids)) == len(set(contacts))

    async def test_an_unusual_name_stays_what_it_is(self, adapter: Adapter, sample: Sample) -> None:
        """Markup in a name ends up in the name, and nowhere else."""
        if adapter.customers is None:
            return
        for name in MARKUP_NAMES:
            customer = await _registered(adapter.customers, Registration(sample.newcomer(), name, name))
            if adapter.profiles is not None:
                profile = (await adapter.profiles.profiles([customer]))[customer]
                assert isinstance(profile, Profile)
                assert (profile.first_name, profile.last_name) == (name, name)

    async def test_an_impossible_name_makes_nobody(self, adapter: Adapter, sample: Sample) -> None:
        """What cannot be told as itself is refused, and the contact stays unknown."""
        if adapter.customers is None:
            return
        for name in IMPOSSIBLE_NAMES:
            contact = sample.newcomer()
            wrong = [Registration(contact, name)]
            if name.strip():
                wrong.append(Registration(contact, "Анна", name))
            for registration in wrong:
                try:
                    await adapter.customers.register(registration)
                except BadUserInput:
                    continue
                raise AssertionError(f"a name such as {name[:20]!r} was let through")
            assert await adapter.customers.find([contact]) == {}

    async def test_closing_twice_is_closing_once(self, adapter: Adapter) -> None:
        """The one who shuts down need not know whether it has been done."""
        await adapter.close()
        await adapter.close()


async def _registered(customers: Customers, registration: Registration) -> CustomerId:
    """Register somebody who was unknown before, and is found afterwards."""
    assert await customers.find([registration.contact]) == {}
    customer = await customers.register(registration)
    assert await customers.find([registration.contact]) == {registration.contact: customer}
    return customer
