"""From what customers type to a contact: one phone is one text, however it was written."""

import re
from collections.abc import Sequence
from importlib import import_module

from bff.domain import Contact, ContactKind
from bff.errors import BadUserInput

# Digits of other scripts are not taken: what looks like one number must be one number, here and at the gateway.
_PHONE = re.compile(r"\+?[0-9 ()\-]{3,40}", re.ASCII)
_LONGEST_EMAIL = 254

_NO_PHONE = "not a mobile number of a country that this shop writes to"
_NO_EMAIL = "not a mail address"


class BadField(BadUserInput):
    """One field of the input is wrong. The message is ours and does not hold the value."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(f"{field}: {message}")
        self.field = field


def load() -> None:
    """Load what reading contacts takes, 150 ms: at the start, as it would stop whatever is going on later."""
    import_module("phonenumbers")
    import_module("email_validator")


def read_phone(text: str, *, countries: Sequence[str], refused_prefixes: Sequence[str] = ()) -> Contact:
    """
    Read a mobile number of one of the countries (ISO 3166-1), typed with spaces, brackets and hyphens.

    Without its country code it is the first country's: in Russia `8 (999) …`, `999 …` and `+7 999 …` are one number.
    Raises `BadField` for everything else: premium and shared-cost numbers, satellite phones, landlines, text.
    """
    # Four megabytes and 150 ms with the one below: only a shop whose customers sign in here pays; see `load`.
    import phonenumbers  # noqa: PLC0415
    from phonenumbers import NumberParseException, PhoneNumberFormat, PhoneNumberType  # noqa: PLC0415

    typed = text.strip(" ")
    if not _PHONE.fullmatch(typed):
        raise BadField("phone", _NO_PHONE)
    try:
        number = phonenumbers.parse(typed, countries[0])
    except NumberParseException:
        raise BadField("phone", _NO_PHONE) from None
    value = phonenumbers.format_number(number, PhoneNumberFormat.E164)
    mobile = (PhoneNumberType.MOBILE, PhoneNumberType.FIXED_LINE_OR_MOBILE)
    # Only for a valid number there is a country; satellite networks have none.
    if (
        phonenumbers.region_code_for_number(number) not in countries
        or phonenumbers.number_type(number) not in mobile
        or value.startswith(tuple(refused_prefixes))
    ):
        raise BadField("phone", _NO_PHONE)
    return Contact(ContactKind.PHONE, value)


def read_email(text: str) -> Contact:
    """
    Read a mail address: `mailbox@domain`, nothing around it. Raises `BadField` for everything else.

    The mailbox is lower-cased as well: back offices match it in any case, so that `Anna@` and `anna@` must share their
    counts. A domain of other letters becomes its ASCII form (IDNA).
    """
    from email_validator import EmailNotValidError, validate_email  # noqa: PLC0415 (as above)

    typed = text.strip(" ")
    # Looked at here as well: what is very long would be parsed first.
    if len(typed) > _LONGEST_EMAIL:
        raise BadField("email", _NO_EMAIL)
    try:
        read = validate_email(
            typed,
            strict=True,
            allow_smtputf8=False,
            check_deliverability=False,
            test_environment=True,  # only means that .test is a domain like another: no message gets there anyway
        )
    except EmailNotValidError:
        raise BadField("email", _NO_EMAIL) from None
    # For an ASCII mailbox there is always an ASCII address, and that was measured, too.
    return Contact(ContactKind.EMAIL, str(read.ascii_email).lower())
