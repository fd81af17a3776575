"""The sender: a connection for each message, for codes come one by one and mail servers close idle connections."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import cast

import aiosmtplib

from adapters.messages.smtp.faults import EXPECTED, fault
from adapters.messages.smtp.message import compose, mailbox
from adapters.messages.smtp.settings import SmtpSettings
from bff.domain import Contact, ContactKind
from bff.domain.clock import Clock
from bff.errors import Code, Refused, SignInRefused, Unavailable
from bff.http import HttpClients
from bff.senders import Sender

_QUIT_SECONDS = 1.0


class SmtpSender:
    """Hands messages over to one mail server."""

    def __init__(self, name: str, settings: SmtpSettings, clock: Clock) -> None:
        self._name = name
        self._settings = settings
        self._clock = clock
        self._from = settings.sender
        self._tls = ssl.create_default_context(cafile=str(settings.ca_file) if settings.ca_file else None)
        self._slots = asyncio.Semaphore(settings.pool)

    async def send(self, to: Contact, text: str) -> None:
        """Hand a message over; it is the server's when this returns."""
        recipient = mailbox(to.value) if to.kind is ContactKind.EMAIL else None
        if recipient is None:
            raise Refused("no such address is written to", refusal=Code.BAD_USER_INPUT, back_office=self._name)
        message = compose(self._from, recipient, self._settings.subject, text, self._clock())
        async with self._session() as client:
            await client.sendmail(self._from.addr_spec, recipient.addr_spec, message)

    async def check(self) -> str:
        """Connect, sign in, NOOP."""
        async with self._session() as client:
            await client.noop()
            tls = client.get_transport_info("ssl_object")
        signed_in = "took our sign-in" if self._settings.user is not None else "asked for no sign-in"
        return f"the mail server answered over {tls.version() if tls else 'no TLS'} and {signed_in}"

    async def close(self) -> None:
        """Nothing stays open between messages."""

    @asynccontextmanager
    async def _session(self) -> AsyncIterator[aiosmtplib.SMTP]:
        """Give a client that is connected and signed in, all within the time for one message; convert errors."""
        settings = self._settings
        try:
            async with asyncio.timeout(settings.timeout_ms / 1000) as deadline, self._slots:
                client = aiosmtplib.SMTP(
                    hostname=settings.host,
                    port=settings.server_port,
                    use_tls=settings.security == "tls",
                    start_tls=False,  # by hand, to say what is missing
                    tls_context=self._tls,
                    # The machine's own name would be asked of DNS, in a thread that no deadline ends.
                    local_hostname=self._from.domain,
                    timeout=settings.timeout_ms / 1000,
                )
                try:
                    await client.connect(timeout=settings.connect_timeout_ms / 1000)
                    await self._greet(client)
                    yield client
                    # The message is theirs. Whatever becomes of the farewell, it was sent.
                    deadline.reschedule(None)
                    with suppress(*EXPECTED):
                        await client.quit(timeout=_QUIT_SECONDS)
                finally:
                    _drop(client)
        except EXPECTED as error:
            # `from None`: the library's errors hold addresses and what the server said.
            raise fault(error, self._name) from None

    async def _greet(self, client: aiosmtplib.SMTP) -> None:
        await client.ehlo()
        if self._settings.security == "starttls":
            if not client.supports_extension("starttls"):
                raise Unavailable("it offers no STARTTLS on this port", back_office=self._name)
            await client.starttls()
            await client.ehlo()
        user, password = self._settings.user, self._settings.password
        if user is None or password is None:
            return
        if not client.supported_auth_methods:
            raise SignInRefused("it offers no way to sign in that we know", back_office=self._name)
        # As bytes: the library takes texts for ASCII.
        await client.login(user.encode(), password.get_secret_value().encode())


def _drop(client: aiosmtplib.SMTP) -> None:
    """Close at once: a server that hangs would be waited for, to end TLS politely."""
    transport = client.transport
    client.close()
    if transport is not None:
        cast("asyncio.WriteTransport", transport).abort()


def build(name: str, settings: SmtpSettings, _clients: HttpClients, clock: Clock) -> Sender:
    """Make the sender."""
    return SmtpSender(name, settings, clock)
