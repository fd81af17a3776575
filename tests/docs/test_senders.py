"""docs/sign-in/senders.md: its settings are those of the code, and its gateways get what their own pages ask for."""

import json
import tomllib
from base64 import b64decode
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from pydantic import BaseModel

from adapters.messages.http_sms.settings import SmsSettings
from adapters.messages.http_sms.success import Success
from adapters.messages.smtp.settings import SmtpSettings
from bff.domain import Contact, ContactKind
from bff.domain.clock import utc_now
from bff.errors import Upstream
from bff.http import HttpClients
from bff.plugins import SettingsFault
from bff.senders import RemoteSettings, Sender, SenderSettings, discover_senders, open_sender
from tests.docs.blocks import ROOT, blocks, in_code, tables
from tests.fakes.http_server import Asked, answers, scripted

pytestmark = pytest.mark.anyio

DOCUMENT = ROOT / "docs/sign-in/senders.md"
TABLES = tables(DOCUMENT)
GATEWAYS: Mapping[str, dict[str, Any]] = {
    block.options["gateway"]: tomllib.loads(block.text)["senders"]
    for block in blocks(DOCUMENT)
    if "gateway" in block.options
}

PHONE = Contact(ContactKind.PHONE, "+79160000001")
TEXT = "Ваш код: 123456 & всё"


def _default(about: Any) -> str:
    if about.is_required():
        return "required"
    match about.default:
        case None:
            return "none"
        case bool():
            return f"`{str(about.default).lower()}`"
    return f"`{about.default}`"


def _defaults(model: type[BaseModel], *without: type[BaseModel]) -> dict[str, str]:
    """Settings as the tables write them; a table within the table has rows of its own."""
    shared = {name for other in without for name in other.model_fields}
    own = {name: about for name, about in model.model_fields.items() if name not in shared}
    return {name: _default(about) for name, about in own.items() if not isinstance(about.default, BaseModel)}


def opened(table: Mapping[str, Any], *, demo: bool = False, **over: Any) -> Sender:
    ((kind, raw),) = table.items()
    raw = {**raw, **over}
    return open_sender(
        ContactKind(kind), raw, Path(), specs=discover_senders(), clients=HttpClients(), clock=utc_now, demo=demo
    )


@pytest.mark.parametrize(
    ("heading", "settings", "beside"),
    [
        ("`http_sms`", SmsSettings, RemoteSettings),
        ("`smtp`", SmtpSettings, RemoteSettings),
        ("Both of them", RemoteSettings, SenderSettings),
    ],
)
def test_every_setting_is_documented_with_its_default(
    heading: str, settings: type[RemoteSettings], beside: type[SenderSettings]
) -> None:
    written = {in_code(row[0]): row[1] for row in TABLES[heading]}
    expected = _defaults(settings, beside)
    if settings is SmsSettings:
        expected |= _defaults(Success)
    assert written == expected


def test_every_sender_is_documented_with_what_it_writes_to() -> None:
    words = {ContactKind.PHONE: "phones", ContactKind.EMAIL: "mailboxes"}
    expected = {
        name: "both" if len(spec.kinds) > 1 else words[next(iter(spec.kinds))]
        for name, spec in discover_senders().items()
    }
    assert {in_code(row[0]): row[1] for row in TABLES["Senders of sign-in codes"]} == expected


def form(asked: Asked) -> dict[str, str]:
    return dict(parse_qsl(asked.body.decode(), strict_parsing=True))


def query(asked: Asked) -> dict[str, str]:
    return dict(parse_qsl(urlsplit(asked.target).query, strict_parsing=True))


SMSC = {"login": "romashka", "psw": "key-77", "phones": "+79160000001", "mes": TEXT, "charset": "utf-8"}

# What a gateway's page says that it is sent, what it answers to that, and what it answers where it says no.
PAGES: Mapping[str, tuple[Callable[[Asked], Any], Any, str, str]] = {
    "sms.ru": (
        form,
        {"api_id": "key-77", "to": "79160000001", "msg": TEXT, "json": "1"},
        '{"status": "OK", "status_code": 100, "sms": {"79160000001": {"status": "OK", "status_code": 100}}}',
        '{"status": "OK", "status_code": 100, "sms": {"79160000001": {"status": "ERROR", "status_code": 207}}}',
    ),
    "smsc.ru": (form, {**SMSC, "fmt": "3"}, '{"id": 1, "cnt": 1}', '{"error": "…", "error_code": 6, "id": 1}'),
    "smsc.ru-get": (query, {**SMSC, "fmt": "0"}, "OK - 1 SMS, ID - 1234", "ERROR = 2 (…)"),
    "exolve": (
        lambda asked: (asked.headers["authorization"], json.loads(asked.body)),
        ("Bearer key-77", {"number": "ROMASHKA", "destination": "79160000001", "text": TEXT}),
        '{"message_id": "439166538239448536"}',
        '{"error": {"code": "…", "message": "…"}}',
    ),
    "smsaero": (
        lambda asked: (b64decode(asked.headers["authorization"].removeprefix("Basic ")), form(asked)),
        (b"shop@romashka.example:key-77", {"number": "79160000001", "text": TEXT, "sign": "ROMASHKA"}),
        '{"success": true, "data": {"id": 1}}',
        '{"success": false, "message": "…"}',
    ),
}


@pytest.mark.parametrize("gateway", PAGES)
async def test_a_gateway_gets_what_its_page_asks_for(gateway: str) -> None:
    read, expected, yes, no = PAGES[gateway]
    async with scripted(answers(yes.encode())) as server:
        path = urlsplit(GATEWAYS[gateway]["phone"]["address"]).path
        sender = opened(GATEWAYS[gateway], address=server.address + path, secret="key-77")
        await sender.send(PHONE, TEXT)
        server.script = answers(no.encode())
        with pytest.raises(Upstream):
            await sender.send(PHONE, TEXT)
        await sender.close()
    assert urlsplit(server.asked[0].target).path == path
    assert read(server.asked[0]) == expected


async def test_the_other_tables_are_good_settings() -> None:
    assert set(GATEWAYS) == {*PAGES, "smtp", "log"}
    for gateway in PAGES:
        await opened(GATEWAYS[gateway], secret="key-77").close()  # the address as it stands
    await opened(GATEWAYS["smtp"], password="key-77").close()
    await opened(GATEWAYS["log"], demo=True).close()
    with pytest.raises(SettingsFault, match="for the demo"):
        opened(GATEWAYS["log"])
