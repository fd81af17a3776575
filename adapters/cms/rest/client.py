"""Calls to a JSON back office, never more at once than its pool."""

import asyncio

from adapters.cms.rest.mapping import Request
from bff.http import HttpClient, HttpReply


class RestClient:
    """Sends GET requests."""

    def __init__(self, http: HttpClient, *, pool: int) -> None:
        self._http = http
        # Waiting here does not count against the call's own deadline; waiting for a connection would.
        self._slots = asyncio.Semaphore(pool)

    async def get(self, request: Request) -> HttpReply:
        """Send it and read the whole answer, whatever its status. Raises what `HttpClient.request` raises."""
        async with self._slots:
            return await self._http.request("GET", request.path, params=request.params)

    async def close(self) -> None:
        """Close every connection."""
        await self._http.close()
