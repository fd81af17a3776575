"""
The road between a loader and a back office.

`Read` is one port method of one back office: deadline, owner check, errors made ours. `route` says which back office
serves which section. Cache, batching across requests and the guard stand here too, when they come.
"""

from bff.sources.answer import Answer
from bff.sources.outage import OutageLog
from bff.sources.read import EVERYBODY, Outcome, Read
from bff.sources.routing import OfferSource, Sections, Sources, route

__all__ = ["EVERYBODY", "Answer", "OfferSource", "OutageLog", "Outcome", "Read", "Sections", "Sources", "route"]
