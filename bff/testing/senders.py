"""
The contract of a sender, as tests: subclass `SenderContract`, give it a sender before a server that takes everything.

    class TestMySender(SenderContract):
        @pytest.fixture
        def sender(self): ...           # a fresh one
        @pytest.fixture
        def contacts(self): ...         # a few that it can write to
        @pytest.fixture
        def outbox(self): ...           # what the server was given so far: a function without arguments
        @pytest.fixture
        def broken(self): ...           # a sender before a server that refuses every message
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Any, ClassVar, TypeAlias

from bff.domain import Contact, ContactKind
from bff.errors import BackOfficeError, Refused
from bff.senders import Sender

Outbox: TypeAlias = Callable[[], Sequence[tuple[str, str]]]
"""Addresses as contacts write them, and texts."""

TEXTS = (
    "123456",
    "Ваш код: 123456. Никому его не сообщайте",
    "Код 123456\nРомашка",
    "{phone} {digits} {text} {secret} {0} {{}} %s %(a)s ${x}",
    '"}, {"text": "другой", "to": "+79990000000"',
    "a&to=79990000000&text=b=c;d+e%20f#g?h",
    "..\n.\nMAIL FROM:<x@example.test>\nQUIT",
    "To: somebody@example.test\n\nи ещё",
    "<b>&amp;</b> \\ ' \u2028 😀",
)
"""Texts that some format has a meaning for; each must come as it is."""


async def _failure(sender: Sender, to: Contact, text: str) -> BackOfficeError:
    try:
        await sender.send(to, text)
    except BackOfficeError as error:
        return error
    raise AssertionError("it was sent, and should have failed")


class SenderContract:
    """What holds for every sender."""

    is_log: ClassVar[bool] = False
    """Whether it prints messages instead of sending them."""

    async def test_what_is_sent_comes_once_and_whole(
        self, sender: Sender, contacts: Sequence[Contact], outbox: Outbox
    ) -> None:
        """No text is cut, changed, or taken for anything else."""
        for text in TEXTS:
            await sender.send(contacts[0], text)
        assert list(outbox()) == [(contacts[0].value, text) for text in TEXTS]

    async def test_everybody_gets_their_own(self, sender: Sender, contacts: Sequence[Contact], outbox: Outbox) -> None:
        """Messages side by side do not mix."""
        sent = [(contact, f"код {number:06}") for number in range(10) for contact in contacts]
        await asyncio.gather(*(sender.send(contact, text) for contact, text in sent))
        assert sorted(outbox()) == sorted((contact.value, text) for contact, text in sent)

    async def test_the_check_sends_nothing(self, sender: Sender, outbox: Outbox) -> None:
        """`check` says something, and nobody gets a message."""
        assert await sender.check()
        assert not outbox()

    async def test_others_are_refused_without_asking(
        self, sender: Sender, contacts: Sequence[Contact], outbox: Outbox
    ) -> None:
        """A contact of a kind that it cannot write to."""
        kinds = {contact.kind for contact in contacts}
        others = {
            ContactKind.PHONE: Contact(ContactKind.PHONE, "+79160000099"),
            ContactKind.EMAIL: Contact(ContactKind.EMAIL, "other@example.test"),
        }
        for kind in set(ContactKind) - kinds:
            assert isinstance(await _failure(sender, others[kind], "123456"), Refused)
        assert not outbox()

    async def test_a_failure_tells_nothing(
        self, broken: Sender, contacts: Sequence[Contact], caplog: Any, capsys: Any
    ) -> None:
        """Neither an error nor a log of any library, down to DEBUG, holds the address or the code."""
        if self.is_log:
            return
        caplog.set_level(logging.DEBUG)
        error = await _failure(broken, contacts[0], "Код 735194")
        said = f"{error} {error!r} {vars(error)} {error.__cause__!r} {caplog.text} {capsys.readouterr()}"
        assert error.back_office
        assert "735194" not in said
        assert contacts[0].value.lstrip("+") not in said

    async def test_callers_who_leave_harm_nobody(
        self, sender: Sender, contacts: Sequence[Contact], outbox: Outbox
    ) -> None:
        """Cancelled calls give back what they held."""
        leaving = [asyncio.ensure_future(sender.send(contacts[0], "left")) for _ in range(30)]
        await asyncio.sleep(0.005)
        for task in leaving:
            task.cancel()
        await asyncio.gather(*leaving, return_exceptions=True)
        await sender.send(contacts[0], "stayed")
        assert (contacts[0].value, "stayed") in outbox()

    async def test_closing_twice_is_closing_once(self, sender: Sender) -> None:
        """The one who shuts down need not know whether it has been done."""
        await sender.close()
        await sender.close()
