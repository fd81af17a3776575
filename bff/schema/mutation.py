"""What can be done."""

from typing import Annotated

import strawberry

from bff.identity.sign_in import Confirmed
from bff.resolvers import sessions
from bff.schema.info import Info
from bff.schema.session import (
    CodePayload,
    ConfirmSecondFactorInput,
    ConfirmSecondFactorPayload,
    RefreshSessionInput,
    RefreshSessionPayload,
    RegisterCustomerInput,
    RequestSignInCodeInput,
    SessionTokens,
    SignInPayload,
    SignInWithCodeInput,
    SignOutPayload,
    mode_of,
)
from bff.schema.user_error import user_errors_of


def _input(text: str) -> object:
    return strawberry.argument(name="input", description=text)


@strawberry.type(description="What can be done.")
class Mutation:
    """The root of all that has an effect."""

    @strawberry.mutation(
        description="Send a code to sign in with. The answer is the same whether the shop knows the contact or not."
    )
    async def request_sign_in_code(
        self, info: Info, given: Annotated[RequestSignInCodeInput, _input("Whom to send it.")]
    ) -> CodePayload:
        """Begin to sign in."""
        return CodePayload.of(await sessions.request_code(info.context, given.contact.kind, given.contact.text))

    @strawberry.mutation(description="Begin a session with the code that came.")
    async def sign_in_with_code(
        self, info: Info, given: Annotated[SignInWithCodeInput, _input("Who, and the code.")]
    ) -> SignInPayload:
        """Sign in."""
        contact = given.contact
        return SignInPayload.of(
            await sessions.sign_in(info.context, contact.kind, contact.text, given.code, mode_of(given.mode))
        )

    @strawberry.mutation(description="Make a customer of who has proven a contact that the shop does not know.")
    async def register_customer(
        self, info: Info, given: Annotated[RegisterCustomerInput, _input("A ticket, and a name.")]
    ) -> SignInPayload:
        """The short registration."""
        return SignInPayload.of(
            await sessions.register(info.context, given.ticket, given.first_name, given.last_name, mode_of(given.mode))
        )

    @strawberry.mutation(description="New tokens in place of old ones. UNAUTHENTICATED where the session is over.")
    async def refresh_session(
        self, info: Info, given: Annotated[RefreshSessionInput, _input("The refresh token.")]
    ) -> RefreshSessionPayload:
        """Go on."""
        session = await sessions.refresh(info.context, given.refresh_token)
        return RefreshSessionPayload(tokens=SessionTokens.of(session), user_errors=[])

    @strawberry.mutation(description="End this session, at once; the cookie is taken away.")
    async def sign_out(self, info: Info) -> SignOutPayload:
        """Sign out."""
        await sessions.sign_out(info.context, everywhere=False)
        return SignOutPayload(signed_out=True, user_errors=[])

    @strawberry.mutation(description="End all sessions of the customer, on every device, at once.")
    async def sign_out_everywhere(self, info: Info) -> SignOutPayload:
        """Sign out everywhere."""
        _ = info.context.customer
        await sessions.sign_out(info.context, everywhere=True)
        return SignOutPayload(signed_out=True, user_errors=[])

    @strawberry.mutation(
        description="Send a code to where the session's first one went. What matters asks for it: such a mutation "
        "answers SECOND_FACTOR_REQUIRED until it is confirmed."
    )
    async def request_second_factor(self, info: Info) -> CodePayload:
        """Begin to step up."""
        return CodePayload.of(await sessions.request_second_factor(info.context))

    @strawberry.mutation(description="Confirm the second factor with the code that came.")
    async def confirm_second_factor(
        self, info: Info, given: Annotated[ConfirmSecondFactorInput, _input("The code.")]
    ) -> ConfirmSecondFactorPayload:
        """Step up."""
        outcome = await sessions.confirm_second_factor(info.context, given.code)
        return ConfirmSecondFactorPayload(
            fresh_for=outcome.fresh_for if isinstance(outcome, Confirmed) else None,
            user_errors=user_errors_of(outcome),
        )
