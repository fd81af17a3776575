"""Any back office with JSON over HTTP: a mapping file says what to ask for and where things are in the answers."""

from adapters.cms.rest.adapter import build
from adapters.cms.rest.settings import RestSettings
from bff.plugins import AdapterSpec

spec = AdapterSpec(
    name="rest",
    kind="cms",
    summary="JSON over HTTP, described by a mapping file",
    ports=("profiles", "orders", "bonuses", "favorites", "products", "promotions", "personal_offers"),
    settings=RestSettings,
    build=build,
)

__all__ = ["spec"]
