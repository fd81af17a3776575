"""
What can go wrong with a back office: one small tree.

Every error has a `code` (what the front end sees; it never changes with language), a `recovery` (what helps) and a
message for the log. Messages name what happened, where, and the next step; never a secret, never a whole body, and
nothing of an upstream's text reaches a customer: the web layer writes its own words for each code.
"""

from enum import Enum
from typing import ClassVar, Self


class Code(Enum):
    """Codes in `errors[].extensions.code`. One page of docs a code."""

    UNAUTHENTICATED = "UNAUTHENTICATED"
    FORBIDDEN = "FORBIDDEN"
    NOT_FOUND = "NOT_FOUND"
    BAD_USER_INPUT = "BAD_USER_INPUT"
    UNAVAILABLE = "UNAVAILABLE"
    TIMEOUT = "TIMEOUT"
    BUSY = "BUSY"
    UPSTREAM = "UPSTREAM"
    UPSTREAM_AUTH = "UPSTREAM_AUTH"
    BAD_REPLY = "BAD_REPLY"
    TOO_LARGE = "TOO_LARGE"
    INTEGRITY = "INTEGRITY"
    NOT_SUPPORTED = "NOT_SUPPORTED"
    CONFLICT = "CONFLICT"
    INTERNAL = "INTERNAL"
    GRAPHQL_PARSE_FAILED = "GRAPHQL_PARSE_FAILED"
    GRAPHQL_VALIDATION_FAILED = "GRAPHQL_VALIDATION_FAILED"
    QUERY_TOO_DEEP = "QUERY_TOO_DEEP"
    QUERY_TOO_COMPLEX = "QUERY_TOO_COMPLEX"
    PERSISTED_QUERY_NOT_FOUND = "PERSISTED_QUERY_NOT_FOUND"
    PERSISTED_QUERY_NOT_SUPPORTED = "PERSISTED_QUERY_NOT_SUPPORTED"
    RATE_LIMITED = "RATE_LIMITED"
    SECOND_FACTOR_REQUIRED = "SECOND_FACTOR_REQUIRED"


class Recovery(Enum):
    """What helps against an error."""

    RETRY = "retry"
    """The same call may succeed at once."""
    WAIT = "wait"
    """It may succeed later; asking at once only adds load."""
    OPERATOR = "operator"
    """Somebody has to mend settings, a mapping or the back office."""
    NONE = "none"
    """It is the answer."""


class KabinetError(Exception):
    """The root: something with a code that a front end may see."""

    code: ClassVar[Code] = Code.INTERNAL

    @property
    def public_code(self) -> Code:
        """The code of this very error."""
        return self.code


class Unauthenticated(KabinetError):
    """Nobody, or not somebody we know, is asking."""

    code = Code.UNAUTHENTICATED


class Forbidden(KabinetError):
    """Whoever asks is known, and may not."""

    code = Code.FORBIDDEN


class SecondFactorRequired(KabinetError):
    """This matters so much that the customer has to show once more that it is them."""

    code = Code.SECOND_FACTOR_REQUIRED


class NotFound(KabinetError):
    """There is no such object for the one who asks; another customer's object looks exactly like this."""

    code = Code.NOT_FOUND


class BadUserInput(KabinetError):
    """An argument is out of its range. The message is ours and safe to show."""

    code = Code.BAD_USER_INPUT


class NotSupported(KabinetError):
    """No back office is configured for this section."""

    code = Code.NOT_SUPPORTED


class BackOfficeError(KabinetError):
    """
    A back office did not give what was asked for.

    Nothing in it may come from a reply unshortened, and nothing of it is shown to a customer but the code.
    """

    code = Code.UPSTREAM
    recovery: ClassVar[Recovery] = Recovery.WAIT
    advice: ClassVar[str] = "Look at the back office's own log."
    """What an operator can do, for `kabinet check`."""

    def __init__(self, message: str, *, back_office: str = "") -> None:
        super().__init__(message)
        self.back_office = back_office
        self.of_one_key = False
        """It concerns one key of an answer whose others may be good."""
        self.outcome_unknown = False
        """It came of a write, which may have been done all the same. Only asking the back office tells."""

    def anew(self) -> Self:
        """
        The same error, to be raised once more.

        One error may be raised to many who wait, and for as long as a breaker is open: each time it would grow by the
        frames of one more traceback.
        """
        copy = type(self).__new__(type(self), *self.args)
        copy.args = self.args
        copy.__dict__.update(self.__dict__)
        return copy

    def __str__(self) -> str:
        message = super().__str__()
        if self.outcome_unknown:
            message += "; whether it was done is unknown"
        return f"{self.back_office}: {message}" if self.back_office else message


class Unavailable(BackOfficeError):
    """No connection: nothing was sent. Or, as `ConnectionLost`, one that closed before an answer began."""

    code = Code.UNAVAILABLE
    advice = "Is it running, and is the address right? Can this machine reach it (DNS, firewall, TLS certificate)?"


class ConnectionLost(Unavailable):
    """The connection closed before an answer began, and the request may have arrived. A write may have happened."""


class TimedOut(BackOfficeError):
    """No whole answer came in time. A write may have happened."""

    code = Code.TIMEOUT
    advice = "It is reachable but slow. Look at its load; raise `timeout_ms` only if it is always that slow."


class Busy(BackOfficeError):
    """It said that it has too much to do. `retry_after` is in seconds where it said so."""

    code = Code.BUSY
    advice = "Lower `pool` or `batch`, or give the back office more sessions."

    def __init__(self, message: str, *, back_office: str = "", retry_after: float | None = None) -> None:
        super().__init__(message, back_office=back_office)
        self.retry_after = retry_after


class Upstream(BackOfficeError):
    """It answered with an error of its own: an HTTP 5xx, a technical SOAP fault."""

    code = Code.UPSTREAM
    recovery = Recovery.RETRY


class SignInRefused(BackOfficeError):
    """It refused our own credentials. The customer's session is not touched."""

    code = Code.UPSTREAM_AUTH
    recovery = Recovery.OPERATOR
    advice = "Check the user and the secret in the settings, and the rights of that user in the back office."


class BadReply(BackOfficeError):
    """The answer is not what the mapping or the protocol says: cut, malformed, of the wrong type."""

    code = Code.BAD_REPLY
    recovery = Recovery.OPERATOR
    advice = "Compare the mapping file with what the back office sends now."


class TooLarge(BackOfficeError):
    """The answer is larger, after decompression, than `max_reply_bytes`."""

    code = Code.TOO_LARGE
    recovery = Recovery.OPERATOR
    advice = "Ask for less at once (`batch`), or raise `max_reply_bytes`."


class IntegrityViolation(BackOfficeError):
    """It sent data of a customer who was not asked for. Nothing of such an answer is used."""

    code = Code.INTEGRITY
    recovery = Recovery.OPERATOR
    advice = "Switch the section off and have the service mended: it mixes customers up."


class Unknown(BackOfficeError):
    """It does not know what was asked for; this differs from knowing that there is nothing."""

    code = Code.NOT_FOUND
    recovery = Recovery.NONE
    advice = "The id is not known there. Do all back offices use the same customer ids?"


class AdapterBroken(BackOfficeError):
    """The adapter itself made a mistake: an exception that is none of ours came out of it."""

    code = Code.INTERNAL
    recovery = Recovery.OPERATOR
    advice = "This is a defect of the adapter; the log has its traceback."


class Refused(BackOfficeError):
    """A business refusal: the back office works, and says no. The mapping chooses the code."""

    recovery = Recovery.NONE
    advice = "The service refuses this customer or operation; its own log says why."
    CODES: ClassVar[frozenset[Code]] = frozenset(
        {Code.NOT_FOUND, Code.FORBIDDEN, Code.CONFLICT, Code.BAD_USER_INPUT, Code.NOT_SUPPORTED}
    )
    """What a mapping may turn a refusal into."""

    def __init__(self, message: str, *, refusal: Code, back_office: str = "") -> None:
        if refusal not in self.CODES:
            raise ValueError(f"a business refusal cannot have the code {refusal.value}")
        super().__init__(message, back_office=back_office)
        self._refusal = refusal

    @property
    def public_code(self) -> Code:
        """The code that the mapping chose."""
        return self._refusal
