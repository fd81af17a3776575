"""What the customer can mend, in words."""

from collections.abc import Mapping
from enum import Enum
from typing import Self

import strawberry

from bff.resolvers import user_errors
from bff.schema.info import Info


@strawberry.enum(description="What the customer can mend.")
class UserErrorCode(Enum):
    """The names are those of `bff.resolvers.user_errors.UserErrorCode`."""

    INVALID = strawberry.enum_value("INVALID", description="The field's value cannot be.")
    REFUSED = strawberry.enum_value("REFUSED", description="The code or ticket is not good; nobody is told why.")
    RATE_LIMITED = strawberry.enum_value("RATE_LIMITED", description="Too many, too soon; `retryAfter` says when.")


WORDS: Mapping[str, Mapping[str, str]] = {
    "phone": {"ru": "Проверьте номер телефона.", "en": "Check the phone number."},
    "email": {"ru": "Проверьте адрес почты.", "en": "Check the e-mail address."},
    "firstName": {"ru": "Проверьте имя.", "en": "Check the first name."},
    "lastName": {"ru": "Проверьте фамилию.", "en": "Check the last name."},
    "code": {"ru": "Код не подошёл. Запросите новый.", "en": "The code is not good. Ask for a new one."},
    "ticket": {"ru": "Время вышло. Войдите ещё раз.", "en": "Time is up. Sign in once more."},
    "": {"ru": "Слишком много попыток, попробуйте позже.", "en": "Too many attempts, try again later."},
}
"""By the field; without one, for too many attempts. One more language is one more column."""


@strawberry.type(description="What is wrong with the input, for the customer to mend. It is no error of the request.")
class UserError:
    """One fault."""

    code: UserErrorCode = strawberry.field(description="What is wrong; it does not change with the language.")
    field: list[str] = strawberry.field(
        description="The path of the input's field; empty where it is about no single one."
    )
    retry_after: int | None = strawberry.field(description="Seconds after which it is worth trying again.")

    @strawberry.field(description="What to tell the customer, in their language (`Accept-Language`).")
    def message(self, info: Info) -> str:
        """Our own words."""
        return WORDS[self.field[-1] if self.field else ""][info.context.language]

    @classmethod
    def of(cls, error: user_errors.UserError) -> Self:
        """Show a fault."""
        return cls(code=UserErrorCode[error.code.name], field=list(error.field), retry_after=error.retry_after)


def user_errors_of(outcome: object) -> list[UserError]:
    """The faults of a mutation's outcome: one, or none."""
    return [UserError.of(outcome)] if isinstance(outcome, user_errors.UserError) else []
