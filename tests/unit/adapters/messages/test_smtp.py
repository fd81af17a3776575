"""E-mail: what a mail server gets, and what becomes of its answers, over real connections."""

import asyncio
import email.utils
import ssl
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from bff.domain import Contact, ContactKind
from bff.errors import BackOfficeError, BadReply, Busy, Refused, SignInRefused, TimedOut, Unavailable, Upstream
from bff.senders import Sender
from tests.fakes.certificates import Authority
from tests.fakes.mail_server import PASSWORD, USER, MailServer, mail_server, raw_server
from tests.patience import PATIENT_MS
from tests.unit.adapters.messages.conftest import MAIL, NOW, Open

pytestmark = pytest.mark.anyio

TEXT = "Ваш код: 735194"


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@pytest.fixture
async def server() -> AsyncIterator[MailServer]:
    async with mail_server() as server:
        yield server


def smtp(open_as: Open, port: int, **more: Any) -> Sender:
    raw = {
        "adapter": "smtp",
        "host": "127.0.0.1",
        "port": port,
        "security": "none",
        "from_address": "no-reply@shop.test",
    }
    return open_as(ContactKind.EMAIL, **{**raw, **more})


def tls_server(
    security: str, context: ssl.SSLContext, *, sign_in: bool = False
) -> AbstractAsyncContextManager[MailServer]:
    if security == "tls":
        return mail_server(implicit=context, sign_in=sign_in)
    return mail_server(starttls=context, sign_in=sign_in)


async def failure(sender: Sender, to: Contact = MAIL) -> BackOfficeError:
    with pytest.raises(BackOfficeError) as caught:
        await sender.send(to, TEXT)
    error = caught.value
    said = f"{error} {error!r} {error.__cause__!r}"
    assert error.back_office == "senders.email"
    assert "735194" not in said
    assert MAIL.value not in said
    assert PASSWORD not in said
    return error


async def test_the_message(server: MailServer, open_as: Open) -> None:
    sender = smtp(open_as, server.port, from_name='Магазин "Ромашка", <x@y.test>', subject="Ваш код")
    await sender.send(MAIL, TEXT + "\n.\nНикому его не сообщайте")
    (envelope,), (message,) = server.envelopes, server.messages
    assert (envelope.mail_from, envelope.rcpt_tos) == ("no-reply@shop.test", [MAIL.value])
    assert message.get_content() == TEXT + "\r\n.\r\nНикому его не сообщайте\r\n"
    assert message.get_content_type() == "text/plain"
    assert message.get_content_charset() == "utf-8"
    assert message["Subject"] == "Ваш код"
    (shown,) = message["From"].addresses
    assert (shown.display_name, shown.addr_spec) == ('Магазин "Ромашка", <x@y.test>', "no-reply@shop.test")
    assert [to.addr_spec for to in message["To"].addresses] == [MAIL.value]
    assert email.utils.parsedate_to_datetime(message["Date"]) == NOW
    assert message["Message-ID"].endswith("@shop.test>")
    assert message["Auto-Submitted"] == "auto-generated"
    assert isinstance(envelope.content, bytes)
    assert envelope.content.isascii()


async def test_each_message_has_an_id_of_its_own(server: MailServer, open_as: Open) -> None:
    sender = smtp(open_as, server.port)
    await sender.send(MAIL, TEXT)
    await sender.send(MAIL, TEXT)
    assert len({message["Message-ID"] for message in server.messages}) == 2


@pytest.mark.parametrize("security", ["tls", "starttls"])
async def test_tls_and_sign_in(security: str, authority: Authority, open_as: Open) -> None:
    context = authority.server("127.0.0.1")
    async with tls_server(security, context, sign_in=True) as server:
        sender = smtp(open_as, server.port, security=security, ca_file=authority.file, user=USER, password=PASSWORD)
        await sender.send(MAIL, TEXT)
        said = await sender.check()
    assert "TLSv1" in said
    assert "took our sign-in" in said
    assert server.outbox == [(MAIL.value, TEXT)]
    assert server.signed_in == 2
    if security == "starttls":
        assert server.sessions[0].ssl is not None


@pytest.mark.parametrize("security", ["tls", "starttls"])
@pytest.mark.parametrize("trust", ["nobody", "another name"])
async def test_a_certificate_that_is_not_right_is_refused(
    security: str, trust: str, authority: Authority, open_as: Open
) -> None:
    context = authority.server("127.0.0.1" if trust == "nobody" else "mail.example.test")
    async with tls_server(security, context) as server:
        more = {} if trust == "nobody" else {"ca_file": authority.file}
        error = await failure(smtp(open_as, server.port, security=security, user=USER, password=PASSWORD, **more))
    assert isinstance(error, Unavailable)
    assert "certificate" in str(error)
    assert (server.signed_in, server.outbox) == (0, [])


async def test_without_starttls_nothing_is_said_in_clear(server: MailServer, open_as: Open) -> None:
    error = await failure(smtp(open_as, server.port, security="starttls", user=USER, password=PASSWORD))
    assert isinstance(error, Unavailable)
    assert "STARTTLS" in str(error)
    assert (server.signed_in, server.outbox) == (0, [])


async def test_what_is_slipped_in_before_tls_is_not_believed(authority: Authority, open_as: Open) -> None:
    context = authority.server("127.0.0.1")

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 hello\r\n")
        await reader.readline()
        writer.write(b"250-hello\r\n250 STARTTLS\r\n")
        await reader.readline()
        writer.write(b"220 go\r\n250-injected\r\n250 AUTH PLAIN\r\n")
        await writer.drain()
        transport = await asyncio.get_running_loop().start_tls(
            writer.transport, writer.transport.get_protocol(), context, server_side=True
        )
        assert transport is not None
        heard.append(await asyncio.wait_for(reader.readline(), 20))
        transport.write(b"250 no extensions\r\n")
        heard.append(await asyncio.wait_for(reader.readline(), 20))

    heard: list[bytes] = []
    async with raw_server(serve) as port:
        tls = {"security": "starttls", "ca_file": authority.file, "user": USER, "password": PASSWORD}
        error = await failure(smtp(open_as, port, **tls))
    assert isinstance(error, SignInRefused)
    assert heard[0].startswith(b"EHLO")
    assert not any(line.startswith(b"AUTH") for line in heard)


async def test_a_wrong_password(authority: Authority, open_as: Open) -> None:
    async with mail_server(implicit=authority.server("127.0.0.1"), sign_in=True) as server:
        more = {"security": "tls", "ca_file": authority.file, "user": USER, "password": "wrong-77"}
        sender = smtp(open_as, server.port, **more)
        assert isinstance(await failure(sender), SignInRefused)
        with pytest.raises(SignInRefused) as caught:
            await sender.check()
    assert "wrong-77" not in str(caught.value)
    assert server.outbox == []


async def test_the_check_sends_nothing(server: MailServer, open_as: Open) -> None:
    assert "asked for no sign-in" in await smtp(open_as, server.port).check()
    server.replies["NOOP"] = "421 going down"
    with pytest.raises(Busy):
        await smtp(open_as, server.port).check()
    assert server.outbox == []


@pytest.mark.parametrize(
    ("command", "reply", "kind"),
    [
        ("MAIL", "421 too many connections", Busy),
        ("MAIL", "550 anna.s+shop@example.test not yours", SignInRefused),
        ("MAIL", "530 authenticate first", SignInRefused),
        ("RCPT", "450 greylisted anna.s+shop@example.test", Busy),
        ("RCPT", "550 no such user anna.s+shop@example.test", Refused),
        ("DATA", "452 disk full", Busy),
        ("DATA", "554 spam: Ваш код: 735194", Upstream),
        ("DATA", "250", None),
        ("RCPT", "nonsense 735194", BadReply),
        ("RCPT", "99 nonsense", BadReply),
        ("DATA", "354 go on", BadReply),
    ],
)
async def test_refusals(
    command: str, reply: str, kind: type[BackOfficeError] | None, server: MailServer, open_as: Open
) -> None:
    server.replies[command] = reply
    sender = smtp(open_as, server.port)
    if kind is None:
        await sender.send(MAIL, TEXT)
    else:
        assert type(await failure(sender)) is kind
    assert server.outbox == []
    server.replies.clear()
    await sender.send(MAIL, TEXT)
    assert server.outbox == [(MAIL.value, TEXT)]


@pytest.mark.parametrize("command", ["MAIL", "RCPT", "DATA"])
async def test_one_that_hangs_is_left_in_time(command: str, server: MailServer, open_as: Open) -> None:
    server.hangs_at = command
    assert isinstance(await failure(smtp(open_as, server.port, timeout_ms=300)), TimedOut)


async def test_one_that_drips_is_left_in_time(open_as: Open) -> None:
    async def serve(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 hello\r\n")
        while True:
            writer.write(b"250-x\r\n")
            await writer.drain()
            await asyncio.sleep(0.02)

    async with raw_server(serve) as port:
        assert isinstance(await failure(smtp(open_as, port, timeout_ms=500)), TimedOut)


async def test_one_that_never_greets(open_as: Open) -> None:
    async def serve(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await reader.read()

    async with raw_server(serve) as port:
        assert isinstance(await failure(smtp(open_as, port, connect_timeout_ms=100)), Unavailable)
        tls = smtp(open_as, port, connect_timeout_ms=100, security="tls")
        assert isinstance(await failure(tls), Unavailable)


@pytest.mark.parametrize("command", ["MAIL", "RCPT", "DATA"])
async def test_one_that_leaves_in_the_middle(command: str, server: MailServer, open_as: Open) -> None:
    server.leaves_at = command
    assert isinstance(await failure(smtp(open_as, server.port)), Unavailable)


async def test_nobody_there(server: MailServer, open_as: Open) -> None:
    async with mail_server() as gone:
        port = gone.port
    assert isinstance(await failure(smtp(open_as, port)), Unavailable)
    error = await failure(smtp(open_as, server.port, security="tls"))  # TLS to a port without it
    assert isinstance(error, Unavailable)
    assert "security" in str(error)


@pytest.mark.parametrize(
    "greeting",
    [
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        b"\xff\xfe\r\n",
        b"220-" + b"x" * 100_000,
        b"554 go away\r\n",
        b"\x00" * 40_000,
    ],
)
async def test_what_is_no_mail_server(greeting: bytes, open_as: Open) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(greeting)
        await reader.read()

    async with raw_server(serve) as port:
        error = await failure(smtp(open_as, port, connect_timeout_ms=PATIENT_MS, timeout_ms=PATIENT_MS))
    assert isinstance(error, BadReply | Upstream)


async def test_a_challenge_that_makes_no_sense(open_as: Open) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for reply in (b"220 hello", b"250-hello\r\n250 AUTH CRAM-MD5", b"334 \xd0x"):
            writer.write(reply + b"\r\n")
            await reader.readline()

    async with raw_server(serve) as port:
        assert isinstance(await failure(smtp(open_as, port, user=USER, password=PASSWORD)), BadReply)


@pytest.mark.parametrize("how", ["hangs", "leaves", "refuses"])
async def test_a_bad_farewell_takes_nothing_back(how: str, server: MailServer, open_as: Open) -> None:
    match how:
        case "hangs":
            server.hangs_at = "QUIT"
        case "leaves":
            server.leaves_at = "QUIT"
        case _:
            server.replies["QUIT"] = "500 no"
    await smtp(open_as, server.port).send(MAIL, TEXT)
    assert server.outbox == [(MAIL.value, TEXT)]


async def test_no_more_at_once_than_the_pool(server: MailServer, open_as: Open) -> None:
    server.takes.clear()
    sender = smtp(open_as, server.port, pool=2)
    sending = [asyncio.ensure_future(sender.send(MAIL, f"код {number}")) for number in range(6)]
    while server.in_flight < 2:  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    for _ in range(20):
        await asyncio.sleep(0.005)  # time for a third one, were there no limit
    server.takes.set()
    await asyncio.gather(*sending)
    assert server.most_in_flight == 2
    assert len(server.outbox) == 6


STRANGE_ADDRESSES = [
    "a@example.test,b@example.test",
    "a@b@example.test",
    "<a@example.test>",
    '"a"@example.test',
    '"a\\"@x"@example.test',
    "a@[127.0.0.1]",
    "анна@example.test",
    "a@ромашка.test",
    "a..b@example.test",
    "a@example..test",
    "a@-example.test",
    "a:b;c@example.test",
    "(c)a@example.test",
    "a" * 65 + "@example.test",
]


@pytest.mark.parametrize("address", STRANGE_ADDRESSES)
async def test_an_address_that_could_be_two_is_not_written_to(address: str, server: MailServer, open_as: Open) -> None:
    with pytest.raises(Refused) as caught:
        await smtp(open_as, server.port).send(Contact(ContactKind.EMAIL, address), TEXT)
    assert address not in str(caught.value)
    assert server.envelopes == []


@pytest.mark.parametrize("text", ["x\r\nBcc: evil@example.test\r\n\r\n", "x\r\n.\r\nRCPT TO:<evil@example.test>\r\n"])
async def test_a_text_is_no_header_and_no_command(text: str, server: MailServer, open_as: Open) -> None:
    await smtp(open_as, server.port).send(MAIL, text)
    (message,) = server.messages
    assert message["Bcc"] is None
    assert server.envelopes[0].rcpt_tos == [MAIL.value]
    assert "evil@example.test" in message.get_content()


@pytest.mark.parametrize(
    ("more", "fault"),
    [
        ({"host": "mail.shop.test", "security": "none"}, "on this machine"),
        ({"user": "shop"}, "both user and password"),
        ({"password": "x"}, "both user and password"),
        ({"user": "shop", "password": "a\nb"}, "control characters"),
        ({"from_address": "Shop <a@shop.test>"}, "one plain address"),
        ({"from_address": "a@shop.test\r\nBcc: x@y.test"}, "one plain address"),
        ({"from_name": "a\r\nBcc: x@y.test"}, "control characters"),
        ({"subject": "a\nBcc: x@y.test"}, "control characters"),
        ({"host": "mail.shop.test\r\n"}, "host"),
        ({"host": ""}, "host"),
        ({"port": 0}, "port"),
        ({"ca_file": "absent.pem"}, "there is no file"),
        ({"surprise": 1}, "surprise"),
    ],
)
async def test_settings_that_make_no_sense(more: dict[str, Any], fault: str, open_as: Open) -> None:
    with pytest.raises(ValidationError) as caught:
        smtp(open_as, **{"port": 25, **more})
    assert fault in str(caught.value)
    assert "a\nb" not in str(caught.value)


async def test_the_usual_ports(open_as: Open) -> None:
    sender: Any = open_as(ContactKind.EMAIL, adapter="smtp", host="mail.shop.test", from_address="a@shop.test")
    assert (sender._settings.server_port, sender._settings.security) == (465, "tls")
    assert sender._tls.verify_mode is ssl.CERT_REQUIRED
    assert sender._tls.check_hostname
