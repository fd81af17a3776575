"""A mail server on a real socket (aiosmtpd): it keeps what it gets, or refuses, stalls and leaves as a test says."""

import asyncio
import email
import email.policy
import logging
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email.message import EmailMessage
from typing import Any, cast

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

logging.getLogger("mail").setLevel(logging.CRITICAL)  # it logs what it gets, and tests look for that in logs

USER, PASSWORD = "shop", "паро ль-1"


@dataclass(slots=True)
class MailServer:
    """One that runs. `replies` are what it answers to a command ("RCPT", "DATA", …) instead of taking it."""

    port: int = 0
    envelopes: list[Envelope] = field(default_factory=list)
    replies: dict[str, str] = field(default_factory=dict)
    hangs_at: str = ""
    leaves_at: str = ""
    sessions: list[Session] = field(default_factory=list)
    signed_in: int = 0
    in_flight: int = 0
    most_in_flight: int = 0
    takes: asyncio.Event = field(default_factory=asyncio.Event)
    """Cleared: messages are not taken until it is set."""

    @property
    def messages(self) -> list[EmailMessage]:
        """What it was given, parsed."""
        return [_parsed(envelope) for envelope in self.envelopes]

    @property
    def outbox(self) -> list[tuple[str, str]]:
        """To whom, and what."""
        return [
            (envelope.rcpt_tos[0], str(message.get_content()).replace("\r\n", "\n").removesuffix("\n"))
            for envelope, message in zip(self.envelopes, self.messages, strict=True)
        ]

    # What aiosmtpd calls:

    async def handle_NOOP(self, server: SMTP, *_: Any) -> str:  # noqa: N802
        return await self._answer("NOOP", server) or "250 OK"

    async def handle_MAIL(  # noqa: N802
        self, server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        if answer := await self._answer("MAIL", server):
            return answer
        envelope.mail_from = address
        return "250 OK"

    async def handle_RCPT(  # noqa: N802
        self, server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        if answer := await self._answer("RCPT", server):
            return answer
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        if answer := await self._answer("DATA", server):
            return answer
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            await self.takes.wait()
        finally:
            self.in_flight -= 1
        self.sessions.append(session)
        self.envelopes.append(envelope)
        return "250 OK"

    async def handle_QUIT(self, server: SMTP, *_: Any) -> str:  # noqa: N802
        return await self._answer("QUIT", server) or "221 Bye"

    def authenticate(
        self, _server: SMTP, _session: Session, _envelope: Envelope, _mechanism: str, data: Any
    ) -> AuthResult:
        """Let the one user in."""
        assert isinstance(data, LoginPassword)
        good = data == LoginPassword(USER.encode(), PASSWORD.encode())
        self.signed_in += good
        return AuthResult(success=good, handled=False)

    async def _answer(self, command: str, server: SMTP) -> str | None:
        if self.hangs_at == command:
            await asyncio.Event().wait()
        if self.leaves_at == command:
            _abort(server)
        return self.replies.get(command)


def _abort(protocol: SMTP) -> None:
    if protocol.transport is not None:
        cast("asyncio.WriteTransport", protocol.transport).abort()


def _parsed(envelope: Envelope) -> EmailMessage:
    assert isinstance(envelope.content, bytes)
    message = email.message_from_bytes(envelope.content, policy=email.policy.default)
    assert isinstance(message, EmailMessage)
    return message


@asynccontextmanager
async def mail_server(
    *, implicit: ssl.SSLContext | None = None, starttls: ssl.SSLContext | None = None, sign_in: bool = False
) -> AsyncIterator[MailServer]:
    """Run one for as long as the context lasts."""
    loop = asyncio.get_running_loop()
    server = MailServer()
    server.takes.set()
    protocols: list[SMTP] = []

    def connected() -> SMTP:
        protocol = SMTP(
            server,
            loop=loop,
            hostname="mail.example.test",
            tls_context=starttls,
            require_starttls=starttls is not None,
            auth_required=sign_in and starttls is not None,
            auth_require_tls=starttls is not None,
            authenticator=server.authenticate,
        )
        protocols.append(protocol)
        return protocol

    listening = await loop.create_server(connected, "127.0.0.1", 0, ssl=implicit)
    server.port = listening.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        listening.close()
        for protocol in protocols:
            _abort(protocol)
        handlers = [task for protocol in protocols if (task := protocol._handler_coroutine) is not None]
        for task in handlers:
            task.cancel()
        await asyncio.gather(*handlers, return_exceptions=True)


@asynccontextmanager
async def raw_server(
    serve: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Any],
) -> AsyncIterator[int]:
    """Run a server that says whatever a test wants; gives its port."""
    running: set[asyncio.Task[Any]] = set()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        running.add(task)
        try:
            await serve(reader, writer)
        except (asyncio.CancelledError, ConnectionError):
            pass  # the test is over, or the client has left
        finally:
            running.discard(task)
            writer.transport.abort()

    listening = await asyncio.start_server(connected, "127.0.0.1", 0)
    try:
        yield listening.sockets[0].getsockname()[1]
    finally:
        listening.close()
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
