"""Where codes go: an SMS gateway and a mail server on sockets of their own, which keep what they get."""

import asyncio
import re
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any
from urllib.parse import parse_qs

from tests.fakes.http_server import Asked, ScriptedServer, answers, scripted
from tests.fakes.mail_server import MailServer, mail_server
from tests.patience import PATIENT_MS, until
from tests.resilience.loop_thread import LoopThread
from tests.sign_in.secrets import Secrets

CODE = re.compile(r"\b[0-9]{6}\b")


class Messages:
    """What customers get. Both servers take each message; each is one that a shop pays for."""

    def __init__(self, gateway: ScriptedServer, mail: MailServer, secrets: Secrets) -> None:
        self._gateway = gateway
        self._mail = mail
        self._secrets = secrets

    @property
    def senders(self) -> dict[str, Any]:
        """The table `senders` of the settings."""
        slow = {"timeout_ms": PATIENT_MS, "connect_timeout_ms": PATIENT_MS}
        phone = {"adapter": "http_sms", "address": self._gateway.address, "form": {"to": "{phone}", "text": "{text}"}}
        email = {"adapter": "smtp", "host": "127.0.0.1", "port": self._mail.port, "security": "none"}
        return {"phone": {**slow, **phone}, "email": {**slow, **email, "from_address": "shop@shop.example"}}

    def sms(self) -> list[tuple[str, str]]:
        """Short messages: to whom, and what."""
        forms = [parse_qs(asked.body.decode()) for asked in tuple(self._gateway.asked)]
        return [(form["to"][0], form["text"][0]) for form in forms]

    def all(self) -> list[tuple[str, str]]:
        """Short messages, then mails."""
        return self.sms() + self._mail.outbox

    def counts(self) -> Counter[str]:
        """How many each contact got."""
        return Counter(to for to, _ in self.all())

    def to(self, contact: Mapping[str, str]) -> list[str]:
        """The texts that a contact got."""
        [address] = contact.values()
        return [text for to, text in self.all() if to == address.lower()]

    def code(self, contact: Mapping[str, str], number: int = 1) -> str:
        """Wait for a contact's message of that number (from 1), and read its code."""
        until(lambda: len(self.to(contact)) >= number, "the code does not come", pause=0.02)
        found = CODE.search(self.to(contact)[number - 1])
        assert found is not None
        self._secrets.add(found[0])
        return found[0]


@asynccontextmanager
async def _running(secrets: Secrets) -> AsyncIterator[Messages]:
    taken = answers(b'{"status": "OK"}', Content_Type="application/json")

    async def take(asked: Asked, writer: asyncio.StreamWriter) -> None:
        await taken(asked, writer)

    async with scripted(take) as gateway, mail_server() as mail:
        yield Messages(gateway, mail, secrets)


class MessageServers:
    """Both servers, in a thread's loop, from `start` to `stop`."""

    def __init__(self, loop: LoopThread) -> None:
        self._loop = loop
        self._stack = AsyncExitStack()

    def start(self, secrets: Secrets) -> Messages:
        """Start them, empty."""
        return self._loop.do(self._stack.enter_async_context(_running(secrets)))

    def stop(self) -> None:
        """Stop them."""
        self._loop.do(self._stack.aclose())
