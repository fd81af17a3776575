"""Customers as sign-in finds and makes them: the port `Customers`, behind guards."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

from bff.domain import Contact, CustomerId, Registration
from bff.errors import BackOfficeError, IntegrityViolation, Unknown
from bff.ports import Batch, Customers
from bff.sources.read import Read
from bff.sources.write import Write


class CustomerDirectory:
    """
    The port `Customers` of one back office, for sign-in.

    Searches share calls with each other, as reads do. Nothing is kept: who is unknown now may be registered the next
    moment.
    """

    def __init__(
        self, finding: Read[Contact, CustomerId], registering: Write[Registration, CustomerId], *, seconds: float
    ) -> None:
        self.back_office = finding.back_office
        self._finding = finding
        self._registering = registering
        self._seconds = seconds

    async def find(self, contacts: Sequence[Contact]) -> dict[Contact, CustomerId]:
        """
        Ids by contact; a contact that is absent belongs to nobody.

        Raises the error of the first contact that has one: to sign somebody in, no part of an answer will do.
        """
        outcomes = await self._finding(contacts, deadline=asyncio.get_running_loop().time() + self._seconds)
        found: dict[Contact, CustomerId] = {}
        for contact, outcome in outcomes.items():
            if not isinstance(outcome, BackOfficeError):
                found[contact] = outcome.value
            elif not isinstance(outcome, Unknown):
                raise outcome.anew()
        return found

    async def register(self, registration: Registration) -> CustomerId:
        """
        Make a customer; a contact that is known already gives its customer's id.

        Raises `BadUserInput`, or an error of the back office, whose `outcome_unknown` says whether it may have been
        done: to repeat it is safe. Two registrations of one contact at once are one.
        """
        return await self._registering(registration)


def only_asked(port: Customers) -> Callable[[Sequence[Contact]], Any]:
    """Find, and refuse an answer about a contact that was not asked for."""

    async def find(contacts: Sequence[Contact]) -> Batch[Contact, CustomerId]:
        found = await port.find(contacts)
        if found.keys() - set(contacts):
            raise IntegrityViolation("find: the answer holds a contact that was not asked for")
        return found

    return find
