"""
The audit log: who came in, who was refused, which sessions ended, what staff looked at.

It names nobody. Customers, contacts, networks and sessions are keyed hashes: two lines about the same one can be put
together, and whoever has the key (and only they) can find the lines of a customer that they know.
"""

from enum import Enum
from typing import Any, Final

import structlog

from bff.domain import Contact, CustomerId
from bff.identity.subkeys import keyed_hash

log = structlog.get_logger("kabinet.audit")

HASH_CHARS: Final = 16


class Ended(Enum):
    """Why a session ended."""

    SIGNED_OUT = "signed out"
    EVERYWHERE = "everywhere"
    REUSE = "reuse"
    """A spent refresh token came once more: it was stolen, or its owner's was."""
    EXPIRED = "expired"


class Audit:
    """
    Writes the audit log. Each line has `log="audit"`, by which it is told from others.

    One more kind of line comes from `bff.sources`, where it is found: "integrity violation".
    """

    def __init__(self, key: bytes) -> None:
        self._key = key

    def code_requested(self, contact: Contact, network: str, purpose: str) -> None:
        """A code was made, and is on its way."""
        log.info("code requested", **self._who(contact=contact, network=network), purpose=purpose)

    def code_not_sent(self, contact: Contact, why: str) -> None:
        """A code was made, and did not get away. The customer is not told."""
        log.error("code not sent", **self._who(contact=contact), why=why)

    def code_refused(self, contact: Contact, network: str, purpose: str, why: str) -> None:
        """No code was made, or one that came was not good."""
        log.warning("code refused", **self._who(contact=contact, network=network), purpose=purpose, why=why)

    def signed_in(self, customer: CustomerId, session: str, network: str, way: str) -> None:
        """A session began."""
        log.info("signed in", **self._who(customer=customer, session=session, network=network), way=way)

    def registered(self, customer: CustomerId, contact: Contact, network: str) -> None:
        """A back office was told of a new customer."""
        log.info("registered", **self._who(customer=customer, contact=contact, network=network))

    def second_factor(self, customer: CustomerId, session: str, network: str) -> None:
        """A session has a fresh second factor."""
        log.info("second factor confirmed", **self._who(customer=customer, session=session, network=network))

    def session_refreshed(self, customer: CustomerId, session: str) -> None:
        """A refresh token was spent; too frequent for the log as it is set up."""
        log.debug("session refreshed", **self._who(customer=customer, session=session))

    def session_ended(self, customer: CustomerId, session: str | None, why: Ended) -> None:
        """A session ended; all of a customer's where none is named."""
        write = log.warning if why is Ended.REUSE else log.info
        write("session ended", **self._who(customer=customer, session=session), why=why.value)

    def staff_read(self, staff: CustomerId, customer: CustomerId, what: str) -> None:
        """Somebody of the staff looked at a customer's data. `what` is a field's name, never a value."""
        log.info("staff read", **self._who(staff=staff, customer=customer), what=what)

    def _who(self, **named: str | Contact | None) -> dict[str, Any]:
        hashes = {name: self._hash(name, value) for name, value in named.items() if value is not None}
        return {"log": "audit", **hashes}

    def _hash(self, name: str, value: str | Contact) -> str:
        # Staff are customers too: the same person has the same hash.
        kind = "customer" if name == "staff" else name
        parts = (value.kind.value, value.value) if isinstance(value, Contact) else (value,)
        return keyed_hash(self._key, kind, *parts).hex()[:HASH_CHARS]
