"""Contacts as they are typed: one phone is one text, and what must not get a code gets none."""

import pytest

from bff.domain import Contact, ContactKind
from bff.errors import NotSupported
from bff.identity.contact import BadField, read_email, read_phone
from bff.identity.registration import read_name
from tests.identity.sign_in.door import Door, Post


def phone(text: str, *countries: str, refused: tuple[str, ...] = ("+7954",)) -> Contact:
    return read_phone(text, countries=countries or ("RU",), refused_prefixes=refused)


@pytest.mark.parametrize(
    "typed",
    [
        "+79991234567",
        "+7 (999) 123-45-67",
        "  +7 999 1234567 ",
        "89991234567",
        "8 (999) 123 45 67",
        "8-999-123-45-67",
        "79991234567",
        "9991234567",
    ],
)
def test_ways_to_write_one_phone_are_one_contact(typed: str) -> None:
    assert phone(typed) == Contact(ContactKind.PHONE, "+79991234567")


@pytest.mark.parametrize(
    "typed",
    [
        "",
        " ",
        "+",
        "---",
        "+0 999 123 45 67",
        "112",
        "phone",
        "+7999123456",
        "+799912345678",
        "+7 999 123 45 67 доб. 1",
        "+7 999 123 45 67;ext=1",
        "tel:+79991234567",
        "+7999123456\x00",
        "+79991234567\n",
        "+7\t9991234567",
        "٨٩٩٩١٢٣٤٥٦٧",
        "+７９９９１２３４５６７",
        "8999123456٧",
        "\ud8009991234567",
        "+7 999\u202e 1234567",
        "9" * 50,
        "+" + "7" * 100_000,
    ],
)
def test_what_is_no_phone_is_refused(typed: str) -> None:
    with pytest.raises(BadField, match="phone: ") as caught:
        phone(typed)
    assert caught.value.field == "phone"
    assert "999" not in str(caught.value)


@pytest.mark.parametrize(
    "typed",
    [
        "8 809 123 45 67",  # premium
        "8 800 555 35 35",  # free for the caller
        "+7 495 123 45 67",  # a landline
        "+7 954 123 45 67",  # Globalstar in Russia
        "+881 6 1234 5678",  # Iridium
        "+870 7 1234 5678",  # Inmarsat
        "+883 5100 12345678",  # international networks
        "+979 1 2345 6789",  # international premium
        "+7 701 234 56 78",  # Kazakhstan shares the code with Russia
        "+375 29 123-45-67",  # Belarus
    ],
)
def test_numbers_that_cost_or_lie_elsewhere_are_refused(typed: str) -> None:
    with pytest.raises(BadField):
        phone(typed)


def test_countries_are_a_setting() -> None:
    assert phone("+375 29 123-45-67", "RU", "BY").value == "+375291234567"
    assert phone("8 029 123-45-67", "BY", "RU").value == "+375291234567"
    assert phone("+12025550123", "US").value == "+12025550123"
    with pytest.raises(BadField):
        phone("+79991234567", "BY")


def test_refused_prefixes_are_a_setting() -> None:
    assert phone("+79541234567", refused=()).value == "+79541234567"
    with pytest.raises(BadField):
        phone("+79991234567", refused=("+7999",))


@pytest.mark.parametrize(
    ("typed", "value"),
    [
        ("anna@pochta.example", "anna@pochta.example"),
        (" Anna.S+shop@POCHTA.example ", "anna.s+shop@pochta.example"),
        ("anna@почта.рф", "anna@xn--80a1acny.xn--p1ai"),
        ("anna@xn--80a1acny.xn--p1ai", "anna@xn--80a1acny.xn--p1ai"),
        ("a|b@pochta.example", "a|b@pochta.example"),
        ("anna@shop.test", "anna@shop.test"),
    ],
)
def test_mail_addresses_are_normalised(typed: str, value: str) -> None:
    assert read_email(typed) == Contact(ContactKind.EMAIL, value)


@pytest.mark.parametrize(
    "typed",
    [
        "",
        "anna",
        "anna@",
        "@pochta.example",
        "anna@pochta",
        "anna@boris@pochta.example",
        "anna(x)@pochta.example",
        '"anna s"@pochta.example',
        "Anna <anna@pochta.example>",
        "anna@[127.0.0.1]",
        "анна@pochta.example",
        "anna@pochta.example\r\nBcc: all@pochta.example",
        "anna\x00@pochta.example",
        "anna@pochta.example,boris@pochta.example",
        "a" * 65 + "@pochta.example",
        "anna@" + "a." * 125 + "example",
        "anna@" + "é." * 110 + "example",
        "a@" + "b" * 100_000 + ".example",
        "\ud800@pochta.example",
    ],
)
def test_what_is_no_mail_address_is_refused(typed: str) -> None:
    with pytest.raises(BadField, match="email: ") as caught:
        read_email(typed)
    assert caught.value.field == "email"
    assert "anna" not in str(caught.value)


@pytest.mark.anyio
async def test_a_contact_nothing_writes_to_cannot_be_read(door: Door) -> None:
    phones_only = door.another(senders={ContactKind.PHONE: Post()})
    assert phones_only.kinds == {ContactKind.PHONE}
    assert phones_only.read_contact(ContactKind.PHONE, "8 999 123 45 67").value == "+79991234567"
    with pytest.raises(NotSupported, match="email"):
        phones_only.read_contact(ContactKind.EMAIL, "anna@pochta.example")
    with pytest.raises(NotSupported):
        await phones_only.request_code(Contact(ContactKind.EMAIL, "anna@pochta.example"), None, "ru")
    assert door.sign_in.read_contact(ContactKind.EMAIL, "Anna@pochta.example").value == "anna@pochta.example"


@pytest.mark.parametrize(
    ("typed", "name"),
    [("Анна", "Анна"), ("  Анна Мария\n", "Анна Мария"), ("И\u0306ода", "Йода"), ("]]></x><y>", "]]></x><y>")],
)
def test_names_are_composed_and_bare(typed: str, name: str) -> None:
    assert read_name("firstName", typed) == name


@pytest.mark.parametrize("typed", ["", "  ", "а" * 101, "Ан\x00на", "Ан\nна", "Ан\u202eна", "Ан\ud800на"])
def test_names_that_cannot_be_are_refused(typed: str) -> None:
    with pytest.raises(BadField, match="firstName: has") as caught:
        read_name("firstName", typed)
    assert caught.value.field == "firstName"
