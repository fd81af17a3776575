"""The kit that adapter authors test with, under pytest with the anyio plug-in. Nothing on the serving road uses it."""

from bff.testing.contract import AdapterContract, Sample
from bff.testing.senders import Outbox, SenderContract

__all__ = ["AdapterContract", "Outbox", "Sample", "SenderContract"]
