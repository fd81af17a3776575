"""A front end, as the tests need one: it asks the running cabinet over a real socket."""

from dataclasses import dataclass
from typing import Any

import httpx2

from bff.demo.run import demo_token
from tests.patience import PATIENCE_SECONDS

DASHBOARD = """
query Dashboard {
  dashboard {
    profile { displayName phone }
    lastOrder { id number status total { amount currency } lines { name product { id name } } }
    bonuses { balance pending expirations { amount expiresOn } tier { name } }
    favorites(first: 12) { totalCount nodes { id name } }
    offers(first: 50) { nodes { id kind title } }
  }
}
"""


@dataclass(frozen=True, slots=True)
class Front:
    """Asks the cabinet at an address."""

    address: str

    def post(self, query: str, customer: str | None = "c-1001", **more: Any) -> httpx2.Response:
        """Send an operation, with a token of the customer, or none."""
        headers = {"Authorization": f"Bearer {demo_token(customer)}"} if customer else {}
        body = {"query": query, **more}
        return httpx2.post(f"{self.address}/graphql", json=body, headers=headers, timeout=2 * PATIENCE_SECONDS)

    def ask(self, query: str = DASHBOARD, customer: str | None = "c-1001", **more: Any) -> dict[str, Any]:
        """The whole answer."""
        answer: dict[str, Any] = self.post(query, customer, **more).json()
        return answer

    def data(self, query: str = DASHBOARD, customer: str = "c-1001", **more: Any) -> dict[str, Any]:
        """The answer's data, where nothing went wrong."""
        answer = self.ask(query, customer, **more)
        assert "errors" not in answer, answer["errors"]
        data: dict[str, Any] = answer["data"]
        return data


def codes(answer: dict[str, Any]) -> dict[str, str]:
    """By path, dotted, the code of each error."""
    return {
        ".".join(str(step) for step in error.get("path", ())): error["extensions"]["code"]
        for error in answer.get("errors", ())
    }
