"""Who asks a running cabinet, and how."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import orjson

from bff.demo.run import demo_settings, demo_token
from bff.demo.secret import demo_secret
from bff.identity import sign_token
from tests.fuzz.replies import Reply

CUSTOMERS = ("c-1001", "c-1002", "c-1003", "c-1004", "c-1005")
"""The demo's, with much, nothing, and what is odd."""

SECONDS = 60.0


def bad_tokens() -> Mapping[str, str]:
    """Tokens that nobody may get in with, by what is wrong with them."""
    identity = demo_settings().settings.identity
    assert identity is not None
    names = {"issuer": identity.issuer, "audience": identity.audience}

    def sign(secret: str | None = None, **more: Any) -> str:
        return sign_token(secret or demo_secret(), CUSTOMERS[0], **{**names, **more})

    return {
        "foreign": sign("somebody else's secret, as long as it must be"),
        "expired": sign(clock=lambda: datetime.now(UTC) - timedelta(days=30)),
        "audience": sign(audience="another"),
        "issuer": sign(issuer="another"),
        "cut": demo_token()[:-1],
        "garbage": "c-1001",
    }


class Asker:
    """Asks one cabinet over one connection."""

    def __init__(self, client: httpx2.Client) -> None:
        self._client = client
        self._tokens = {customer: demo_token(customer) for customer in CUSTOMERS}

    def post(self, body: bytes, token: str | None = None, **headers: str) -> Reply:
        """Send these very bytes, as JSON where no other content type is named."""
        sent = {"content-type": "application/json"}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        if token is not None:
            sent["authorization"] = f"Bearer {token}"
        return Reply.of(body, self._client.post("/graphql", content=body, headers=sent))

    def ask(self, query: str, variables: Mapping[str, Any], token: str | None = None, **headers: str) -> Reply:
        """Send an operation."""
        return self.post(orjson.dumps({"query": query, "variables": variables}), token, **headers)

    def good_token(self, customer: str) -> str:
        """A token of theirs."""
        return self._tokens[customer]

    def get(self, parameters: Mapping[str, str], token: str | None = None) -> Reply:
        """Ask by GET."""
        headers = {} if token is None else {"authorization": f"Bearer {token}"}
        return Reply.of(parameters, self._client.get("/graphql", params=parameters, headers=headers))


@contextmanager
def asking(address: str) -> Iterator[Asker]:
    """Somebody who asks the cabinet there."""
    with httpx2.Client(base_url=address, timeout=SECONDS) as client:
        yield Asker(client)
