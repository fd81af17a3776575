"""
What a cabinet that costs nothing would take: a dashboard's calls, asked for again by bare sockets.

The adapters make each call once, through a relay that writes down what they send; then only the sockets are left.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import islice
from typing import Any

from bench.load import Connections, Load
from bff.app import assemble
from bff.demo.launch import DemoOffice, DemoOffices
from bff.demo.run import demo_settings
from bff.domain import BonusAccount, CustomerId
from bff.plugins import Adapter

PAGE = 12
"""Favorites of which a dashboard shows the products, where it does not say how many."""

Stage = list[bytes]
"""Calls that go out side by side."""

Chain = tuple[str, list[Stage]]
"""A back office, and the stages of which each needs the one before."""


class BareCabinet:
    """Nothing but the calls of customers' dashboards, in turn."""

    def __init__(self, offices: DemoOffices, dashboards: Sequence[Sequence[Chain]]) -> None:
        self._connections = {str(office.name): Connections(office.address) for office in offices}
        self._dashboards = dashboards
        self._next = 0

    async def dashboard(self) -> bytes:
        """The next customer's."""
        chains = self._dashboards[self._next % len(self._dashboards)]
        self._next += 1
        await asyncio.gather(*(self._chain(*chain) for chain in chains))
        return b""

    async def call_ms(self, office: DemoOffice, times: int = 60) -> float:
        """How long one of a back office's calls takes by itself; the median of so many."""
        calls = (stages[0][0] for chains in self._dashboards for name, stages in chains if name == office.name)
        load = Load()
        for call in islice(calls, times):
            begun = time.perf_counter()
            await self._connections[office.name].send(call)
            load.milliseconds.append((time.perf_counter() - begun) * 1000)
        return load.percentile(0.5)

    def close(self) -> None:
        """Hang up."""
        for connections in self._connections.values():
            connections.close()

    async def _chain(self, office: str, stages: Sequence[Stage]) -> None:
        for stage in stages:
            await asyncio.gather(*(self._connections[office].send(call) for call in stage))


@asynccontextmanager
async def bare_cabinet(offices: DemoOffices, numbers: range) -> AsyncIterator[BareCabinet]:
    """Write down the calls of these customers' dashboards, and have them ready."""
    async with AsyncExitStack() as open_things:
        relays = [_Relay(office) for office in offices]
        behind = [await open_things.enter_async_context(relay.open()) for relay in relays]
        cabinet = assemble(demo_settings(behind))
        open_things.push_async_callback(cabinet.close)  # not before: with it 1C's session goes
        writer = _Writer(cabinet.adapters, relays)
        await writer.chains(CustomerId(f"c-{numbers[0]}"))  # the session is opened
        bare = BareCabinet(offices, [await writer.chains(CustomerId(f"c-{number}")) for number in numbers])
        open_things.callback(bare.close)
        yield bare


class _Relay:
    """Hands on what it gets, and keeps what was sent to the back office."""

    def __init__(self, office: DemoOffice) -> None:
        self._office = office
        self._sent: list[bytes] = []

    @asynccontextmanager
    async def open(self) -> AsyncIterator[DemoOffice]:
        """The office, as it is reached by way of this."""
        async with await asyncio.start_server(self._connected, "127.0.0.1", 0) as server:
            yield DemoOffice(self._office.name, self._office.process, server.sockets[0].getsockname()[1])

    def take(self) -> bytes:
        """What was sent since the last time."""
        taken = b"".join(self._sent)
        self._sent.clear()
        return taken

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        answers, office = await asyncio.open_connection("127.0.0.1", self._office.port)
        await asyncio.gather(self._pump(reader, office, self._sent.append), self._pump(answers, writer))

    @staticmethod
    async def _pump(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter, note: Callable[[bytes], None] = lambda _: None
    ) -> None:
        while piece := await reader.read(65_536):
            note(piece)
            writer.write(piece)
        writer.close()


class _Writer:
    """Writes down what the demo's dashboard asks for: its five sections, side by side."""

    def __init__(self, adapters: Mapping[str, Adapter], relays: Sequence[_Relay]) -> None:
        self._erp: Any = adapters["erp"]
        self._loyalty: Any = adapters["loyalty"]
        self._cms: Any = adapters["cms"]
        self._relays = relays

    async def chains(self, customer: CustomerId) -> list[Chain]:
        """A customer's."""
        profile, _ = await self._call(self._erp.profiles.profiles, [customer])
        order, _ = await self._call(self._erp.orders.latest_orders, [customer])
        bonuses, accounts = await self._call(self._loyalty.bonuses.bonus_accounts, [customer])
        details: Stage = []
        if isinstance(account := accounts[customer], BonusAccount):  # who is not in the programme has none
            pending, _ = await self._call(self._loyalty.bonus_details.pending_bonuses, [account])
            expirations, _ = await self._call(self._loyalty.bonus_details.bonus_expirations, [account])
            details = [pending, expirations]
        personal, _ = await self._call(self._loyalty.personal_offers.personal_offers, [customer])
        favorites, found = await self._call(self._cms.favorites.favorites, [customer])
        products: Stage = []
        if ids := found[customer].products[:PAGE]:
            products = [(await self._call(self._cms.products.products, ids))[0]]
        promotions, _ = await self._call(self._cms.promotions.promotions)
        return [
            ("erp", [[profile]]),
            ("erp", [[order]]),
            ("loyalty", [[bonuses], details]),
            ("cms", [[favorites], products]),
            ("loyalty", [[personal]]),
            ("cms", [[promotions]]),
        ]

    async def _call(self, ask: Callable[..., Awaitable[Any]], *keys: Any) -> tuple[bytes, Any]:
        answer = await ask(*keys)
        return b"".join(relay.take() for relay in self._relays), answer
