"""Sessions: inputs and payloads of signing in and out."""

from enum import Enum
from typing import Self

import strawberry

from bff.domain import ContactKind
from bff.identity.sessions import Mode, Session
from bff.identity.sign_in import CodeSent, RegistrationNeeded
from bff.resolvers.sessions import Entered
from bff.resolvers.user_errors import UserError as Fault
from bff.schema.user_error import UserError, user_errors_of

MODE = "Where the front end keeps the session; TOKENS if nothing is said."
USER_ERRORS = "What the customer can mend; empty where all is well."


@strawberry.enum(description="Where the front end keeps a session.")
class SessionMode(Enum):
    """The names are those of `bff.identity.sessions.Mode`."""

    TOKENS = strawberry.enum_value("TOKENS", description="An app keeps an access and a refresh token.")
    COOKIE = strawberry.enum_value(
        "COOKIE",
        description="A browser keeps an HttpOnly cookie, and every request carries the header `X-Kabinet-CSRF: 1`.",
    )


def mode_of(mode: SessionMode | None) -> Mode:
    """The same, as sessions know it."""
    return Mode.TOKENS if mode is None else Mode[mode.name]


@strawberry.input(one_of=True, description="Where a code goes: a phone or a mailbox.")
class ContactInput:
    """One of the two."""

    phone: str | None = strawberry.field(
        default=strawberry.UNSET, description="A mobile number as people write it: +7 999 123-45-67, 8 (999) 1234567."
    )
    email: str | None = strawberry.field(default=strawberry.UNSET, description="An e-mail address.")

    @property
    def kind(self) -> ContactKind:
        """Which of the two."""
        return ContactKind.PHONE if isinstance(self.phone, str) else ContactKind.EMAIL

    @property
    def text(self) -> str:
        """As the customer typed it."""
        return (self.phone if isinstance(self.phone, str) else self.email) or ""


@strawberry.input(description="Whom to send a code.")
class RequestSignInCodeInput:
    """Where the code goes."""

    contact: ContactInput = strawberry.field(description="The customer's phone or mailbox.")


@strawberry.input(description="Who signs in, and the code that came.")
class SignInWithCodeInput:
    """A contact and its code."""

    contact: ContactInput = strawberry.field(description="The same as the code was asked for.")
    code: str = strawberry.field(description="Six digits.")
    mode: SessionMode | None = strawberry.field(default=None, description=MODE)


@strawberry.input(description="A new customer.")
class RegisterCustomerInput:
    """A ticket and a name."""

    ticket: str = strawberry.field(description="From `signInWithCode`; it works once.")
    first_name: str = strawberry.field(description="Given name.")
    last_name: str | None = strawberry.field(default=None, description="Family name.")
    mode: SessionMode | None = strawberry.field(default=None, description=MODE)


@strawberry.input(description="A session to go on with.")
class RefreshSessionInput:
    """A refresh token."""

    refresh_token: str = strawberry.field(description="The last one that was given; it is spent by this.")


@strawberry.input(description="The second factor.")
class ConfirmSecondFactorInput:
    """A code."""

    code: str = strawberry.field(description="Six digits.")


@strawberry.type(description="Tokens of a session. Keep them where no other page or app can read them.")
class SessionTokens:
    """What an app gets."""

    access_token: str = strawberry.field(description="Goes with every request: `Authorization: Bearer …`.")
    access_expires_in: int = strawberry.field(description="Seconds.")
    refresh_token: str = strawberry.field(
        description="Good once, for `refreshSession`. One that comes a second time ends the whole session."
    )
    refresh_expires_in: int = strawberry.field(description="Seconds.")

    @classmethod
    def of(cls, session: Session) -> Self | None:
        """Show tokens; None for a session in a cookie."""
        tokens = session.tokens
        if tokens is None:
            return None
        return cls(
            access_token=tokens.access,
            access_expires_in=tokens.access_expires_in,
            refresh_token=tokens.refresh,
            refresh_expires_in=tokens.refresh_expires_in,
        )


@strawberry.type(description="The contact is proven, and the shop does not know it: `registerCustomer` goes on.")
class RegistrationOffer:
    """A ticket."""

    ticket: str = strawberry.field(description="For `registerCustomer`; it works once.")
    expires_in: int = strawberry.field(description="Seconds.")


@strawberry.type(description="Whether a code is on its way. It is the same for contacts that the shop does not know.")
class CodePayload:
    """When to ask again."""

    resend_after: int | None = strawberry.field(description="Seconds; before that no other code is sent.")
    expires_in: int | None = strawberry.field(description="Seconds that the code lives.")
    user_errors: list[UserError] = strawberry.field(description=USER_ERRORS)

    @classmethod
    def of(cls, outcome: CodeSent | Fault) -> Self:
        """Show an outcome."""
        sent = outcome if isinstance(outcome, CodeSent) else None
        return cls(
            resend_after=sent.resend_after if sent else None,
            expires_in=sent.expires_in if sent else None,
            user_errors=user_errors_of(outcome),
        )


@strawberry.type(description="What a code opens.")
class SignInPayload:
    """A session, or what else is needed."""

    signed_in: bool = strawberry.field(description="Whether a session has begun.")
    tokens: SessionTokens | None = strawberry.field(description="Of a session in TOKENS mode; a cookie has none.")
    registration: RegistrationOffer | None = strawberry.field(description="Where the shop does not know the contact.")
    user_errors: list[UserError] = strawberry.field(description=USER_ERRORS)

    @classmethod
    def of(cls, outcome: Entered) -> Self:
        """Show an outcome."""
        session = outcome if isinstance(outcome, Session) else None
        offer = None
        if isinstance(outcome, RegistrationNeeded):
            offer = RegistrationOffer(ticket=outcome.ticket, expires_in=outcome.expires_in)
        return cls(
            signed_in=session is not None,
            tokens=None if session is None else SessionTokens.of(session),
            registration=offer,
            user_errors=user_errors_of(outcome),
        )


@strawberry.type(description="The session goes on.")
class RefreshSessionPayload:
    """New tokens."""

    tokens: SessionTokens | None = strawberry.field(description="In place of the ones before.")
    user_errors: list[UserError] = strawberry.field(description=USER_ERRORS)


@strawberry.type(description="The session is over.")
class SignOutPayload:
    """Nothing is left."""

    signed_out: bool = strawberry.field(description="True, for a guest too.")
    user_errors: list[UserError] = strawberry.field(description=USER_ERRORS)


@strawberry.type(description="Whether the second factor is there.")
class ConfirmSecondFactorPayload:
    """How long it is good."""

    fresh_for: int | None = strawberry.field(description="Seconds in which what needs a second factor may be done.")
    user_errors: list[UserError] = strawberry.field(description=USER_ERRORS)
