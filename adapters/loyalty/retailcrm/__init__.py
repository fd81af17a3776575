"""RetailCRM (API v5): loyalty accounts, lots that come or burn, personal discounts."""

from adapters.loyalty.retailcrm.adapter import build
from adapters.loyalty.retailcrm.settings import RetailCrmSettings
from bff.plugins import AdapterSpec

spec = AdapterSpec(
    name="retailcrm",
    kind="loyalty",
    summary="RetailCRM's loyalty programme, API v5",
    ports=("bonuses", "bonus_details", "personal_offers"),
    settings=RetailCrmSettings,
    build=build,
)

__all__ = ["spec"]
