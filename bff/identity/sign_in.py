"""
Signing in: the use cases, without HTTP and without GraphQL.

What a customer is told never depends on whether the shop knows them: a code goes to every allowed contact, and only
who has it learns whether there is an account.
"""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from bff.domain import Contact, ContactKind, CustomerId, Registration
from bff.domain.clock import Clock, utc_now
from bff.errors import BackOfficeError, BadReply, NotSupported, Unauthenticated
from bff.identity.audit import Audit
from bff.identity.code_text import code_text
from bff.identity.codes import Codes, Issued, Purpose, Verdict
from bff.identity.contact import read_email, read_phone
from bff.identity.principal import Principal
from bff.identity.providers import ProviderSubject
from bff.identity.registration import Tickets, read_name
from bff.identity.sending import Outbox, SendCounts
from bff.identity.sessions import Mode, Session, Sessions
from bff.identity.settings import HOUR, SessionSettings, SignInSettings
from bff.identity.store import Store, StoreUnavailable
from bff.identity.subkeys import Subkeys
from bff.identity.throttle import Limit, Throttle, network_of
from bff.ports import CodeSender, Customers

LONGEST_ID: Final = 200


@dataclass(frozen=True, slots=True)
class CodeSent:
    """A code is on its way, or so everybody is told. Both times are whole seconds from now."""

    resend_after: int
    """Before that, none is sent to this contact again."""
    expires_in: int


@dataclass(frozen=True, slots=True)
class RateLimited:
    """Too many, too soon."""

    seconds: int
    """After so many it is worth trying again."""


@dataclass(frozen=True, slots=True)
class Refused:
    """The code (or ticket) is wrong, expired, used, another's, or was tried too often: nobody is told which."""


@dataclass(frozen=True, slots=True)
class RegistrationNeeded:
    """The contact is proven and the shop does not know it. The ticket never prints, and works once."""

    ticket: str = field(repr=False)
    expires_in: int


@dataclass(frozen=True, slots=True)
class Confirmed:
    """The second factor is there, and fresh for so many seconds."""

    fresh_for: int


Requested: TypeAlias = CodeSent | RateLimited
SignedIn: TypeAlias = Session | RegistrationNeeded | Refused | RateLimited


class SignIn:
    """
    Everything by which somebody becomes a principal of this service.

    `network` is the address that a request came from, as the edge believes it. All methods that are awaited raise
    `StoreUnavailable` where the store is away. Customers' contacts come from `read_contact` only.
    """

    def __init__(
        self,
        store: Store,
        senders: Mapping[ContactKind, CodeSender],
        customers: Customers,
        settings: SignInSettings,
        sessions: SessionSettings,
        *,
        clock: Clock = utc_now,
    ) -> None:
        keys = Subkeys(sessions.secret.get_secret_value())
        self.audit = Audit(keys.key("audit"))
        self._settings = settings
        self._fresh_seconds = sessions.fresh_seconds
        self._customers = customers
        self._codes = Codes(store, keys.key("codes"), settings, clock)
        self._throttle = Throttle(store, keys.key("limits"))
        self._tickets = Tickets(store, keys.key("tickets"), settings.ticket_seconds, clock)
        self._sessions = Sessions(store, keys, sessions, self.audit, clock)
        self._outbox = Outbox(
            senders,
            self.audit,
            at_once=settings.sends_at_once,
            waiting=settings.sends_waiting,
            seconds=settings.send_seconds,
        )
        self._codes_of_network = Limit("codes of network", settings.codes_per_network, HOUR)
        self._codes_of_shop = Limit("codes of shop", settings.codes_per_shop, HOUR)
        self._checks_of_network = Limit("checks of network", settings.checks_per_network, HOUR)

    @property
    def kinds(self) -> frozenset[ContactKind]:
        """The kinds of contacts that can sign in."""
        return self._outbox.kinds

    @property
    def sends(self) -> SendCounts:
        """What became of codes since the start."""
        return self._outbox.counts

    @property
    def sends_under_way(self) -> int:
        """Codes that wait for a sender, or are being handed over."""
        return self._outbox.under_way

    async def close(self, seconds: float = 5.0) -> None:
        """Let codes go that are on their way, for so long at the most. Store, senders and customers stay open."""
        await self._outbox.close(seconds)

    def read_contact(self, kind: ContactKind, text: str) -> Contact:
        """A contact as the customer typed it. Raises `BadField`; `NotSupported` where nothing writes to this kind."""
        self._require(kind)
        return read_email(text) if kind is ContactKind.EMAIL else self._phone(text)

    async def request_code(self, contact: Contact, network: str | None, language: str) -> Requested:
        """Send a code to sign in with, whether the shop knows the contact or not."""
        return await self._send(contact, Purpose.SIGN_IN, network_of(network), language)

    async def sign_in(self, contact: Contact, code: str, network: str | None, mode: Mode) -> SignedIn:
        """
        Begin a session for who has the code. Of many who have it at once, one gets in.

        Raises what the back office raises (`BackOfficeError`) where it cannot say who the customer is: then the code
        stays good.
        """
        network = network_of(network)
        receipt = await self._check(contact, Purpose.SIGN_IN, code, network)
        if not isinstance(receipt, bytes):
            return receipt
        try:
            customer = await self._find(contact)
        except BaseException:
            with suppress(StoreUnavailable):
                await self._codes.put_back(contact, Purpose.SIGN_IN, receipt)
            raise
        # First used, then signed in: a process that dies between the two leaves a code that is gone, and no session
        # that anybody was told of.
        if not await self._codes.use(contact, Purpose.SIGN_IN, receipt):
            self.audit.code_refused(contact, network, Purpose.SIGN_IN.value, "used meanwhile")
            return Refused()
        if customer is None:
            return RegistrationNeeded(await self._tickets.issue(contact), self._settings.ticket_seconds)
        return await self._begin(customer, mode, contact, network, contact.kind.value)

    async def register(
        self, ticket: str, first_name: str, last_name: str | None, network: str | None, mode: Mode
    ) -> Session | Refused:
        """
        Make a customer of who has a ticket, and sign them in. Where the back office knows them by now, it is them.

        Raises `BadField` for names, and what the back office raises: then the ticket stays good.
        """
        network = network_of(network)
        first = read_name("firstName", first_name)
        last = read_name("lastName", last_name) if last_name is not None else None
        # Taken before the back office is asked: it is asked by one at a time.
        claim = await self._tickets.take(ticket)
        if claim is None:
            return Refused()
        try:
            customer = _checked(await self._customers.register(Registration(claim.contact, first, last)))
        except BaseException:
            with suppress(StoreUnavailable):
                await self._tickets.put_back(claim)
            raise
        self.audit.registered(customer, claim.contact, network)
        return await self._begin(customer, mode, claim.contact, network, "registration")

    async def sign_in_by_provider(
        self, subject: ProviderSubject, network: str | None, mode: Mode
    ) -> Session | RegistrationNeeded:
        """
        Begin a session for somebody whom an identity provider vouches for, by the customer's id or by a contact.

        Raises `BadField` for a contact that is none of this shop's, and what the back office raises.
        """
        network = network_of(network)
        if subject.customer is not None:
            return await self._begin(subject.customer, mode, None, network, subject.provider)
        contact = self._phone(subject.phone or "") if subject.email is None else read_email(subject.email)
        customer = await self._find(contact)
        if customer is None:
            return RegistrationNeeded(await self._tickets.issue(contact), self._settings.ticket_seconds)
        return await self._begin(customer, mode, contact, network, subject.provider)

    async def refresh(self, refresh_token: str) -> Session:
        """New tokens for a refresh token. Raises `Unauthenticated`: see `Sessions.refresh`."""
        return await self._sessions.refresh(refresh_token)

    async def sign_out(self, principal: Principal) -> None:
        """End the principal's session, at once. Nothing happens to one that is none of this service's."""
        await self._sessions.end(principal)

    async def sign_out_everywhere(self, principal: Principal) -> None:
        """End all sessions that the principal's customer has here, at once."""
        await self._sessions.end_all(principal.customer)

    async def request_second_factor(self, principal: Principal, network: str | None, language: str) -> Requested:
        """
        Send a code to where the session's sign-in code went.

        Raises `NotSupported` for sessions that began otherwise, `Unauthenticated` for one that has ended.
        """
        contact = await self._sessions.contact_of(principal)
        return await self._send(
            contact, Purpose.SECOND_FACTOR, network_of(network), language, bound_to=principal.session or ""
        )

    async def confirm_second_factor(
        self, principal: Principal, code: str, network: str | None
    ) -> Confirmed | Refused | RateLimited:
        """Make the session's second factor fresh. Raises as `request_second_factor` does."""
        contact = await self._sessions.contact_of(principal)
        session = principal.session or ""
        network = network_of(network)
        receipt = await self._check(contact, Purpose.SECOND_FACTOR, code, network, bound_to=session)
        if not isinstance(receipt, bytes):
            return receipt
        if not await self._codes.use(contact, Purpose.SECOND_FACTOR, receipt):
            self.audit.code_refused(contact, network, Purpose.SECOND_FACTOR.value, "used meanwhile")
            return Refused()
        if not await self._sessions.confirm(session):
            raise Unauthenticated("the session has ended")
        self.audit.second_factor(principal.customer, session, network)
        return Confirmed(self._fresh_seconds)

    async def principal_of_access_token(self, token: str) -> Principal:
        """Who sends the token. Raises `Unauthenticated`, whatever is wrong."""
        return await self._sessions.of_access_token(token)

    async def principal_of_cookie(self, value: str) -> Principal:
        """Who sends the cookie. Raises `Unauthenticated`, whatever is wrong."""
        return await self._sessions.of_cookie(value)

    def is_ours(self, token: str) -> bool:
        """Whether a bearer token is for `principal_of_access_token`, and not for the shop's provider's verifier."""
        return self._sessions.is_ours(token)

    async def _send(
        self, contact: Contact, purpose: Purpose, network: str, language: str, bound_to: str = ""
    ) -> Requested:
        self._require(contact.kind)
        # Looked at before anything is counted: who is refused uses up nobody's share.
        limits = ((self._codes_of_network, network), (self._codes_of_shop, ""))
        for limit, subject in limits:
            if seconds := await self._throttle.wait(limit, subject):
                return self._limited(contact, network, purpose, limit.name, seconds)
        issued = await self._codes.issue(contact, purpose, bound_to)
        if not isinstance(issued, Issued):
            return self._limited(contact, network, purpose, "codes of contact", issued)
        # Counted last: asking again and again for one contact does not use up what others may need.
        for limit, subject in limits:
            if seconds := await self._throttle.take(limit, subject):
                # Many asked at once. Nor does that use up what this contact may need.
                await self._codes.withdraw(contact, purpose, issued)
                return self._limited(contact, network, purpose, limit.name, seconds)
        self.audit.code_requested(contact, network, purpose.value)
        self._outbox.send(contact, self._text(contact, purpose, issued.code, language))
        return CodeSent(issued.resend_after, self._settings.code_seconds)

    async def _check(
        self, contact: Contact, purpose: Purpose, code: str, network: str, bound_to: str = ""
    ) -> bytes | Refused | RateLimited:
        """A receipt for a code that is right."""
        if seconds := await self._throttle.take(self._checks_of_network, network):
            return self._limited(contact, network, purpose, self._checks_of_network.name, seconds)
        checked = await self._codes.check(contact, purpose, code, bound_to)
        if checked.verdict is not Verdict.RIGHT:
            self.audit.code_refused(contact, network, purpose.value, checked.verdict.value)
            return Refused()
        return checked.receipt

    def _limited(self, contact: Contact, network: str, purpose: Purpose, limit: str, seconds: int) -> RateLimited:
        self.audit.code_refused(contact, network, purpose.value, f"limit: {limit}")
        return RateLimited(seconds)

    def _text(self, contact: Contact, purpose: Purpose, code: str, language: str) -> str:
        host = self._settings.web_otp_host if contact.kind is ContactKind.PHONE else None
        return code_text(purpose, code, language, host)

    async def _find(self, contact: Contact) -> CustomerId | None:
        found = (await self._customers.find([contact])).get(contact)
        if isinstance(found, BackOfficeError):
            raise found
        return None if found is None else _checked(found)

    async def _begin(
        self, customer: CustomerId, mode: Mode, contact: Contact | None, network: str, way: str
    ) -> Session:
        session = await self._sessions.begin(customer, mode, contact=contact)
        self.audit.signed_in(customer, session.principal.session or "", network, way)
        return session

    def _phone(self, text: str) -> Contact:
        settings = self._settings
        return read_phone(text, countries=settings.countries, refused_prefixes=settings.refused_prefixes)

    def _require(self, kind: ContactKind) -> None:
        if kind not in self.kinds:
            raise NotSupported(f"nothing is set up that writes to a contact of the kind {kind.value!r}")


def _checked(customer: CustomerId) -> CustomerId:
    # An empty id that came twice would open one cabinet to two.
    if not customer or not customer.isprintable() or len(customer) > LONGEST_ID:
        raise BadReply("the back office gave a customer's id that is none: empty, too long, or not printable")
    return customer
