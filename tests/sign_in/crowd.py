"""Many front ends at once, from one event loop: they write to the running service over connections that are kept."""

import asyncio
import json
from collections.abc import Mapping
from typing import Any, Self

from bff.http import HttpClients, HttpLimits
from tests.patience import PATIENCE_SECONDS
from tests.sign_in.customer import REFRESH, REQUEST, SIGN_IN


class Crowd:
    """A way to ask, for many at once. Raises `BackOfficeError` where no answer comes."""

    def __init__(self, address: str, connections: int) -> None:
        limits = HttpLimits(
            total_seconds=2 * PATIENCE_SECONDS, connect_seconds=PATIENCE_SECONDS, connections=connections
        )
        # Whoever waits for a connection waits here: a request's time begins with it.
        self._lanes = asyncio.Semaphore(connections)
        self._client = HttpClients().open("kabinet", address, limits)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._client.close()

    async def ask(self, query: str, variables: Mapping[str, Any], network: str, access: str = "") -> dict[str, Any]:
        """The whole answer."""
        headers = {"content-type": "application/json", "x-forwarded-for": network}
        if access:
            headers["authorization"] = f"Bearer {access}"
        body = json.dumps({"query": query, "variables": variables}).encode()
        async with self._lanes:
            reply = await self._client.request("POST", "/graphql", headers=headers, body=body)
        answer: dict[str, Any] = json.loads(reply.body)
        return answer

    async def request_code(self, phone: str, network: str) -> str:
        """Have a code sent: an empty text, or why not. The edge may say so, or signing in itself."""
        answer = await self.ask(REQUEST, {"contact": {"phone": phone}}, network)
        if "errors" in answer:
            return str(answer["errors"][0]["extensions"]["code"])
        errors = answer["data"]["done"]["userErrors"]
        return errors[0]["code"] if errors else ""

    async def sign_in(self, phone: str, code: str, network: str) -> dict[str, Any]:
        """Tokens, or none where the code is refused."""
        answer = await self.ask(SIGN_IN, {"contact": {"phone": phone}, "code": code}, network)
        tokens: dict[str, Any] | None = answer["data"]["done"]["tokens"]
        return tokens or {}

    async def refresh(self, token: str, network: str) -> dict[str, Any]:
        """New tokens, or none where the session has ended."""
        answer = await self.ask(REFRESH, {"token": token}, network)
        if "errors" in answer:
            assert [error["extensions"]["code"] for error in answer["errors"]] == ["UNAUTHENTICATED"], answer
            return {}
        tokens: dict[str, Any] = answer["data"]["done"]["tokens"]
        return tokens
