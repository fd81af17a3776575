"""
The road between a loader and a back office.

`Read` is one port method as the loaders see it. It looks into the `Cache` (tiers: this process's `memory`, Redis);
what is not there goes to a lane of `sharing`, where keys of all requests wait for a free slot and become one call;
`fetching` makes it, under the `guard` (time, breaker, one more try), checks owners and keeps what came. `routing` says
which back office serves which section and puts all this together. What changes something goes by `write`: `customers`
is who signs in.
"""

from bff.sources.ages import Ages, Freshness
from bff.sources.answer import Answer
from bff.sources.cache import Cache
from bff.sources.customers import CustomerDirectory
from bff.sources.fetching import Outcome
from bff.sources.memory import MemoryTier
from bff.sources.outage import OutageLog
from bff.sources.read import EVERYBODY, Read
from bff.sources.routing import OfferSource, Sections, Sources, route
from bff.sources.storage import Storage, make_storage

__all__ = [
    "EVERYBODY",
    "Ages",
    "Answer",
    "Cache",
    "CustomerDirectory",
    "Freshness",
    "MemoryTier",
    "OfferSource",
    "OutageLog",
    "Outcome",
    "Read",
    "Sections",
    "Sources",
    "Storage",
    "make_storage",
    "route",
]
