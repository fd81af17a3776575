"""Calls to a 1C web service: headers, sessions, one more try where a session was lost."""

import asyncio
import logging
import secrets
from base64 import b64encode
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from functools import lru_cache
from typing import Any
from urllib.parse import quote

from adapters.erp.onec_soap.answers import Answers, SessionLost
from adapters.erp.onec_soap.mapping import Call, Read, Write
from adapters.erp.onec_soap.sessions import Slot, Slots, cookie_header, cookie_of
from adapters.erp.onec_soap.settings import OneCSettings
from adapters.erp.onec_soap.wsdl import Operation
from bff.errors import BackOfficeError, BadReply, Busy
from bff.http import HttpClient, HttpReply
from bff.mapping import parse_xml

logger = logging.getLogger(__name__)

_LARGE_BYTES = 100_000
"""An answer above this is parsed and decoded in a thread: a millisecond or more that the loop need not stand still."""

_FAREWELL_SECONDS = 1.0
"""How long closing may take to tell 1C that our sessions are over. What is not told, ages out there."""

Pause = Callable[[], Awaitable[None]]

_ACTION_SAFE = "".join(chr(code) for code in range(0x21, 0x7F) if chr(code) not in '"\\')


async def short_pause() -> None:
    """Wait 20 to 80 ms: after a 406, another call may just be giving its session back."""
    await asyncio.sleep(0.02 + secrets.randbelow(60) / 1000)


def sign_in(settings: OneCSettings) -> Mapping[str, str]:
    """Basic sign-in in UTF-8 (RFC 7617, 2.1): 1C's users have Cyrillic names."""
    credentials = f"{settings.user}:{settings.password.get_secret_value()}".encode()
    return {"Authorization": f"Basic {b64encode(credentials).decode()}"}


@lru_cache(maxsize=256)
def soap_headers(operation: Operation, soap: str) -> Mapping[str, str]:
    """What a call sends beside sign-in and session. Headers are ASCII: a Cyrillic action goes percent-encoded."""
    action = quote(operation.action, safe=_ACTION_SAFE)
    if soap == "1.1":
        return {"Content-Type": "text/xml; charset=utf-8", "SOAPAction": f'"{action}"'}
    parameter = f'; action="{action}"' if action else ""
    return {"Content-Type": f"application/soap+xml; charset=utf-8{parameter}"}


class Client:
    """
    Calls to one service, at most `pool` of them in flight.

    Nothing here times how long a call waits for its slot: the caller has a deadline and cancels. Writes go by
    `writing`, which gives them more time; without it, by `http`, too. Calls that would open a session and were left
    before it had a name go on beside those in flight, at most `pool` of them.
    """

    def __init__(
        self,
        back_office: str,
        settings: OneCSettings,
        http: HttpClient,
        answers: Answers,
        pause: Pause = short_pause,
        *,
        writing: HttpClient | None = None,
    ) -> None:
        self._back_office = back_office
        self._soap = settings.soap
        self._reuse = settings.sessions == "reuse"
        self._http = http
        self._writing = writing or http
        self._answers = answers
        self._pause = pause
        self._slots = Slots(settings.pool)
        self._pool = settings.pool
        self._left: dict[asyncio.Future[HttpReply], None] = {}
        """Calls that nobody waits for any more, but whose answers will name sessions; the oldest first."""

    async def call(self, read: Read, keys: Sequence[str]) -> Any:
        """
        Make one call and decode its answer. A lost session is replaced and the call made again, once.

        Raises errors of `bff.errors`; they get the back office's name from the ports.
        """
        request = read.envelope.fill(keys)
        async with self._slots.borrow() as slot:
            return await self._attempts(read, request, slot, self._http)

    async def write(self, write: Write, arguments: Mapping[str, str | None]) -> Any:
        """
        Make one call that changes something, and decode its answer.

        It is made again, once, only where 1C turned it away for want of a session, before it began.
        """
        request = write.form.fill(arguments)
        async with self._slots.borrow() as slot:
            return await self._attempts(write, request, slot, self._writing)

    async def operations(self) -> frozenset[str]:
        """
        Fetch the live WSDL and name the operations in it.

        Raises errors of `bff.errors`; `BadReply` where what comes is not a WSDL.
        """
        async with self._slots.borrow():
            reply = await self._http.request("GET", "?wsdl")
        reply.refuse_errors()
        try:
            root = parse_xml(reply.body)
        except BadReply as error:
            error.back_office = self._back_office
            raise
        port_types = root.findall("{http://schemas.xmlsoap.org/wsdl/}portType")
        if not port_types:
            raise BadReply("what stands at ?wsdl is not a WSDL; is `address` right?", back_office=self._back_office)
        names = (child.get("name") for port_type in port_types for child in port_type)
        return frozenset(name for name in names if name)

    async def close(self) -> None:
        """End our sessions at 1C as far as that is quick, and close every connection."""
        try:
            async with asyncio.timeout(_FAREWELL_SECONDS):
                await asyncio.gather(*map(self._finish, self._slots.take_all()))
                while self._left:
                    await asyncio.wait(self._left, return_when=asyncio.FIRST_COMPLETED)
                    await asyncio.gather(*map(self._finish, self._slots.take_all()))
        except TimeoutError:
            logger.debug("%s: sessions left to age out", self._back_office)
        finally:
            for call in self._left:
                call.cancel()
            await self._http.close()
            await self._writing.close()

    async def _attempts(self, call: Call, request: bytes, slot: Slot, http: HttpClient) -> Any:
        try:
            return await self._attempt(call, request, slot, http)
        except SessionLost as lost:
            first = lost.meaning
            if isinstance(call, Write) and not lost.nothing_done:
                slot.cookie = None
                raise first from None
        logger.debug("%s: session lost", self._back_office)
        await self._replace_session(slot, first)
        try:
            result = await self._attempt(call, request, slot, http)
        except SessionLost as lost:
            slot.cookie = None
            raise (first if isinstance(first, Busy) else lost.meaning) from None
        logger.debug("%s: session regained", self._back_office)
        return result

    async def _replace_session(self, slot: Slot, lost: BackOfficeError) -> None:
        """See that the next attempt has another session: a new one or, where 1C has none to spare, an abandoned one."""
        slot.cookie = None
        if isinstance(lost, Busy):
            slot.cookie = self._slots.reclaim()
            if slot.cookie is None:
                await self._pause_until_one_is_free()
                slot.cookie = self._slots.spare()

    async def _pause_until_one_is_free(self) -> None:
        """Wait for a moment, or less, where a call that was left ends: its session is ours."""
        pause: asyncio.Future[None] = asyncio.ensure_future(self._pause())
        moments: list[asyncio.Future[Any]] = [pause, *self._left]
        try:
            await asyncio.wait(moments, return_when=asyncio.FIRST_COMPLETED)
        finally:
            pause.cancel()

    async def _attempt(self, call: Call, request: bytes, slot: Slot, http: HttpClient) -> Any:
        headers = soap_headers(call.operation, self._soap)
        if self._reuse:
            headers = {**headers, **slot.headers()}
        cookie, slot.cookie = slot.cookie, None
        posting = http.request("POST", headers=headers, body=request)
        try:
            reply = await (self._to_its_end(posting) if self._reuse and not cookie else posting)
        except BaseException:
            # Cancelled, timed out, cut: 1C may still be busy in this session, and the next call would wait behind.
            if cookie:
                self._slots.abandon(cookie)
            raise
        if self._reuse:
            slot.cookie = cookie_of(reply.headers.get("set-cookie")) or cookie
        if len(reply.body) > _LARGE_BYTES:
            return await asyncio.to_thread(self._decode, call, reply)
        return self._decode(call, reply)

    async def _to_its_end(self, posting: Coroutine[Any, Any, HttpReply]) -> HttpReply:
        """
        Make a call that opens a session, and do not end it when its caller leaves.

        Nothing but its answer names the session: 1C would keep one, until it has aged, that nobody can use or finish.
        """
        call = asyncio.ensure_future(posting)
        try:
            return await asyncio.shield(call)
        except asyncio.CancelledError:
            while len(self._left) >= self._pool:
                oldest = next(iter(self._left))
                del self._left[oldest]
                oldest.cancel()
            self._left[call] = None
            call.add_done_callback(self._keep_session_of)
            raise

    def _keep_session_of(self, call: "asyncio.Future[HttpReply]") -> None:
        self._left.pop(call, None)
        if call.cancelled() or call.exception() is not None:
            return
        if cookie := cookie_of(call.result().headers.get("set-cookie")):
            self._slots.keep(cookie)

    def _decode(self, call: Call, reply: HttpReply) -> Any:
        return call.decode(self._answers.payload(reply, call.operation.reply_name))

    async def _finish(self, cookie: str) -> None:
        try:
            await self._http.request("POST", headers={**cookie_header(cookie), "IBSession": "finish"})
        except BackOfficeError:
            logger.debug("%s: a session could not be ended", self._back_office)
