"""The profile section."""

from datetime import date

import strawberry

from bff import domain
from bff.schema.interfaces import Section
from bff.sources import Answer


@strawberry.type(description="Who the customer is, as the shop knows them.")
class Profile(Section):
    """The customer's own data."""

    first_name: str | None = strawberry.field(description="Given name.")
    last_name: str | None = strawberry.field(description="Family name.")
    middle_name: str | None = strawberry.field(description="Patronymic.")
    display_name: str = strawberry.field(description="How to greet the customer; never empty.")
    phone: str | None = strawberry.field(description="Phone, as the shop wrote it down.")
    email: str | None = strawberry.field(description="E-mail address.")
    birth_date: date | None = strawberry.field(description="Day of birth.")

    @classmethod
    def of(cls, answer: Answer[domain.Profile]) -> "Profile":
        """Show a profile."""
        profile = answer.value
        return cls(
            first_name=profile.first_name,
            last_name=profile.last_name,
            middle_name=profile.middle_name,
            display_name=profile.display_name,
            phone=profile.phone,
            email=profile.email,
            birth_date=profile.birth_date,
            as_of=answer.as_of,
            stale=answer.stale,
        )
