"""How senders are found and opened, and the one that only prints."""

from pathlib import Path
from typing import Any

import pytest
import structlog

from bff.domain import ContactKind
from bff.domain.clock import utc_now
from bff.http import HttpClients
from bff.plugins import SettingsFault
from bff.senders import Sender, discover_senders, open_sender
from tests.unit.adapters.messages.conftest import MAIL, PHONE

pytestmark = pytest.mark.anyio


def opened(kind: ContactKind, *, demo: bool = False, **raw: Any) -> Sender:
    return open_sender(kind, raw, Path(), specs=discover_senders(), clients=HttpClients(), clock=utc_now, demo=demo)


def fault(kind: ContactKind, *, demo: bool = False, **raw: Any) -> str:
    with pytest.raises(SettingsFault) as caught:
        opened(kind, demo=demo, **raw)
    (line,) = caught.value.faults
    return line


def test_the_built_in_ones_are_found() -> None:
    specs = discover_senders()
    assert list(specs) == ["http_sms", "log", "smtp"]
    assert [name for name, spec in specs.items() if spec.demo_only] == ["log"]
    assert all(spec.name == name for name, spec in specs.items())


@pytest.mark.parametrize("kind", ContactKind)
def test_codes_are_printed_in_the_demo_only(kind: ContactKind) -> None:
    assert "for the demo" in fault(kind, adapter="log")
    assert opened(kind, demo=True, adapter="log") is not None


def test_a_sender_must_be_there_and_able() -> None:
    assert fault(ContactKind.PHONE) == "adapter: is missing; installed: http_sms, log, smtp"
    assert "there is no sender 'smpt'" in fault(ContactKind.PHONE, adapter="smpt")
    assert "cannot write to a contact of this kind, only to: email" in fault(ContactKind.PHONE, adapter="smtp")


async def test_what_the_log_says() -> None:
    sender = opened(ContactKind.PHONE, demo=True, adapter="log")
    assert "sends nothing" in await sender.check()
    with structlog.testing.capture_logs() as lines:
        await sender.send(PHONE, "Ваш код: 735194")
        await sender.send(MAIL, "Ваш код: 2")
    await sender.close()
    assert [(line["to"], line["text"]) for line in lines] == [
        (PHONE.value, "Ваш код: 735194"),
        (MAIL.value, "Ваш код: 2"),
    ]
