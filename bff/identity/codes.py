"""
One-time codes, and all that is counted by contact.

Everything about one contact is one record in the store, changed by compare-and-set. So no two checks at once are
counted as one, and there is no step between two writes at which a process could die and leave a code half used.
"""

import hmac
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Final

import msgspec

from bff.domain import Contact
from bff.domain.clock import Clock
from bff.identity.records import Records
from bff.identity.settings import DAY, SignInSettings
from bff.identity.store import Store
from bff.identity.subkeys import as_text, keyed_hash
from bff.identity.throttle import whole

DIGITS: Final = 6

CLOCK_SKEW_SECONDS: Final = 10.0
"""So far apart the clocks of several machines may be. What was done later than that from now, was done by a clock that
has been put back since: it counts as long ago."""


class Purpose(Enum):
    """What a code is good for; one for another purpose is wrong."""

    SIGN_IN = "sign-in"
    SECOND_FACTOR = "second-factor"


class Verdict(Enum):
    """What a check says. Only the audit log learns which: to the one who asks, all but the first are the same."""

    RIGHT = "right"
    WRONG = "wrong"
    NONE = "none"
    """There is no code: never sent, used, or expired."""
    SPENT = "spent"
    """It was checked too often."""
    TOO_MANY = "too many"
    """The contact had too many failures today."""


@dataclass(frozen=True, slots=True)
class Issued:
    """A code, to be sent. It never prints."""

    code: str = field(repr=False)
    resend_after: int
    """Whole seconds until another one may be sent."""
    receipt: bytes = field(repr=False)
    before: "_State" = field(repr=False)
    """What was known of the contact until then."""


@dataclass(frozen=True, slots=True)
class Checked:
    """How a check ended; `receipt` names the code that was right."""

    verdict: Verdict
    receipt: bytes = field(default=b"", repr=False)


class _Code(msgspec.Struct, frozen=True):
    digest: bytes
    made_at: float
    checks: int = 0


class _State(msgspec.Struct, frozen=True):
    """What is known of a contact. Times are seconds since 1970."""

    codes: Mapping[str, _Code] = {}
    sent: int = 0
    sent_since: float = 0.0
    sent_last_at: float = 0.0
    failures: int = 0
    failures_since: float = 0.0


class Codes:
    """
    Makes and checks codes. Neither they nor contacts stand in the store in clear: keyed hashes do.

    Every method raises `StoreUnavailable`.
    """

    def __init__(self, store: Store, key: bytes, settings: SignInSettings, clock: Clock) -> None:
        self._key = key
        self._settings = settings
        self._clock = clock
        # No window is longer than a day.
        self._states: Records[_State] = Records(store, "codes:", _State, lambda _: 2.0 * DAY)

    async def issue(self, contact: Contact, purpose: Purpose, bound_to: str = "") -> Issued | int:
        """
        Make a code, in the place of the last one for the purpose; whole seconds to wait where it is too soon.

        It will be right for the same contact, purpose and `bound_to` only.
        """
        code = f"{secrets.randbelow(10**DIGITS):0{DIGITS}}"
        digest = self._digest(contact, purpose, bound_to, code)

        def step(state: _State | None) -> tuple[_State | None, Issued | int]:
            now = self._now()
            known = self._today(state or _State(), now)
            if wait := self._wait(known, now):
                return state, whole(wait)
            issued = msgspec.structs.replace(
                known,
                codes={**self._living(known, now), purpose.value: _Code(digest, now)},
                sent=known.sent + 1,
                sent_since=known.sent_since if known.sent else now,
                sent_last_at=now,
            )
            return issued, Issued(code, self._pause(issued.sent), digest, known)

        return await self._states.change(self._name(contact), step)

    async def withdraw(self, contact: Contact, purpose: Purpose, issued: Issued) -> None:
        """Let everything but failures be as it was before a code that is not sent after all."""

        def step(state: _State | None) -> tuple[_State | None, None]:
            if state is None or not self._is(state, purpose, issued.receipt):
                return state, None
            failed = {"failures": state.failures, "failures_since": state.failures_since}
            return msgspec.structs.replace(issued.before, **failed), None

        await self._states.change(self._name(contact), step)

    async def check(self, contact: Contact, purpose: Purpose, code: str, bound_to: str = "") -> Checked:
        """Count a check, and say whether the code is right. A right one stays good until `use`."""
        # Whatever is not six ASCII digits is wrong, and counted like any other wrong code.
        is_code = len(code) == DIGITS and code.isascii() and code.isdigit()
        digest = self._digest(contact, purpose, bound_to, code) if is_code else b""

        def step(state: _State | None) -> tuple[_State | None, Checked]:
            now = self._now()
            known = self._today(state or _State(), now)
            if known.failures >= self._settings.failures_per_contact:
                return state, Checked(Verdict.TOO_MANY)
            awaited = self._living(known, now).get(purpose.value)
            if awaited is None:
                return state, Checked(Verdict.NONE)
            if awaited.checks >= self._settings.checks_per_code:
                return state, Checked(Verdict.SPENT)
            checked = msgspec.structs.replace(awaited, checks=awaited.checks + 1)
            after = msgspec.structs.replace(known, codes={**known.codes, purpose.value: checked})
            if hmac.compare_digest(digest, awaited.digest):
                return after, Checked(Verdict.RIGHT, digest)
            return (
                msgspec.structs.replace(
                    after,
                    failures=known.failures + 1,
                    failures_since=known.failures_since if known.failures else now,
                ),
                Checked(Verdict.WRONG),
            )

        return await self._states.change(self._name(contact), step)

    async def use(self, contact: Contact, purpose: Purpose, receipt: bytes) -> bool:
        """Use up the code that was right. Of many who do so at once, one gets True."""

        def step(state: _State | None) -> tuple[_State | None, bool]:
            if state is None or not self._is(state, purpose, receipt):
                return state, False
            rest = {name: code for name, code in state.codes.items() if name != purpose.value}
            return msgspec.structs.replace(state, codes=rest), True

        return await self._states.change(self._name(contact), step)

    async def put_back(self, contact: Contact, purpose: Purpose, receipt: bytes) -> None:
        """Forget the check that was right: what it was for could not be done."""

        def step(state: _State | None) -> tuple[_State | None, None]:
            if state is None or not self._is(state, purpose, receipt):
                return state, None
            code = state.codes[purpose.value]
            again = msgspec.structs.replace(code, checks=max(0, code.checks - 1))
            return msgspec.structs.replace(state, codes={**state.codes, purpose.value: again}), None

        await self._states.change(self._name(contact), step)

    def _wait(self, state: _State, now: float) -> float:
        """Seconds until the next code may be sent; 0.0 where it may be now."""
        settings = self._settings
        if state.sent >= settings.codes_per_contact:
            return state.sent_since + DAY - now
        if state.failures >= settings.failures_per_contact:
            # It would be of no use, and costs a message.
            return state.failures_since + DAY - now
        pause = self._pause(state.sent) if state.sent else 0
        return state.sent_last_at + pause - now if _is_within(state.sent_last_at, now, pause) else 0.0

    def _pause(self, sent: int) -> int:
        pauses = self._settings.resend_seconds
        return pauses[min(sent, len(pauses)) - 1]

    def _living(self, state: _State, now: float) -> dict[str, _Code]:
        living = self._settings.code_seconds
        return {name: code for name, code in state.codes.items() if _is_within(code.made_at, now, living)}

    @staticmethod
    def _today(state: _State, now: float) -> _State:
        """The state without the counts whose day is over."""
        if state.sent and not _is_within(state.sent_since, now, DAY):
            state = msgspec.structs.replace(state, sent=0)
        if state.failures and not _is_within(state.failures_since, now, DAY):
            state = msgspec.structs.replace(state, failures=0)
        return state

    @staticmethod
    def _is(state: _State, purpose: Purpose, receipt: bytes) -> bool:
        code = state.codes.get(purpose.value)
        return code is not None and hmac.compare_digest(code.digest, receipt)

    def _digest(self, contact: Contact, purpose: Purpose, bound_to: str, code: str) -> bytes:
        return keyed_hash(self._key, "code", purpose.value, bound_to, contact.kind.value, contact.value, code)

    def _name(self, contact: Contact) -> str:
        return as_text(keyed_hash(self._key, "contact", contact.kind.value, contact.value)[:18])

    def _now(self) -> float:
        return self._clock().timestamp()


def _is_within(began: float, now: float, seconds: float) -> bool:
    return -CLOCK_SKEW_SECONDS <= now - began < seconds
