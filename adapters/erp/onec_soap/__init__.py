"""
A web service (SOAP) of 1C:Enterprise.

Every shop's 1C publishes a service of its own, so nothing about names stands here: the WSDL says what can be asked
and a mapping file says what it means. `wsdl` reads the one, `mapping` the other; `envelope` writes requests,
`answers` judges replies, `sessions` keeps 1C's sessions, `client` makes the calls, `adapter` serves the ports.
"""

from adapters.erp.onec_soap.settings import OneCSettings
from bff.http import HttpClients
from bff.plugins import Adapter, AdapterSpec


def _build(back_office: str, settings: OneCSettings, clients: HttpClients) -> Adapter:
    # With it comes zeep, and a second HTTP client with zeep: a dozen megabytes, for shops that have a 1C.
    from adapters.erp.onec_soap.adapter import build  # noqa: PLC0415

    return build(back_office, settings, clients)


spec = AdapterSpec(
    name="onec_soap",
    kind="erp",
    summary="A web service (SOAP) of 1C:Enterprise, described by its WSDL and a mapping file",
    ports=("profiles", "orders", "bonuses", "favorites", "products", "promotions", "personal_offers", "customers"),
    settings=OneCSettings,
    build=_build,
)

__all__ = ["spec"]
