"""The adapter: a mapping file and a client become ports."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from adapters.cms.rest.client import RestClient
from adapters.cms.rest.mapping import RequestTable
from adapters.cms.rest.settings import RestSettings
from bff.domain import OfferList
from bff.http import HttpClients
from bff.mapping import Dialect, MappedPorts, MappedRead, Reading, compile_reads, load_mapping, parse_json
from bff.plugins import Adapter, SettingsFault

LARGE_BODY_BYTES = 100_000
"""What is larger is decoded in a thread, so that other calls are served meanwhile."""

_UNLIKELY_KEY = "kabinet-check"


def _decode(reading: Reading, body: bytes) -> Any:
    return reading.decode(parse_json(body))


class RestAdapter:
    """Asks what the mapping file describes."""

    def __init__(self, reads: Mapping[str, MappedRead[RequestTable]], client: RestClient) -> None:
        self._reads = reads
        self._client = client

    async def ask(self, read: str, keys: Sequence[str]) -> Any:
        """Make one call. Keys that cannot be sent as themselves are not asked for: they are absent from the answer."""
        request, reading = self._reads[read].request, self._reads[read].reading
        sendable = [key for key in keys if request.takes(key)]
        if keys and not sendable:
            return {}
        reply = await self._client.get(request.request(sendable))
        if reply.status in request.unknown_statuses:
            return {}
        reply.refuse_errors()
        if len(reply.body) > LARGE_BODY_BYTES:
            return await asyncio.to_thread(_decode, reading, reply.body)
        return _decode(reading, reply.body)

    async def check(self) -> str:
        """Ask for something harmless: what needs no key, else a key that is hardly there."""
        if "promotions" in self._reads:
            offers: OfferList = await self.ask("promotions", ())
            return f"promotions answered with {len(offers.offers)} offers, {offers.rejected} of them unreadable"
        read = next(iter(self._reads))
        found = await self.ask(read, [_UNLIKELY_KEY])
        return f"{read} answered; it knows {len(found)} of the one key {_UNLIKELY_KEY!r}"


def build(name: str, settings: RestSettings, clients: HttpClients) -> Adapter:
    """Make the adapter. Raises `SettingsFault` with every fault of the mapping file."""
    mapping = load_mapping(settings.mapping)
    faults = [
        f"{settings.mapping.name}: {table}: this adapter reads no error texts; leave it out"
        for table in ("faults", "session_faults")
        if getattr(mapping, table)
    ]
    faults += [
        f"{settings.mapping.name}: {table}: this adapter writes nothing, and so registers nobody; leave it out"
        for table, there in (("writes", bool(mapping.writes)), ("reads.find", "find" in mapping.reads))
        if there
    ]
    try:
        reads = compile_reads(mapping, Dialect.JSON, RequestTable, file=settings.mapping.name)
    except SettingsFault as fault:
        raise SettingsFault(faults + fault.faults) from None
    if faults:
        raise SettingsFault(faults)
    http = clients.open(name, settings.address, settings.limits, headers=settings.headers, ca_file=settings.ca_file)
    client = RestClient(http, pool=settings.pool)
    adapter = RestAdapter(reads, client)
    batches = {read: 1 if mapped.request.style == "single" else settings.batch for read, mapped in reads.items()}
    ports = MappedPorts(adapter.ask, batches, name)
    return Adapter(check=adapter.check, close=client.close, **ports.served())
