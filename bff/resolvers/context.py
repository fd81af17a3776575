"""What every resolver gets: who asks, the request's loaders, and a place for what went wrong on the side."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import date
from secrets import token_bytes
from typing import Self

from bff.domain import CustomerId
from bff.errors import Forbidden, KabinetError, NotSupported, SecondFactorRequired, Unauthenticated
from bff.identity import Principal
from bff.identity.audit import Audit
from bff.identity.principal import Strength
from bff.identity.sign_in import SignIn
from bff.loaders import Loaders
from bff.resolvers.shop import Shop

Path = list[str | int]


@dataclass(frozen=True, slots=True)
class Notice:
    """An error beside a value: part of what stands at `path` is missing, and the rest is there."""

    path: Path
    error: KabinetError


@dataclass(frozen=True, slots=True)
class Services:
    """What requests share, besides the data."""

    shop: Shop = field(default_factory=Shop)
    sign_in: SignIn | None = None
    """None where customers do not sign in here."""
    audit: Audit = field(default_factory=lambda: Audit(token_bytes(32)))
    staff_scope: str | None = None


@dataclass(slots=True)
class Context:
    """One request."""

    principal: Principal | None
    loaders: Loaders
    services: Services = field(default_factory=Services)
    language: str = "ru"
    """What people are spoken to in: one that there are words in."""
    today: Callable[[], date] = lambda: date.min
    """Says the shop's day: what ended before it is not shown, however it was kept."""
    network: str = ""
    """Where the request comes from: an IPv4 address, a /64 of IPv6; empty where that is not known."""
    notices: list[Notice] = field(default_factory=list)
    set_cookie: list[str] = field(default_factory=list)
    """Values of `Set-Cookie` for the answer's head: a mutation's, who signs in a browser or out."""

    @property
    def known(self) -> Principal:
        """Who asks. Raises `Unauthenticated` for a guest."""
        if self.principal is None:
            raise Unauthenticated("this needs a token")
        return self.principal

    @property
    def customer(self) -> CustomerId:
        """Whose cabinet is asked for. Raises `Unauthenticated` for a guest."""
        return self.known.customer

    @property
    def sign_in(self) -> SignIn:
        """The use cases of signing in. Raises `NotSupported` where customers do not sign in here."""
        if self.services.sign_in is None:
            raise NotSupported("customers do not sign in here; see [sessions]")
        return self.services.sign_in

    def require_fresh_second_factor(self) -> None:
        """For mutations that matter. Raises `SecondFactorRequired` where the customer has not just confirmed."""
        if self.known.strength is not Strength.FRESH_SECOND_FACTOR:
            raise SecondFactorRequired("a fresh second factor is needed")

    def seen_by_staff(self, customer: CustomerId, what: str) -> Self:
        """
        The same request, as that customer's: for staff, and noted in the audit log.

        Raises `Unauthenticated` for a guest, `Forbidden` for who is not staff.
        """
        staff = self.known
        if self.services.staff_scope is None or self.services.staff_scope not in staff.scopes:
            raise Forbidden("this needs the scope of the shop's staff")
        self.services.audit.staff_read(staff.customer, customer, what)
        return replace(self, principal=Principal(customer))

    def notice(self, path: Path, error: KabinetError) -> None:
        """Tell the client that part of what stands at `path` is missing; once a code and place."""
        if not any(notice.path == path and notice.error.public_code is error.public_code for notice in self.notices):
            self.notices.append(Notice(path, error))
