"""Who the ERP knows by which contact: the shop's customers, and those who registered since it was started."""

from bff.demo.data import people
from bff.demo.data.people import Person
from bff.demo.data.world import World

LONGEST_NAME = 50
"""Characters: what the base's fields hold."""


class BadData(Exception):
    """No customer can be made of that; the text (Russian) says why."""


class Register:
    """The contacts of one base. Letters of mail addresses match in any case."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._ids: dict[str, str] = {}
        """By contact, of those who registered."""
        self._registered: dict[str, Person] = {}
        self._mail: dict[str, str] | None = None
        """By address, of those who were there before; made when the first address is asked for."""

    def find(self, contact: str) -> str | None:
        """Return whose contact it is, None for nobody's."""
        contact = contact.strip().casefold()
        if contact in self._ids:
            return self._ids[contact]
        if "@" in contact:
            return self._mailboxes().get(contact)
        number = people.number_of_phone(contact)
        return None if number is None else people.customer_id(number)

    def person(self, customer: str) -> Person | None:
        """Return a customer, None for whom nobody knows."""
        number = people.number_of(customer)
        return self._registered.get(customer) if number is None else people.person(self._world, number)

    def is_new(self, customer: str) -> bool:
        """Return whether that customer registered since the base was started."""
        return customer in self._registered

    def register(self, contact: str, first_name: str, last_name: str | None) -> str:
        """Return whose contact it is, who is made where nobody had it; raise BadData."""
        if (known := self.find(contact)) is not None:
            return known
        contact, first_name = contact.strip(), first_name.strip()
        is_mail = "@" in contact
        if not is_mail and not (contact.startswith("+") and contact[1:].isdecimal()):
            raise BadData("Контакт не является телефоном или адресом электронной почты")
        if not first_name or max(len(first_name), len(last_name or "")) > LONGEST_NAME:
            raise BadData(f"Имя и фамилия: от 1 до {LONGEST_NAME} символов")
        number = people.FIRST_REGISTERED + len(self._registered)
        customer = people.customer_id(number)
        self._registered[customer] = Person(
            id=customer,
            number=number,
            first_name=first_name,
            last_name=last_name or None,
            patronymic=None,
            phone=None if is_mail else contact,
            email=contact if is_mail else None,
            birthday=None,
        )
        self._ids[contact.casefold()] = customer
        return customer

    def _mailboxes(self) -> dict[str, str]:
        if self._mail is None:
            everyone = (people.person(self._world, number) for number in range(people.FIRST, people.LAST + 1))
            self._mail = {person.email.casefold(): person.id for person in everyone if person.email}
        return self._mail
