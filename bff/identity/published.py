"""What an OpenID provider publishes about itself: its metadata and its keys. Fetched when needed, and kept."""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from math import inf
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import structlog
from joserfc.jwk import KeySet

from bff.errors import BackOfficeError, BadReply, Code, KabinetError
from bff.http import HttpClient, HttpClients, HttpLimits, HttpReply
from bff.identity.keys import PUBLIC_KEY_ALGORITHMS, SigningKeys, public_keys
from bff.plugins import address_fault

log = structlog.get_logger("kabinet.identity")

LIMITS: Final = HttpLimits(total_seconds=5.0, connect_seconds=2.0, max_reply_bytes=256_000, connections=4)

AGAIN_SECONDS: Final = 30.0
"""How often one whose documents we have is asked again at most: by an unknown key id, or after a failure."""

FIRST_AGAIN_SECONDS: Final = 2.0
"""The same, for as long as we have nothing at all: nobody gets in meanwhile."""


class KeysUnavailable(KabinetError):
    """There are no keys to check tokens with. The token may be good: its bearer should keep it, and ask later."""

    code = Code.UNAVAILABLE


class ProviderHttp:
    """Calls to one provider, whose documents may name other hosts. Redirects are not followed."""

    def __init__(
        self,
        clients: HttpClients,
        name: str,
        *,
        address: str,
        ca_file: Path | None = None,
        allow_plain_http: bool = False,
    ) -> None:
        """`address` is the one of the settings: where it has TLS, nothing that its documents name goes without."""
        self._clients = clients
        self.name = name
        self._ca_file = ca_file
        self._allow_plain_http = allow_plain_http
        self._tls_only = urlsplit(address).scheme == "https"
        self._open: dict[str, HttpClient] = {}

    def may_call(self, url: str) -> bool:
        """Whether a URL, out of the provider's documents, is one that we call, and send browsers to."""
        if self._tls_only and not url.startswith("https://"):
            return False
        return address_fault(url.partition("?")[0], allow_plain_http=self._allow_plain_http) is None

    async def request(
        self, method: str, url: str, *, headers: Mapping[str, str] | None = None, body: bytes | None = None
    ) -> HttpReply:
        """Send a request, and read the whole answer, whatever its status. Raises errors of `bff.errors`."""
        if not self.may_call(url):
            raise BadReply("its documents name an address that we do not call", back_office=self.name)
        parts = urlsplit(url)
        origin = f"{parts.scheme}://{parts.netloc}"
        if origin not in self._open:
            self._open[origin] = self._clients.open(self.name, origin, LIMITS, ca_file=self._ca_file)
        return await self._open[origin].request(method, url[len(origin) :], headers=headers, body=body)

    async def document(self, url: str, headers: Mapping[str, str] | None = None) -> Mapping[str, Any]:
        """Fetch a JSON object. Raises errors of `bff.errors`."""
        reply = await self.request("GET", url, headers={"Accept": "application/json", **(headers or {})})
        reply.refuse_errors()
        return json_object(reply)

    async def close(self) -> None:
        """Close every connection."""
        for client in self._open.values():
            await client.close()


def json_object(reply: HttpReply) -> Mapping[str, Any]:
    """The JSON object that an answer is; `BadReply` where it is none."""
    try:
        found = json.loads(reply.body)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise BadReply("the answer is not a JSON object", back_office=reply.back_office)
    return found


@dataclass(frozen=True, slots=True)
class Documents:
    """What was published: `keys`, and the `metadata` of OpenID discovery (empty where only keys were asked for)."""

    keys: KeySet
    metadata: Mapping[str, Any]
    raw_keys: Mapping[str, Any] = field(repr=False)


async def from_discovery(http: ProviderHttp, issuer: str) -> Documents:
    """Fetch the metadata (OpenID Connect Discovery, 4), and the keys that it names."""
    metadata = await http.document(issuer.rstrip("/") + "/.well-known/openid-configuration")
    if metadata.get("issuer") != issuer:
        # Else one provider could speak for another (4.3).
        raise BadReply("its metadata names another issuer", back_office=http.name)
    address = metadata.get("jwks_uri")
    if not isinstance(address, str):
        raise BadReply("its metadata names no keys", back_office=http.name)
    return await _with_keys(http, address, metadata)


async def from_jwks_url(http: ProviderHttp, url: str) -> Documents:
    """Fetch the keys alone."""
    return await _with_keys(http, url, {})


async def _with_keys(http: ProviderHttp, url: str, metadata: Mapping[str, Any]) -> Documents:
    raw = await http.document(url)
    try:
        return Documents(public_keys(raw), metadata, raw)
    except ValueError as error:
        raise BadReply(f"its document of keys {error}", back_office=http.name) from None


class Published:
    """
    The documents of one provider, as `Keys` too. Safe to use from many tasks at once: they share one fetch.

    What was good is kept when the provider is down, for as long as it takes. `monotonic` gives seconds.
    """

    algorithms = PUBLIC_KEY_ALGORITHMS

    def __init__(
        self,
        http: ProviderHttp,
        fetch: Callable[[], Awaitable[Documents]],
        *,
        refresh_seconds: float,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.http = http
        self._fetch = fetch
        self._refresh_seconds = refresh_seconds
        self._monotonic = monotonic
        self._documents: Documents | None = None
        self._good_until = -inf
        self._asked = -inf
        self._fetching: asyncio.Task[None] | None = None

    def at_hand(self) -> KeySet | None:
        """The last good keys. Where they are old, newer ones are fetched meanwhile."""
        if self._documents is None:
            return None
        if self._monotonic() >= self._good_until:
            self._begin()
        return self._documents.keys

    async def newer(self, than: SigningKeys | None) -> SigningKeys | None:
        """See `Keys`: a fetch that is under way is shared, and another one begins at most once in 30 s."""
        if self._documents is None or self._documents.keys is than:
            await self._fetched()
        documents = self._known()
        return None if documents.keys is than else documents.keys

    async def documents(self) -> Documents:
        """The last good documents; `KeysUnavailable` where there never were any."""
        if self.at_hand() is None:
            await self._fetched()
        return self._known()

    async def close(self) -> None:
        """Stop fetching, and close connections."""
        if self._fetching is not None:
            self._fetching.cancel()
            await asyncio.wait([self._fetching])
        await self.http.close()

    def _known(self) -> Documents:
        if self._documents is None:
            raise KeysUnavailable(f"{self.http.name}: no keys could be fetched yet")
        return self._documents

    async def _fetched(self) -> None:
        self._begin()
        if self._fetching is not None:
            # Who waits may go away; the fetch is for everybody.
            await asyncio.shield(self._fetching)

    def _begin(self) -> None:
        if self._fetching is not None:
            return
        pause = FIRST_AGAIN_SECONDS if self._documents is None else AGAIN_SECONDS
        if self._monotonic() - self._asked >= pause:
            self._asked = self._monotonic()
            self._fetching = asyncio.get_running_loop().create_task(self._run())

    async def _run(self) -> None:
        try:
            documents = await self._fetch()
        except BackOfficeError as error:
            log.warning(
                "provider's keys not fetched",
                provider=self.http.name,
                error=str(error),
                kept=self._documents is not None,
            )
            return
        finally:
            self._fetching = None
        self._good_until = self._monotonic() + self._refresh_seconds
        if self._documents is not None and self._documents.raw_keys == documents.raw_keys:
            # The keys stay the same object: who remembers what they verified need not forget it.
            documents = replace(documents, keys=self._documents.keys)
        self._documents = documents
