"""Codes by e-mail: through any mail server that takes messages for delivery (SMTP submission)."""

from adapters.messages.smtp.sender import build
from adapters.messages.smtp.settings import SmtpSettings
from bff.domain import ContactKind
from bff.senders import SenderSpec

spec = SenderSpec(
    name="smtp",
    summary="e-mail through a mail server, with TLS",
    kinds=frozenset({ContactKind.EMAIL}),
    settings=SmtpSettings,
    build=build,
)

__all__ = ["spec"]
