"""The sender."""

import structlog

from bff.domain import Contact
from bff.domain.clock import Clock
from bff.http import HttpClients
from bff.senders import Sender, SenderSettings

log = structlog.get_logger("kabinet.senders")


class LogSender:
    """The one place where a code may stand in a log: `demo_only` keeps it out of every service that has customers."""

    async def send(self, to: Contact, text: str) -> None:
        """Print it."""
        log.info("message not sent, this is the demo", to=to.value, text=text)

    async def check(self) -> str:
        """Say what it does."""
        return "sends nothing: codes are printed to the log"

    async def close(self) -> None:
        """Nothing is open."""


def build(_name: str, _settings: SenderSettings, _clients: HttpClients, _clock: Clock) -> Sender:
    """Make the sender."""
    return LogSender()
