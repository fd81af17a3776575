"""
Sessions: a family of tokens, or one cookie, and the record in the store by which they live.

Nothing secret is stored. A refresh token is its family's id, its number and a keyed hash of both, so the successor of
a token is always the same text: who asks twice for it (a lost reply, two pages at once) gets it twice.
"""

import asyncio
import hmac
import re
import secrets
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass, field
from enum import Enum
from typing import Final

import msgspec

from bff.domain import Contact, ContactKind, CustomerId
from bff.domain.clock import Clock
from bff.errors import NotSupported, Unauthenticated
from bff.identity.access_tokens import AccessTokens
from bff.identity.audit import Audit, Ended
from bff.identity.principal import Principal, Strength
from bff.identity.records import Records
from bff.identity.seal import Seal
from bff.identity.settings import DAY, HOUR, SessionSettings
from bff.identity.store import Store, StoreUnavailable
from bff.identity.subkeys import Subkeys, as_text, keyed_hash

COOKIE_NAME: Final = "__Host-kabinet"
"""Its attributes: `HttpOnly; Secure; SameSite=Lax; Path=/`, and `Max-Age` as `Cookie.max_age` says."""

CLOCK_SKEW_SECONDS: Final = 10.0
TEN_YEARS: Final = 3_650.0 * DAY

_REFRESH = re.compile(r"kr1\.([A-Za-z0-9_-]{22})\.([1-9][0-9]{0,8})\.([A-Za-z0-9_-]{43})", re.ASCII)
_COOKIE = re.compile(r"kc1\.([A-Za-z0-9_-]{22})\.([A-Za-z0-9_-]{43})", re.ASCII)


class Mode(Enum):
    """Where the front end keeps a session."""

    TOKENS = "tokens"
    COOKIE = "cookie"


@dataclass(frozen=True, slots=True)
class Tokens:
    """What an app gets. Neither token prints; both times are whole seconds from now."""

    access: str = field(repr=False)
    access_expires_in: int
    refresh: str = field(repr=False)
    refresh_expires_in: int


@dataclass(frozen=True, slots=True)
class Cookie:
    """What a browser gets, under `COOKIE_NAME`. The value never prints; `max_age` is in seconds."""

    value: str = field(repr=False)
    max_age: int


@dataclass(frozen=True, slots=True)
class Session:
    """A session that has begun or goes on, by its mode with `tokens` or with a `cookie`."""

    principal: Principal
    tokens: Tokens | None = None
    cookie: Cookie | None = None


class _Family(msgspec.Struct, frozen=True):
    """Times are seconds since 1970."""

    customer: str
    epoch: int
    mode: Mode
    created_at: float
    seen_at: float
    scopes: tuple[str, ...] = ()
    number: int = 1
    """Of the refresh token that is good now."""
    rotated_at: float = 0.0
    confirmed_at: float | None = None
    contact_kind: ContactKind | None = None
    contact: bytes | None = None
    """Sealed. The second factor goes there; asking for it anew would need an argument that could be another's."""


class Sessions:
    """
    Begins, continues and ends sessions.

    Whoever is refused gets `Unauthenticated`, whatever was wrong. Every method that is awaited raises
    `StoreUnavailable`: then nobody was signed out.
    """

    def __init__(self, store: Store, keys: Subkeys, settings: SessionSettings, audit: Audit, clock: Clock) -> None:
        self._settings = settings
        self._audit = audit
        self._clock = clock
        self._families: Records[_Family] = Records(store, "session:", _Family, self._kept_for)
        # An epoch that were forgotten would let come back what it had ended.
        self._epochs: Records[int] = Records(store, "epoch:", int, lambda _: TEN_YEARS)
        self._epoch_key = keys.key("epochs")
        self._refresh_key = keys.key("refresh tokens")
        self._cookie_key = keys.key("cookies")
        self._seal = Seal(keys.key("contacts of sessions"))
        self._access = AccessTokens(
            keys.key("access tokens"),
            issuer=settings.issuer,
            audience=settings.audience,
            lifetime=settings.access_seconds,
            clock=clock,
        )
        self._touch_after = min(HOUR, settings.idle_seconds / 10)

    async def begin(
        self, customer: CustomerId, mode: Mode, *, contact: Contact | None = None, scopes: Collection[str] = ()
    ) -> Session:
        """A new session of a customer; it is in the store when this returns."""
        now = self._now()
        name = secrets.token_urlsafe(16)
        family = _Family(
            customer=customer,
            epoch=await self._epoch(customer),
            mode=mode,
            created_at=now,
            seen_at=now,
            rotated_at=now,
            scopes=tuple(sorted(scopes)),
            contact_kind=None if contact is None else contact.kind,
            contact=None if contact is None else self._seal.close(contact.value.encode(), name),
        )
        await self._families.add(name, family)
        return self._session(name, family, now)

    async def refresh(self, token: str) -> Session:
        """
        Spend a refresh token for new tokens.

        A token that was just spent gives the same successor for a few seconds; after that it ends the whole family.
        """
        name, number = self._read_refresh(token)
        family = await self._living(name, Mode.TOKENS)

        def step(found: _Family | None) -> tuple[_Family | None, _Family | Ended]:
            if found is None:
                return None, Ended.SIGNED_OUT
            now = self._now()
            if number >= found.number:
                # Beyond it only where the store lost its last write, as a Redis may that fails over: we signed it.
                rotated = msgspec.structs.replace(found, number=number + 1, rotated_at=now, seen_at=now)
                return rotated, rotated
            if number == found.number - 1 and abs(now - found.rotated_at) <= self._settings.grace_seconds:
                return found, found
            return None, Ended.REUSE

        after = await self._families.change(name, step)
        customer = CustomerId(family.customer)
        if after is Ended.REUSE:
            self._audit.session_ended(customer, name, after)
        if isinstance(after, Ended):
            raise Unauthenticated("the session has ended")
        self._audit.session_refreshed(customer, name)
        return self._session(name, after, self._now())

    async def of_access_token(self, token: str) -> Principal:
        """Whose token it is, while its session lives."""
        claims = self._access.read(token)
        family, epoch = await asyncio.gather(self._families.get(claims.session), self._epoch(claims.customer))
        if family is None or family.customer != claims.customer:
            raise Unauthenticated("the session has ended")
        await self._require(claims.session, family, epoch, Mode.TOKENS)
        return self._principal(claims.session, family)

    async def of_cookie(self, value: str) -> Principal:
        """Whose cookie it is, while its session lives."""
        read = _COOKIE.fullmatch(value)
        if read is None or not _same(read[2], self._cookie(read[1])):
            raise Unauthenticated("the cookie is none of this service's")
        name = read[1]
        family = await self._living(name, Mode.COOKIE)
        if self._now() - family.seen_at >= self._touch_after:
            # A store that can only be read signs nobody out.
            with suppress(StoreUnavailable):
                await self._families.change(name, self._touched)
        return self._principal(name, family)

    def is_ours(self, token: str) -> bool:
        """Whether a bearer token claims to be an access token of these sessions."""
        return self._access.is_ours(token)

    async def end(self, principal: Principal) -> None:
        """Sign out: the session ends at once. One that has ended, or none, is no error."""
        if principal.session is not None:
            await self._end(principal.session, Ended.SIGNED_OUT)

    async def end_all(self, customer: CustomerId) -> None:
        """Sign out everywhere: every session of the customer that has begun until now ends at once."""
        await self._epochs.change(self._epoch_name(customer), lambda epoch: ((epoch or 0) + 1, None))
        self._audit.session_ended(customer, None, Ended.EVERYWHERE)

    async def contact_of(self, principal: Principal) -> Contact:
        """Where a session's second factor goes. `NotSupported` where it began without a contact."""
        if principal.session is None:
            raise NotSupported("a second factor is for sessions of this service")
        family = await self._families.get(principal.session)
        if family is None:
            raise Unauthenticated("the session has ended")
        if family.contact is None or family.contact_kind is None:
            raise NotSupported("this session began without a phone or mail address")
        value = self._seal.open(family.contact, principal.session)
        if value is None:
            raise Unauthenticated("the session was made with another secret")
        return Contact(family.contact_kind, value.decode())

    async def confirm(self, session: str) -> bool:
        """Note that the second factor came now; False where the session has ended."""

        def step(found: _Family | None) -> tuple[_Family | None, bool]:
            if found is None:
                return None, False
            return msgspec.structs.replace(found, confirmed_at=self._now()), True

        return await self._families.change(session, step)

    async def _living(self, name: str, mode: Mode) -> _Family:
        family = await self._families.get(name)
        if family is None:
            raise Unauthenticated("the session has ended")
        await self._require(name, family, await self._epoch(CustomerId(family.customer)), mode)
        return family

    async def _require(self, name: str, family: _Family, epoch: int, mode: Mode) -> None:
        if family.mode is not mode:
            raise Unauthenticated("the session is of the other mode")
        if family.epoch < epoch:
            # Told of when it was done, for all sessions at once.
            raise Unauthenticated("the customer signed out everywhere")
        if self._left(family, self._now()) <= 0:
            await self._end(name, Ended.EXPIRED)
            raise Unauthenticated("the session is over")

    async def _end(self, name: str, why: Ended) -> None:
        family: _Family | None = await self._families.change(name, lambda found: (None, found))
        if family is not None:
            self._audit.session_ended(CustomerId(family.customer), name, why)

    def _touched(self, found: _Family | None) -> tuple[_Family | None, None]:
        return (None if found is None else msgspec.structs.replace(found, seen_at=self._now())), None

    def _session(self, name: str, family: _Family, now: float) -> Session:
        principal = self._principal(name, family)
        if family.mode is Mode.COOKIE:
            return Session(
                principal, cookie=Cookie(f"kc1.{name}.{self._cookie(name)}", self._settings.absolute_seconds)
            )
        access = self._access.sign(principal.customer, name, signed_in_at=family.created_at, scopes=family.scopes)
        refresh = f"kr1.{name}.{family.number}.{self._refresh(name, family.number)}"
        left = int(self._left(family, now))
        return Session(principal, tokens=Tokens(access, self._settings.access_seconds, refresh, left))

    def _principal(self, name: str, family: _Family) -> Principal:
        confirmed = family.confirmed_at
        # A confirmation that is ahead of the clock is fresh only as far as clocks of machines may differ.
        fresh = confirmed is not None and -CLOCK_SKEW_SECONDS <= self._now() - confirmed < self._settings.fresh_seconds
        strength = Strength.FRESH_SECOND_FACTOR if fresh else Strength.ONE_FACTOR
        return Principal(CustomerId(family.customer), name, strength, frozenset(family.scopes))

    def _left(self, family: _Family, now: float) -> float:
        """How many seconds a session has left: until it was idle for too long, or is too old."""
        idle = family.seen_at + self._settings.idle_seconds
        absolute = family.created_at + self._settings.absolute_seconds
        return min(idle, absolute) - now

    def _kept_for(self, family: _Family) -> float:
        # A day longer than it lives, so that the audit log can say that it expired.
        return max(self._left(family, self._now()), 0.0) + DAY

    async def _epoch(self, customer: CustomerId) -> int:
        return await self._epochs.get(self._epoch_name(customer)) or 0

    def _epoch_name(self, customer: CustomerId) -> str:
        return as_text(keyed_hash(self._epoch_key, customer)[:18])

    def _read_refresh(self, token: str) -> tuple[str, int]:
        read = _REFRESH.fullmatch(token)
        if read is None or not _same(read[3], self._refresh(read[1], int(read[2]))):
            raise Unauthenticated("the refresh token is none of this service's")
        return read[1], int(read[2])

    def _refresh(self, name: str, number: int) -> str:
        return as_text(keyed_hash(self._refresh_key, name, str(number)))

    def _cookie(self, name: str) -> str:
        return as_text(keyed_hash(self._cookie_key, name))

    def _now(self) -> float:
        return self._clock().timestamp()


def _same(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode(), other.encode())
