"""The adapter: ports over RetailCRM's API."""

from collections import OrderedDict
from collections.abc import Mapping, Sequence, Set
from decimal import Decimal

from adapters.loyalty.retailcrm.client import RetailCrmClient
from adapters.loyalty.retailcrm.mapping import (
    Account,
    Accounts,
    BonusLots,
    Credentials,
    Customers,
    Lot,
    Owned,
    bonus_account,
    bonus_lots,
    choose,
    decode,
    personal_offers,
)
from adapters.loyalty.retailcrm.settings import RetailCrmSettings
from bff.domain import BonusAccount, BonusExpirations, CustomerId, OfferList, PendingBonuses
from bff.errors import BackOfficeError, BadReply, IntegrityViolation, Unknown
from bff.http import HttpClients, QueryParams
from bff.mapping import side_by_side, split
from bff.mapping.values import Wording
from bff.plugins import Adapter
from bff.ports import Batch

MAX_REMEMBERED = 50_000
"""Account ids kept in memory: some ten megabytes."""

_NEEDED = ("loyalty/accounts", "loyalty/account/", "customers")
"""Parts of the paths of the methods that are called."""


class AccountMemory:
    """Which account was a customer's when last seen; the least lately used are forgotten first."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._ids: OrderedDict[CustomerId, int] = OrderedDict()

    def recall(self, customer: CustomerId) -> int | None:
        """The id of the account, None where it is not remembered."""
        if customer in self._ids:
            self._ids.move_to_end(customer)
        return self._ids.get(customer)

    def remember(self, customer: CustomerId, account: int) -> None:
        """Keep an id."""
        self._ids[customer] = account
        self._ids.move_to_end(customer)
        if len(self._ids) > self._size:
            self._ids.popitem(last=False)

    def forget(self, customer: CustomerId) -> None:
        """Drop an id."""
        self._ids.pop(customer, None)


class RetailCrmAdapter:
    """
    Accounts, their details, personal discounts.

    `filter[customerExternalId]` takes one id, `filter[ids][]` many: a customer who is asked for the first time costs a
    call, all whose accounts are remembered share one. What is remembered is never trusted: an answer counts for the
    customer that *it* names.
    """

    def __init__(self, client: RetailCrmClient, settings: RetailCrmSettings) -> None:
        self._client = client
        self._settings = settings
        self._wording = Wording(time_zone=settings.time_zone)
        self._memory = AccountMemory(MAX_REMEMBERED)
        self._site: QueryParams = [("filter[sites][]", settings.site)] if settings.site else []

    async def bonus_accounts(self, customers: Sequence[CustomerId]) -> Batch[CustomerId, BonusAccount | None]:
        """Accounts by customer, without what comes and what burns; None where a search by the id finds no account."""
        seen: dict[CustomerId, int] = {}
        new: list[CustomerId] = []
        for customer in _sendable(customers):
            account = self._memory.recall(customer)
            if account is None:
                new.append(customer)
            else:
                seen[customer] = account

        async def ask(part: Sequence[CustomerId]) -> Batch[CustomerId, BonusAccount | None]:
            if part[0] in seen:
                return await self._by_account({customer: seen[customer] for customer in part})
            return await self._by_customer(part[0])

        parts = [*split(list(seen), self._settings.batch), *split(new, 1)]
        return await side_by_side(parts, ask, owned=True)

    async def pending_bonuses(self, accounts: Sequence[BonusAccount]) -> Batch[CustomerId, PendingBonuses]:
        """Points that are not active yet, by customer: one call an account."""

        async def ask(part: Sequence[CustomerId]) -> Mapping[CustomerId, PendingBonuses]:
            path = _details(by_customer[part[0]], "waiting_activation")
            answer = await self._client.get(path, BonusLots)
            return {part[0]: PendingBonuses(customer=part[0], amount=Decimal(answer.statistic.total_amount))}

        by_customer = {account.customer: account for account in accounts}
        return await side_by_side(split(list(by_customer), 1), ask, owned=True)

    async def bonus_expirations(self, accounts: Sequence[BonusAccount]) -> Batch[CustomerId, BonusExpirations]:
        """Lots that will burn soon (how soon, the programme's settings say), by customer: one call an account."""

        async def ask(part: Sequence[CustomerId]) -> Mapping[CustomerId, BonusExpirations]:
            lots: list[Lot] = []
            async for page in self._client.pages(_details(by_customer[part[0]], "burn_soon"), BonusLots):
                lots += page.bonuses
            return {part[0]: BonusExpirations(customer=part[0], lots=bonus_lots(lots, self._wording))}

        by_customer = {account.customer: account for account in accounts}
        return await side_by_side(split(list(by_customer), 1), ask, owned=True)

    async def personal_offers(self, customers: Sequence[CustomerId]) -> Batch[CustomerId, OfferList]:
        """The personal discount of each customer as an offer; an empty list for one who has none."""

        async def ask(part: Sequence[CustomerId]) -> Mapping[CustomerId, OfferList | BackOfficeError]:
            filters = [("filter[externalIds][]", customer) for customer in part]
            raws = []
            async for page in self._client.pages("/api/v5/customers", Customers, [*filters, *self._site]):
                raws += page.customers
            return personal_offers(raws)

        return await side_by_side(split(_sendable(customers), self._settings.batch), ask, owned=True)

    async def check(self) -> str:
        """Ask what the key may do."""
        answer = await self._client.get("/api/credentials", Credentials)
        if not answer.credentials:
            return f"the API key is accepted; it has {len(answer.scopes)} scopes and lists no methods"
        listed = [str(credential) for credential in answer.credentials]
        missing = [method for method in _NEEDED if not any(method in path for path in listed)]
        if missing:
            return f"the API key is accepted, but may not call {', '.join(missing)}: give it the rights in RetailCRM"
        return "the API key is accepted and may call all that is needed"

    async def _by_account(
        self, seen: Mapping[CustomerId, int]
    ) -> dict[CustomerId, BonusAccount | BackOfficeError | None]:
        """Ask for many accounts whose ids are remembered; who is not among the answers is asked for by name."""
        asked = frozenset(seen.values())
        by_owner: dict[CustomerId, list[Account | BackOfficeError]] = {}
        for owned, account in await self._accounts([("filter[ids][]", str(one)) for one in seen.values()]):
            owner = CustomerId(owned.customer.external_id or "")
            if owned.id in asked and seen.get(owner) != owned.id:
                continue  # It is another customer's by now: what we remember is wrong, not the answer.
            by_owner.setdefault(_named(owner), []).append(account)

        answer: dict[CustomerId, BonusAccount | BackOfficeError | None] = {}
        for owner, accounts in by_owner.items():
            chosen = self._choose(accounts)
            if isinstance(chosen, Account) and (chosen.active or owner not in seen):
                answer[owner] = bonus_account(chosen, owner, self._settings.currency)
            elif isinstance(chosen, BackOfficeError):
                answer[owner] = chosen
        answer.update(await self._again(seen.keys() - answer.keys(), seen.keys() & answer.keys()))
        return answer

    async def _again(
        self, customers: Set[CustomerId], answered: Set[CustomerId]
    ) -> dict[CustomerId, BonusAccount | BackOfficeError | None]:
        """
        Ask by name for customers whose remembered accounts are no longer theirs, or no longer active.

        `answered` are those of the same call whose accounts came: nobody may bring theirs a second time.
        """

        async def ask(part: Sequence[CustomerId]) -> Batch[CustomerId, BonusAccount | None]:
            return await self._by_customer(part[0])

        for customer in customers:
            self._memory.forget(customer)
        try:
            again = await side_by_side(split(sorted(customers), 1), ask, owned=True)
        except IntegrityViolation:
            raise
        except BackOfficeError as error:
            return dict.fromkeys(customers, error)
        if again.keys() & answered:
            raise IntegrityViolation("an answer holds the account of a customer whom another call asked for")
        return again

    async def _by_customer(self, customer: CustomerId) -> dict[CustomerId, BonusAccount | BackOfficeError | None]:
        """Ask for one customer by the shop's id, and remember the account."""
        by_owner: dict[CustomerId, list[Account | BackOfficeError]] = {}
        for owned, account in await self._accounts([("filter[customerExternalId]", customer)]):
            by_owner.setdefault(_named(owned.customer.external_id), []).append(account)
        if not by_owner:
            return {customer: None}  # The API searched, and there is none: the customer is not in the programme.

        answer: dict[CustomerId, BonusAccount | BackOfficeError | None] = {}
        for owner, accounts in by_owner.items():
            chosen = self._choose(accounts)
            if isinstance(chosen, Account):
                answer[owner] = bonus_account(chosen, owner, self._settings.currency)
                if owner == customer and chosen.active:
                    self._memory.remember(customer, chosen.id)
            elif chosen is not None:
                answer[owner] = chosen
        return answer

    def _choose(self, accounts: Sequence[Account | BackOfficeError]) -> Account | BackOfficeError | None:
        good: list[Account] = []
        for account in accounts:
            if isinstance(account, BackOfficeError):
                return account  # The one that cannot be read may be the one that counts.
            good.append(account)
        return choose(good, self._settings.loyalty_id)

    async def _accounts(self, filters: QueryParams) -> list[tuple[Owned, Account | BackOfficeError]]:
        """Accounts with their owners; a `BadReply` in the place of one that cannot be read."""
        found: list[tuple[Owned, Account | BackOfficeError]] = []
        async for page in self._client.pages("/api/v5/loyalty/accounts", Accounts, [*filters, *self._site]):
            for raw in page.loyalty_accounts:
                owned = decode(raw, Owned)
                try:
                    found.append((owned, decode(raw, Account)))
                except BadReply as error:
                    found.append((owned, error))
        return found


def _sendable(customers: Sequence[CustomerId]) -> list[CustomerId]:
    """Each customer once, without ids that no back office has: an empty filter would ask for everybody."""
    return [customer for customer in dict.fromkeys(customers) if customer.isprintable() and customer.strip()]


def _named(external_id: str | None) -> CustomerId:
    if not external_id:
        raise BadReply("loyaltyAccounts: an account's customer has no externalId")
    return CustomerId(external_id)


def _details(account: BonusAccount, status: str) -> str:
    if not (account.id.isascii() and account.id.isdigit()):
        raise Unknown("the account's id is not one of RetailCRM's")
    return f"/api/v5/loyalty/account/{account.id}/bonus/{status}/details"


def build(name: str, settings: RetailCrmSettings, clients: HttpClients) -> Adapter:
    """Make the adapter; it connects on the first call."""
    headers = {"X-API-KEY": settings.api_key.get_secret_value(), "Accept": "application/json"}
    http = clients.open(name, settings.address, settings.limits, headers=headers, ca_file=settings.ca_file)
    client = RetailCrmClient(http, back_office=name, pool=settings.pool)
    adapter = RetailCrmAdapter(client, settings)
    return Adapter(
        check=adapter.check,
        close=client.close,
        bonuses=adapter,
        bonus_details=adapter,
        personal_offers=adapter,
        batches={"pending_bonuses": 1, "bonus_expirations": 1},
    )
