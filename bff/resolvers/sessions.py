"""Signing in and out. Each function gives an outcome of `bff.identity.sign_in`, or what the customer can mend."""

from typing import TypeAlias

from bff.domain import ContactKind
from bff.identity.contact import BadField
from bff.identity.sessions import COOKIE_NAME, Mode, Session
from bff.identity.sign_in import CodeSent, Confirmed, RateLimited, Refused, RegistrationNeeded
from bff.resolvers.context import Context
from bff.resolvers.user_errors import UserError, invalid, limited, refused

FORGET_COOKIE = f"{COOKIE_NAME}=; Path=/; Max-Age=0; Secure; HttpOnly; SameSite=Lax"

Entered: TypeAlias = Session | RegistrationNeeded | UserError
"""What a way in leads to."""


def cookie_of(session: Session) -> str | None:
    """`Set-Cookie` for a session that is kept in a cookie."""
    cookie = session.cookie
    if cookie is None:
        return None
    return f"{COOKIE_NAME}={cookie.value}; Path=/; Max-Age={cookie.max_age}; Secure; HttpOnly; SameSite=Lax"


async def request_code(context: Context, kind: ContactKind, text: str) -> CodeSent | UserError:
    """Send a code to sign in with."""
    try:
        contact = context.sign_in.read_contact(kind, text)
    except BadField as error:
        return invalid(error, "contact")
    outcome = await context.sign_in.request_code(contact, context.network, context.language)
    return limited(outcome) if isinstance(outcome, RateLimited) else outcome


async def sign_in(context: Context, kind: ContactKind, text: str, code: str, mode: Mode) -> Entered:
    """Begin a session for who has the code."""
    try:
        contact = context.sign_in.read_contact(kind, text)
    except BadField as error:
        return invalid(error, "contact")
    outcome = await context.sign_in.sign_in(contact, code, context.network, mode)
    if isinstance(outcome, Session | RegistrationNeeded):
        return _entered(context, outcome)
    return limited(outcome) if isinstance(outcome, RateLimited) else refused("code")


async def register(context: Context, ticket: str, first_name: str, last_name: str | None, mode: Mode) -> Entered:
    """Make a customer of who has a ticket."""
    try:
        outcome = await context.sign_in.register(ticket, first_name, last_name, context.network, mode)
    except BadField as error:
        return invalid(error)
    return refused("ticket") if isinstance(outcome, Refused) else _entered(context, outcome)


async def refresh(context: Context, refresh_token: str) -> Session:
    """New tokens for a refresh token. Raises `Unauthenticated`."""
    return await context.sign_in.refresh(refresh_token)


async def sign_out(context: Context, *, everywhere: bool) -> None:
    """End this session, or all of the customer's. A guest is signed out already."""
    principal = context.principal
    if principal is not None:
        await (context.sign_in.sign_out_everywhere if everywhere else context.sign_in.sign_out)(principal)
    context.set_cookie.append(FORGET_COOKIE)


async def request_second_factor(context: Context) -> CodeSent | UserError:
    """Send a code to where the session's first one went."""
    outcome = await context.sign_in.request_second_factor(context.known, context.network, context.language)
    return limited(outcome) if isinstance(outcome, RateLimited) else outcome


async def confirm_second_factor(context: Context, code: str) -> Confirmed | UserError:
    """Make the second factor fresh."""
    outcome = await context.sign_in.confirm_second_factor(context.known, code, context.network)
    if isinstance(outcome, RateLimited):
        return limited(outcome)
    return refused("code") if isinstance(outcome, Refused) else outcome


def _entered(context: Context, outcome: Session | RegistrationNeeded) -> Session | RegistrationNeeded:
    if isinstance(outcome, Session) and (cookie := cookie_of(outcome)) is not None:
        context.set_cookie.append(cookie)
    return outcome
