"""The built-in senders keep the contract, each before a server of its kind on a real socket."""

import json
from collections.abc import AsyncIterator, Iterator, MutableMapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import pytest
import structlog

from bff.domain import Contact, ContactKind
from bff.domain.clock import utc_now
from bff.http import HttpClients
from bff.senders import Sender, discover_senders, open_sender
from bff.testing import Outbox, SenderContract
from tests.fakes.http_server import ScriptedServer, answers, scripted
from tests.fakes.mail_server import MailServer, mail_server

pytestmark = pytest.mark.anyio

PHONES = [Contact(ContactKind.PHONE, f"+7916000000{number}") for number in range(3)]
MAILS = [Contact(ContactKind.EMAIL, f"customer-{number}@example.test") for number in range(3)]


def opened(kind: ContactKind, **raw: Any) -> Sender:
    return open_sender(kind, raw, Path(), specs=discover_senders(), clients=HttpClients(), clock=utc_now, demo=True)


class TestSmtp(SenderContract):
    @pytest.fixture
    def contacts(self) -> Sequence[Contact]:
        return MAILS

    @pytest.fixture
    async def server(self) -> AsyncIterator[MailServer]:
        async with mail_server() as server:
            yield server

    @pytest.fixture
    def sender(self, server: MailServer) -> Sender:
        return opened(
            ContactKind.EMAIL,
            adapter="smtp",
            host="127.0.0.1",
            port=server.port,
            security="none",
            from_address="no-reply@shop.test",
        )

    @pytest.fixture
    def broken(self, sender: Sender, server: MailServer) -> Sender:
        server.replies["RCPT"] = f"550 {MAILS[0].value}: Код 735194"
        return sender

    @pytest.fixture
    def outbox(self, server: MailServer) -> Outbox:
        return lambda: server.outbox


class TestHttpSms(SenderContract):
    @pytest.fixture
    def contacts(self) -> Sequence[Contact]:
        return PHONES

    @pytest.fixture
    async def server(self) -> AsyncIterator[ScriptedServer]:
        async with scripted(answers(b'{"id": 1}')) as server:
            yield server

    @pytest.fixture
    async def sender(self, server: ScriptedServer) -> AsyncIterator[Sender]:
        sender = opened(
            ContactKind.PHONE,
            adapter="http_sms",
            address=server.address,
            json_body={"to": "{phone}", "text": "{text}"},
            success={"path": "id"},
        )
        yield sender
        await sender.close()

    @pytest.fixture
    def broken(self, sender: Sender, server: ScriptedServer) -> Sender:
        server.script = answers(f'{{"error": "{PHONES[0].value}: Код 735194"}}'.encode())
        return sender

    @pytest.fixture
    def outbox(self, server: ScriptedServer) -> Outbox:
        def outbox() -> Sequence[tuple[str, str]]:
            return [(sent["to"], sent["text"]) for sent in (json.loads(asked.body) for asked in server.asked)]

        return outbox


class TestLog(SenderContract):
    is_log: ClassVar[bool] = True

    @pytest.fixture
    def contacts(self) -> Sequence[Contact]:
        return [*PHONES, *MAILS]

    @pytest.fixture
    def lines(self) -> Iterator[list[MutableMapping[str, Any]]]:
        with structlog.testing.capture_logs() as lines:
            yield lines

    @pytest.fixture
    def sender(self, lines: list[MutableMapping[str, Any]]) -> Sender:
        return opened(ContactKind.PHONE, adapter="log")

    @pytest.fixture
    def broken(self, sender: Sender) -> Sender:
        return sender

    @pytest.fixture
    def outbox(self, lines: list[MutableMapping[str, Any]]) -> Outbox:
        return lambda: [(line["to"], line["text"]) for line in lines]


def test_every_built_in_sender_is_here() -> None:
    assert set(discover_senders()) == {"smtp", "http_sms", "log"}
