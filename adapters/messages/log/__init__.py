"""Prints messages to the log instead of sending them: for the demo, where there is nobody to send to."""

from adapters.messages.log.sender import build
from bff.domain import ContactKind
from bff.senders import SenderSettings, SenderSpec

spec = SenderSpec(
    name="log",
    summary="prints codes to the log; for the demo only",
    kinds=frozenset(ContactKind),
    settings=SenderSettings,
    build=build,
    demo_only=True,
)

__all__ = ["spec"]
