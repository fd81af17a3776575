"""Senders as the service opens them."""

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from bff.domain import Contact, ContactKind
from bff.http import HttpClients
from bff.senders import Sender, discover_senders, open_sender

PHONE = Contact(ContactKind.PHONE, "+79160000001")
MAIL = Contact(ContactKind.EMAIL, "anna.s+shop@example.test")
NOW = datetime(2026, 11, 21, 7, 42, tzinfo=UTC)

Open = Callable[..., Sender]
"""`open_as(ContactKind.PHONE, adapter="http_sms", …)`"""


@pytest.fixture
async def open_as(tmp_path: Path) -> AsyncIterator[Open]:
    closing: list[Callable[[], Awaitable[None]]] = []

    def open_as(kind: ContactKind, **raw: Any) -> Sender:
        sender = open_sender(
            kind, raw, tmp_path, specs=discover_senders(), clients=HttpClients(), clock=lambda: NOW, demo=True
        )
        closing.append(sender.close)
        return sender

    yield open_as
    for close in closing:
        await close()
