"""The short registration: a ticket that says whose contact was proven, and the names that go with it."""

import secrets
import unicodedata
from dataclasses import dataclass, field
from typing import Final

import msgspec

from bff.domain import Contact, ContactKind
from bff.domain.clock import Clock
from bff.identity.contact import BadField
from bff.identity.seal import Seal, bytes_of
from bff.identity.store import Store
from bff.identity.subkeys import as_text

PREFIX: Final = "kt1."
LONGEST_TICKET: Final = 1_000
LONGEST_NAME: Final = 100
_OPEN: Final = b"open"


class _Content(msgspec.Struct, frozen=True):
    id: str
    kind: ContactKind
    value: str
    ends_at: float


@dataclass(frozen=True, slots=True)
class Claim:
    """A ticket that was taken: nobody else can take it now."""

    contact: Contact
    id: str = field(repr=False)
    ends_at: float


class Tickets:
    """
    Tickets that work once. The ticket itself holds the contact, sealed; the store only knows that it is open.

    Every method raises `StoreUnavailable`.
    """

    def __init__(self, store: Store, key: bytes, lifetime: float, clock: Clock) -> None:
        self._store = store
        self._seal = Seal(key)
        self._lifetime = lifetime
        self._clock = clock

    async def issue(self, contact: Contact) -> str:
        """A ticket for somebody who has just proven that the contact is theirs."""
        content = _Content(secrets.token_urlsafe(16), contact.kind, contact.value, self._now() + self._lifetime)
        await self._store.swap(_key(content.id), None, _OPEN, lifetime=self._lifetime)
        return PREFIX + as_text(self._seal.close(msgspec.msgpack.encode(content), PREFIX))

    async def take(self, ticket: str) -> Claim | None:
        """Take it; None where it is none of ours, over, or taken already."""
        raw = bytes_of(ticket[len(PREFIX) :]) if ticket.startswith(PREFIX) and len(ticket) <= LONGEST_TICKET else None
        opened = None if raw is None else self._seal.open(raw, PREFIX)
        if opened is None:
            return None
        content = msgspec.msgpack.decode(opened, type=_Content)
        if self._now() >= content.ends_at or not await self._store.swap(_key(content.id), _OPEN, None):
            return None
        return Claim(Contact(content.kind, content.value), content.id, content.ends_at)

    async def put_back(self, claim: Claim) -> None:
        """Let it be taken again, for as long as it would have been: what it was for could not be done."""
        left = claim.ends_at - self._now()
        if left > 0:
            await self._store.swap(_key(claim.id), None, _OPEN, lifetime=left)

    def _now(self) -> float:
        return self._clock().timestamp()


def read_name(field_name: str, text: str) -> str:
    """
    A name as it goes to the back office: composed (NFC), without white space around it, on one line.

    Raises `BadField` where it is empty, longer than `LONGEST_NAME`, or has characters that do not print: control
    characters, marks that turn the direction of text, half a character.
    """
    name = unicodedata.normalize("NFC", text).strip()
    if not 0 < len(name) <= LONGEST_NAME:
        raise BadField(field_name, f"has 1 to {LONGEST_NAME} characters")
    if not name.isprintable():
        raise BadField(field_name, "has characters that do not print")
    return name


def _key(ticket: str) -> str:
    return f"ticket:{ticket}"
