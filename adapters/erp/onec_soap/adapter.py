"""The adapter: files, checked against each other, and a client become ports."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from adapters.erp.onec_soap.answers import SESSION_FAULTS, Answers
from adapters.erp.onec_soap.client import Client, sign_in
from adapters.erp.onec_soap.envelope import can_be_asked
from adapters.erp.onec_soap.mapping import Calls, load_calls
from adapters.erp.onec_soap.settings import OneCSettings
from bff.errors import BadReply
from bff.http import HttpClients
from bff.mapping import MappedPorts, MappingFile
from bff.plugins import Adapter


class OneCAdapter:
    """Asks and does what the mapping describes."""

    def __init__(self, back_office: str, calls: Calls, client: Client) -> None:
        self._back_office = back_office
        self._calls = calls
        self._client = client

    async def ask(self, name: str, keys: Sequence[str]) -> Any:
        """Make one call. Keys that cannot be sent as themselves are not asked for: they are absent from the answer."""
        read = self._calls.reads[name]
        asked = [key for key in keys if can_be_asked(key, read.joined)]
        if keys and not asked:
            return {}
        return await self._client.call(read, asked)

    async def do(self, name: str, arguments: Mapping[str, str | None]) -> Any:
        """Make one write. Arguments are texts that XML can hold."""
        return await self._client.write(self._calls.writes[name], arguments)

    async def check(self) -> str:
        """Compare the live WSDL with the mapping. Raises errors of `bff.errors`; `BadReply` lists what is missing."""
        needed = {call.operation.name for call in (*self._calls.reads.values(), *self._calls.writes.values())}
        live = await self._client.operations()
        if missing := sorted(needed - live):
            raise BadReply(
                f"the live WSDL has no operation {', '.join(missing)}, which the mapping names",
                back_office=self._back_office,
            )
        operations = "1 operation" if len(live) == 1 else f"{len(live)} operations"
        return f"its WSDL has {operations}, among them all {len(needed)} that the mapping names"


def build(back_office: str, settings: OneCSettings, clients: HttpClients) -> Adapter:
    """Make the adapter; talks to nobody. Raises `SettingsFault` with every fault of mapping and WSDL."""
    mapping, calls = load_calls(settings)
    return connect(back_office, settings, mapping, calls, clients)


def connect(
    back_office: str, settings: OneCSettings, mapping: MappingFile, calls: Calls, clients: HttpClients
) -> Adapter:
    """Make the adapter of files that are read already."""
    answers = Answers(
        session_faults=(*SESSION_FAULTS, *mapping.session_faults),
        refusals=[(fault.contains, fault.code) for fault in mapping.faults],
    )
    # Beside the pool's calls there may be as many that were left: see `Client`.
    connections = 2 * settings.pool
    http, writing = (
        clients.open(
            back_office,
            settings.address,
            replace(limits, connections=connections),
            headers=sign_in(settings),
            ca_file=settings.ca_file,
        )
        for limits in (settings.limits, settings.write_limits)
    )
    client = Client(back_office, settings, http, answers, writing=writing)
    adapter = OneCAdapter(back_office, calls, client)
    batches = {name: read.batch for name, read in calls.reads.items()}
    ports = MappedPorts(adapter.ask, batches, back_office, do=adapter.do, writes=calls.writes)
    return Adapter(check=adapter.check, close=client.close, **ports.served())
