"""How a customer can be reached, and what a new one tells of themselves."""

import re
from dataclasses import dataclass, field
from enum import StrEnum

_PHONE = re.compile(r"\+[1-9][0-9]{6,14}", re.ASCII)
_LONGEST_EMAIL = 254  # RFC 5321 (4.5.3.1.3): what fits between < and > of a path


class ContactKind(StrEnum):
    """What kind of address a contact is."""

    PHONE = "phone"
    EMAIL = "email"


@dataclass(frozen=True, slots=True)
class Contact:
    """
    A phone or a mail address, normalised: equal contacts are equal texts. It never prints its value.

    A phone's value is E.164 with its plus: `+79160000001`. What customers type is normalised before it comes here;
    `ValueError` where the value is evidently not normalised.
    """

    kind: ContactKind
    value: str = field(repr=False)

    def __post_init__(self) -> None:
        is_phone = self.kind is ContactKind.PHONE
        if not (_PHONE.fullmatch(self.value) if is_phone else _is_address(self.value)):
            raise ValueError(f"not a normalised {self.kind.value}")


def _is_address(value: str) -> bool:
    mailbox, at, domain = value.rpartition("@")
    is_one_text = value.isprintable() and " " not in value and len(value) <= _LONGEST_EMAIL
    return bool(mailbox and at and domain) and is_one_text and domain == domain.lower()


@dataclass(frozen=True, slots=True)
class Registration:
    """What a new customer is made of. The names are as the customer typed them; nothing of it prints but the kind."""

    contact: Contact
    first_name: str = field(repr=False)
    last_name: str | None = field(default=None, repr=False)
