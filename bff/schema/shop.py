"""What a guest may see."""

from enum import Enum

import strawberry

from bff.resolvers import shop


@strawberry.enum(description="How to sign in.")
class SignInKind(Enum):
    """The names are those of `bff.resolvers.shop.SignInKind`."""

    PHONE_CODE = strawberry.enum_value("PHONE_CODE", description="`requestSignInCode` with a phone.")
    EMAIL_CODE = strawberry.enum_value("EMAIL_CODE", description="`requestSignInCode` with an e-mail address.")
    PROVIDER = strawberry.enum_value("PROVIDER", description="Send the browser to `path`.")


@strawberry.type(description="One way to sign in.")
class SignInWay:
    """How, and where."""

    kind: SignInKind = strawberry.field(description="How.")
    name: str | None = strawberry.field(description="A provider's name in the settings.")
    path: str | None = strawberry.field(
        description="Where a provider's sign-in begins, on this service; add `?return_to=/path` of your site."
    )


@strawberry.type(description="The shop, as a guest may see it.")
class Shop:
    """What there is."""

    name: str = strawberry.field(description="The shop's name in the settings.")
    sections: list[str] = strawberry.field(
        description="The dashboard's sections that are switched on, by the names of its fields."
    )
    sign_in_ways: list[SignInWay] = strawberry.field(description="How customers may sign in.")

    @classmethod
    def of(cls, known: shop.Shop) -> "Shop":
        """Show the shop."""
        ways = [SignInWay(kind=SignInKind[way.kind.name], name=way.name, path=way.path) for way in known.ways]
        return cls(name=known.name, sections=list(known.sections), sign_in_ways=ways)
