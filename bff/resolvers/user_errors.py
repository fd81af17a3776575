"""What the customer can mend: part of a mutation's answer, and no error of the request."""

from dataclasses import dataclass
from enum import Enum

from bff.identity.contact import BadField
from bff.identity.sign_in import RateLimited


class UserErrorCode(Enum):
    """What is wrong."""

    INVALID = "INVALID"
    """A field's value is none that can be."""
    REFUSED = "REFUSED"
    """The code or ticket is not good; nobody is told why."""
    RATE_LIMITED = "RATE_LIMITED"
    """Too many, too soon."""


@dataclass(frozen=True, slots=True)
class UserError:
    """One fault. `field` is the path of the input's field, empty where it is about no single one."""

    code: UserErrorCode
    field: tuple[str, ...] = ()
    retry_after: int | None = None
    """Seconds after which it is worth trying again."""


def invalid(error: BadField, *above: str) -> UserError:
    """A field that cannot be read; it stands in the input below `above`."""
    return UserError(UserErrorCode.INVALID, (*above, error.field))


def refused(*field: str) -> UserError:
    """A code or a ticket that is not good."""
    return UserError(UserErrorCode.REFUSED, field)


def limited(limit: RateLimited) -> UserError:
    """Too many, too soon."""
    return UserError(UserErrorCode.RATE_LIMITED, retry_after=limit.seconds)
