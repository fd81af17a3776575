"""
The one module that makes HTTP clients.

It adds what the client library does not have: a total deadline (a drip of one byte now and then passes every
per-read timeout), a cap on the *decoded* bytes, no cookies kept between calls, no redirects, and errors of
`bff.errors` in which nothing of a body, a query or a credential stands.
"""

import asyncio
import ssl
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import TypeAlias
from urllib.parse import urlencode, urlsplit

import aiohttp
from aiohttp.connector import Connection
from yarl import URL

from bff import __version__
from bff.domain.clock import Clock, utc_now
from bff.errors import BadReply, Busy, ConnectionLost, SignInRefused, TimedOut, TooLarge, Unavailable, Upstream

QueryParams: TypeAlias = Sequence[tuple[str, str]]

KEEP_ALIVE_SECONDS = 4.0
"""Shorter than the five seconds after which common servers close: we leave first, so no call meets a closing door."""

MAX_RETRY_AFTER_SECONDS = 300.0

_PIECE_BYTES = 65_536
"""How much is decompressed at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpLimits:
    """What a client keeps to. `total_seconds` covers waiting for a connection, the request and the whole answer."""

    total_seconds: float = 1.2
    connect_seconds: float = 0.3
    max_reply_bytes: int = 8_000_000
    connections: int = 8


@dataclass(frozen=True, slots=True)
class HttpReply:
    """A whole answer: names of `headers` in lower case, `body` decoded. Neither prints: they hold personal data."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    back_office: str
    retry_after: float | None = None
    """Seconds, capped, where the answer held `Retry-After`."""

    def refuse_errors(self) -> None:
        """Raise what the status means, where it does not mean success."""
        where = self.back_office
        match self.status:
            case status if 200 <= status < 300:
                return
            case 401 | 403:
                raise SignInRefused(f"HTTP {self.status}: our credentials were refused", back_office=where)
            case 429 | 503:
                raise Busy(f"HTTP {self.status}: asked to slow down", back_office=where, retry_after=self.retry_after)
            case status if 300 <= status < 400:
                raise BadReply(f"HTTP {status}: redirects are not followed; is `address` right?", back_office=where)
            case status:
                raise Upstream(f"HTTP {status}", back_office=where)


class HttpClient:
    """Calls to one back office. Safe to use from many tasks of one event loop at once."""

    def __init__(
        self,
        address: str,
        *,
        back_office: str,
        limits: HttpLimits,
        headers: Mapping[str, str],
        tls: ssl.SSLContext | None,
        clock: Clock,
    ) -> None:
        self._address = str(URL(address)).rstrip("/")
        self._itself = URL(self._address, encoded=True)
        self._back_office = back_office
        self._limits = limits
        self._headers = headers
        self._tls = tls
        self._clock = clock
        self._session: aiohttp.ClientSession | None = None

    async def request(
        self,
        method: str,
        path: str = "",
        *,
        params: QueryParams = (),
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
    ) -> HttpReply:
        """
        Send a request to the address plus `path`, percent-encoded, and read the whole answer, whatever its status.

        Raises `Unavailable` (`ConnectionLost` where the request may have arrived), `TimedOut`, `BadReply` (no HTTP, cut
        short, or in an unknown encoding) or `TooLarge`.
        """
        where = self._back_office
        query = f"?{urlencode(params)}" if params else ""
        # One of RPC is always the same: taking it apart again costs more than all else here.
        target = URL(f"{self._address}{path}{query}", encoded=True) if path or query else self._itself
        response: aiohttp.ClientResponse | None = None
        try:
            async with asyncio.timeout(self._limits.total_seconds):
                response = await self._send(method, target, headers, body)
                content = await self._read(response)
        except aiohttp.ConnectionTimeoutError as error:
            raise Unavailable(f"no connection within {self._limits.connect_seconds:g} s", back_office=where) from error
        except TimeoutError as error:
            raise TimedOut(f"no whole answer within {self._limits.total_seconds:g} s", back_office=where) from error
        except aiohttp.ClientResponseError:
            raise BadReply("the answer is not HTTP", back_office=where) from None
        except _Lost as lost:
            raise ConnectionLost(f"no answer ({type(lost.__cause__).__name__})", back_office=where) from None
        except aiohttp.ClientError as error:
            # The library's own text may hold an address with a query: only the kind of error is kept.
            kind = type(error).__name__
            if response is not None:
                raise BadReply(f"the answer was cut short ({kind})", back_office=where) from None
            raise Unavailable(f"no answer ({kind})", back_office=where) from None
        finally:
            if response is not None:
                # An answer read to its end has given its connection back by itself; any other one is broken off.
                response.close()
        return HttpReply(
            status=response.status,
            headers=_merged(response.headers),
            body=content,
            back_office=where,
            retry_after=self._retry_after(response.headers.get("retry-after")),
        )

    async def close(self) -> None:
        """Close every connection."""
        if self._session is not None:
            await self._session.close()

    async def _send(
        self, method: str, url: URL, headers: Mapping[str, str] | None, body: bytes | None
    ) -> aiohttp.ClientResponse:
        # The library wants a running loop to make its session in, and clients are made before there is one.
        session = self._session or self._open_session()
        while True:
            try:
                return await session.request(method, url, headers=headers, data=body, allow_redirects=False)
            except _Spoilt:
                # Nothing was sent, and the connection is gone: another one, then. There are `connections` at most.
                continue

    def _open_session(self) -> aiohttp.ClientSession:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                limit=self._limits.connections,
                keepalive_timeout=KEEP_ALIVE_SECONDS,
                resolver=aiohttp.ThreadedResolver(),
                ssl=True if self._tls is None else self._tls,
            ),
            headers=self._headers,
            skip_auto_headers=("Content-Type",),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=self._limits.connect_seconds),
            # A cookie kept in a shared jar is one session used by every call at once; who needs cookies sends its own.
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            trust_env=False,
            request_class=_Request,
            middlewares=(_once,),
        )
        return self._session

    async def _read(self, response: aiohttp.ClientResponse) -> bytes:
        cap = self._limits.max_reply_bytes
        too_large = TooLarge(f"the answer is larger than {cap} bytes", back_office=self._back_office)
        declared = response.headers.get("content-length", "")
        if declared.isascii() and declared.isdigit() and int(declared[:20]) > cap:
            raise too_large
        decoder = self._decoder(response.headers.get("content-encoding", "identity"))
        content = bytearray()
        received = False
        async for chunk in response.content.iter_any():
            received = received or bool(chunk)
            if decoder is None:
                content += chunk
            else:
                try:
                    for piece in _inflated(decoder, chunk, cap + 1 - len(content)):
                        content += piece
                except zlib.error:
                    raise BadReply("the compressed answer is broken", back_office=self._back_office) from None
                if decoder.unused_data:
                    # The decoder would keep whatever follows, without a limit, and nobody would see it.
                    raise BadReply("the compressed answer goes on behind its end", back_office=self._back_office)
            if len(content) > cap:
                # Whoever keeps the error, as the breaker does, keeps the frames of its traceback: not with a body.
                content.clear()
                raise too_large
        # An answer without a body (a 204, a bare 503) may name an encoding all the same.
        if decoder is not None and received and not decoder.eof:
            raise BadReply("the compressed answer was cut short", back_office=self._back_office)
        return bytes(content)

    def _decoder(self, encoding: str) -> "zlib._Decompress | None":
        match encoding.strip().lower():
            case "identity" | "":
                return None
            case "gzip" | "x-gzip" | "deflate":
                return zlib.decompressobj(wbits=47)  # 32 + 15: a gzip or zlib header, whichever comes
        raise BadReply("the answer is in an encoding that was not asked for", back_office=self._back_office)

    def _retry_after(self, value: str | None) -> float | None:
        """Read `Retry-After` (RFC 9110, 10.2.3): seconds, or a date."""
        if value is None:
            return None
        try:
            seconds = (
                float(value) if value.isdigit() else (parsedate_to_datetime(value) - self._clock()).total_seconds()
            )
        except (ValueError, TypeError, OverflowError):
            return None
        return min(max(seconds, 0.0), MAX_RETRY_AFTER_SECONDS)


def _inflated(decoder: "zlib._Decompress", chunk: bytes, most: int) -> Iterator[bytes]:
    """What a chunk holds, up to `most` bytes, piece by piece: one call would hold all of it a second time."""
    while most > 0:
        wanted = min(_PIECE_BYTES, most)
        piece = decoder.decompress(chunk, wanted)
        yield piece
        most -= len(piece)
        chunk = decoder.unconsumed_tail
        # Output that found no room may be pending although all input has been taken in.
        if not chunk and len(piece) < wanted:
            return


class _Spoilt(aiohttp.ClientError):
    """A connection that was kept holds bytes that nobody asked for. Nothing was sent on it."""


class _Lost(aiohttp.ClientError):
    """The connection broke before an answer began; the request may have arrived. The cause says how."""


class _Request(aiohttp.ClientRequest):
    """A request that goes out only on a clean connection."""

    async def send(self, conn: Connection) -> aiohttp.ClientResponse:
        """Refuse what came unasked: it would be taken for the answer to this very request."""
        if conn.protocol is None or conn.protocol.should_close:
            raise _Spoilt
        return await super().send(conn)


async def _once(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
    """Keep the library from sending a request twice, as it would; what may be sent again is for the guard to say."""
    try:
        return await handler(request)
    except (aiohttp.ClientConnectorError, aiohttp.ServerTimeoutError):
        raise
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
        raise _Lost from error


def _merged(headers: Mapping[str, str]) -> dict[str, str]:
    """Names in lower case; a header that comes several times is one, its values joined by commas (RFC 9110, 5.3)."""
    merged: dict[str, str] = {}
    for name, value in headers.items():
        key = name.lower()
        merged[key] = f"{merged[key]}, {value}" if key in merged else value
    return merged


class HttpClients:
    """Makes the clients of a service; the composition root has one and hands it to the adapters."""

    def __init__(self, clock: Clock = utc_now) -> None:
        self._clock = clock
        self._tls: dict[Path | None, ssl.SSLContext] = {}

    def open(
        self,
        back_office: str,
        address: str,
        limits: HttpLimits,
        *,
        headers: Mapping[str, str] | None = None,
        ca_file: Path | None = None,
    ) -> HttpClient:
        """
        Make a client for one back office; it connects on the first call.

        `headers` go with every call and are never logged. `ca_file` (PEM) is trusted instead of the system's
        authorities; certificates and host names are always verified.
        """
        return HttpClient(
            address,
            back_office=back_office,
            limits=limits,
            headers={"User-Agent": f"kabinet/{__version__}", "Accept-Encoding": "gzip", **(headers or {})},
            # By the scheme as a URL's reader sees it: `HTTPS://` is TLS too, and must not go unverified.
            tls=None if urlsplit(address).scheme == "http" else self._tls_context(ca_file),
            clock=self._clock,
        )

    def _tls_context(self, ca_file: Path | None) -> ssl.SSLContext:
        if ca_file not in self._tls:
            self._tls[ca_file] = ssl.create_default_context(cafile=str(ca_file) if ca_file else None)
        return self._tls[ca_file]
