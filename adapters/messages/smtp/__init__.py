"""Codes by e-mail: through any mail server that takes messages for delivery (SMTP submission)."""

from adapters.messages.smtp.settings import SmtpSettings
from bff.domain import ContactKind
from bff.domain.clock import Clock
from bff.http import HttpClients
from bff.senders import Sender, SenderSpec


def _build(name: str, settings: SmtpSettings, clients: HttpClients, clock: Clock) -> Sender:
    # Its client is for shops that send by it; all senders are loaded to know their names.
    from adapters.messages.smtp.sender import build  # noqa: PLC0415

    return build(name, settings, clients, clock)


spec = SenderSpec(
    name="smtp",
    summary="e-mail through a mail server, with TLS",
    kinds=frozenset({ContactKind.EMAIL}),
    settings=SmtpSettings,
    build=_build,
)

__all__ = ["spec"]
