"""
A web service (SOAP) of 1C:Enterprise.

Every shop's 1C publishes a service of its own, so nothing about names stands here: the WSDL says what can be asked
and a mapping file says what it means. `wsdl` reads the one, `mapping` the other; `envelope` writes requests,
`answers` judges replies, `sessions` keeps 1C's sessions, `client` makes the calls, `adapter` serves the ports.
"""

from adapters.erp.onec_soap.adapter import build
from adapters.erp.onec_soap.settings import OneCSettings
from bff.plugins import AdapterSpec

spec = AdapterSpec(
    name="onec_soap",
    kind="erp",
    summary="A web service (SOAP) of 1C:Enterprise, described by its WSDL and a mapping file",
    ports=("profiles", "orders", "bonuses", "favorites", "products", "promotions", "personal_offers", "customers"),
    settings=OneCSettings,
    build=build,
)

__all__ = ["spec"]
