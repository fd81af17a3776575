"""Cabinets in front of back offices in memory, and tokens that they believe."""

from typing import Any

from starlette.applications import Starlette
from starlette.testclient import TestClient

from bff.app import Cabinet, create_app
from bff.config import load_settings
from bff.identity import TokenVerifier, shared_secret, sign_token
from bff.plugins import Adapter
from bff.sources import route
from tests.fakes.back_offices import FakeBackOffice, now, one_call_at_a_time
from tests.patience import PATIENT_MS

SECRET = "a secret of the tests, of 32 bytes and more"
ISSUER = "https://shop.example.test"
AUDIENCE = "cabinet"
GRAPHQL_JSON = "application/graphql-response+json"


def cabinet(sections: dict[str, Any] | None = None, server: dict[str, Any] | None = None, **offices: Any) -> Cabinet:
    """A cabinet whose back offices are fakes, or adapters made of them. Its clock stands still."""
    adapters: dict[str, Adapter] = {
        name: office.adapter() if isinstance(office, FakeBackOffice) else office for name, office in offices.items()
    }
    flags = {
        "server": {"dashboard_ms": PATIENT_MS, **(server or {})},
        "identity": {"issuer": ISSUER, "audience": AUDIENCE, "secret": SECRET},
        "back_offices": {name: {"adapter": "fake"} for name in adapters} or {"none": {"adapter": "fake"}},
        "sections": sections or {},
    }
    loaded = load_settings(None, flags=flags, environment=False)
    settings = {name: one_call_at_a_time() for name in adapters}
    verifier = TokenVerifier(shared_secret(SECRET), issuer=ISSUER, audience=AUDIENCE, clock=now)
    return Cabinet(loaded, adapters, route(loaded.settings.sections, adapters, now, settings=settings), verifier)


def everything(office: FakeBackOffice, **server: Any) -> Cabinet:
    """A cabinet with one back office behind every section."""
    sections = dict.fromkeys(("profile", "orders", "bonuses", "favorites", "products"), "shop")
    return cabinet({**sections, "offers": ["shop"]}, server, shop=office)


def app(office: FakeBackOffice | None = None, **server: Any) -> Starlette:
    """The application in front of one back office."""
    return create_app(everything(office or FakeBackOffice(), **server))


def client(office: FakeBackOffice | None = None, **server: Any) -> TestClient:
    """Asks the application without a socket; a defect comes back as an answer, as it would over one."""
    return TestClient(app(office, **server), raise_server_exceptions=False)


def bearer(customer: str = "c-1") -> dict[str, str]:
    """A header that signs a customer in."""
    return {"Authorization": f"Bearer {sign_token(SECRET, customer, issuer=ISSUER, audience=AUDIENCE, clock=now)}"}
