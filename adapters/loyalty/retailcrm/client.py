"""
Calls to RetailCRM's API: at most `pool` at once, and none while it asks us to wait.

It answers 503 where an account makes more calls a second than it may (vendor's reference, "Ограничения").
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from typing import TypeVar

from adapters.loyalty.retailcrm.mapping import Answer, Page, decode
from bff.errors import BadReply, Busy, Unknown, Upstream
from bff.http import HttpClient, HttpReply, QueryParams

PAGE_SIZE = 100
"""The API takes 20, 50 or 100."""

MAX_PAGES = 50
"""No customer has five thousand lots: what has more pages is not what was asked for."""

PAUSE_SECONDS = 1.0
"""How long to wait after a 503 that does not say: the limit is one of calls a second."""

A = TypeVar("A", bound=Answer)
P = TypeVar("P", bound=Page)


class RetailCrmClient:
    """Sends GET requests. `now` is seconds that never go back."""

    def __init__(
        self, http: HttpClient, *, back_office: str, pool: int, now: Callable[[], float] = time.monotonic
    ) -> None:
        self._http = http
        self._back_office = back_office
        # Waiting here does not count against the call's own deadline; waiting for a connection would.
        self._slots = asyncio.Semaphore(pool)
        self._now = now
        self._closed_until = float("-inf")

    async def get(self, path: str, wanted: type[A], params: QueryParams = ()) -> A:
        """
        Ask for one answer.

        Raises what `HttpClient.request` and `HttpReply.refuse_errors` raise; `Busy` without a call while the API
        asked us to wait; `Unknown` where the API (not the web server before it) says 404; `Upstream` for
        `success: false`; `BadReply`.
        """
        async with self._slots:
            wait = self._closed_until - self._now()
            if wait > 0:
                raise Busy("it asked us to wait; no call was made", back_office=self._back_office, retry_after=wait)
            reply = await self._http.request("GET", path, params=params)
            try:
                self._refuse_errors(reply)
            except Busy as busy:
                pause = PAUSE_SECONDS if busy.retry_after is None else busy.retry_after
                self._closed_until = max(self._closed_until, self._now() + pause)
                raise
        if not decode(reply.body, Answer).success:
            raise Upstream("the answer says success: false", back_office=self._back_office)
        return decode(reply.body, wanted)

    async def pages(self, path: str, wanted: type[P], params: QueryParams = ()) -> AsyncIterator[P]:
        """Ask for a list page by page, as many as the answers say there are. Raises as `get`."""
        number = 1
        while True:
            paging = [("limit", str(PAGE_SIZE)), ("page", str(number))]
            page = await self.get(path, wanted, [*params, *paging])
            yield page
            if page.pagination is None:
                return
            if page.pagination.current_page != number:
                raise BadReply("pagination: another page came than was asked for", back_office=self._back_office)
            if page.pagination.total_page_count <= number:
                return
            if page.pagination.total_page_count > MAX_PAGES:
                raise BadReply(f"pagination: more than {MAX_PAGES} pages", back_office=self._back_office)
            number += 1

    async def close(self) -> None:
        """Close every connection."""
        await self._http.close()

    @staticmethod
    def _refuse_errors(reply: HttpReply) -> None:
        if reply.status == 404:
            try:
                decode(reply.body, Answer)
            except BadReply:
                pass  # A page of the web server's: the address is wrong, not the id.
            else:
                raise Unknown("HTTP 404: there is no such object", back_office=reply.back_office)
        reply.refuse_errors()
