"""Codes by SMS: through any gateway that takes a message as one HTTP request, which the settings describe."""

from adapters.messages.http_sms.sender import build
from adapters.messages.http_sms.settings import SmsSettings
from bff.domain import ContactKind
from bff.senders import SenderSpec

spec = SenderSpec(
    name="http_sms",
    summary="SMS through a gateway's HTTP API, described in the settings",
    kinds=frozenset({ContactKind.PHONE}),
    settings=SmsSettings,
    build=build,
)

__all__ = ["spec"]
