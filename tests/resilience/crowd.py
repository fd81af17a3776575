"""Customers by the hundred, on raw sockets that can be left in the middle of a request; and what each must see."""

import asyncio
from functools import cached_property
from typing import Any
from urllib.parse import urlsplit

import orjson

from bff.demo.data import bonuses, goods, orders, people
from bff.demo.data.favorites import favorites
from bff.demo.data.people import customer_id, person
from bff.demo.data.world import World
from bff.demo.run import demo_settings
from bff.demo.secret import demo_secret
from bff.identity import sign_token
from bff.schema.ids import global_id
from tests.patience import PATIENCE_SECONDS

QUERY = """
query Race {
  dashboard {
    profile { displayName phone email stale }
    lastOrder { id number total { amount } lines { name product { id name } } stale }
    bonuses { balance pending expirations { amount expiresOn } stale }
    favorites(first: 12) { totalCount nodes { id name } stale }
    offers(first: 50) { nodes { kind title } stale }
  }
}
"""


class Left(Exception):
    """The server closed the connection without an answer."""


def fresh_tokens(numbers: range) -> dict[int, str]:
    """A token of each customer."""
    identity = demo_settings().settings.identity
    assert identity is not None
    return {
        number: sign_token(demo_secret(), customer_id(number), issuer=identity.issuer, audience=identity.audience)
        for number in numbers
    }


def _request(token: str) -> bytes:
    body = orjson.dumps({"query": QUERY})
    head = (
        "POST /graphql HTTP/1.1\r\nHost: cabinet\r\nContent-Type: application/json\r\n"
        f"Authorization: Bearer {token}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


class Phone:
    """One connection, kept open from request to request until it is left."""

    def __init__(self, address: str) -> None:
        parts = urlsplit(address)
        self._host, self._port = parts.hostname, parts.port
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def ask(self, token: str) -> dict[str, Any]:
        """A whole answer. Raises `Left` where the connection was closed before it."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            await self._send(_request(token))
            assert self._streams is not None
            reader, _ = self._streams
            try:
                head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
                length = int(head.partition("content-length:")[2].partition("\r\n")[0])
                answer: dict[str, Any] = orjson.loads(await reader.readexactly(length))
            except (asyncio.IncompleteReadError, ConnectionError):
                self.hang_up()
                raise Left from None
        return answer

    async def ask_and_leave(self, token: str, *, after_seconds: float, part: float = 1.0) -> None:
        """Send (a part of) a request, and close the connection without waiting for the answer."""
        request = _request(token)
        await self._send(request[: max(1, round(len(request) * part))])
        await asyncio.sleep(after_seconds)
        self.hang_up()

    def hang_up(self) -> None:
        """Close at once, whatever is under way."""
        if self._streams is not None:
            self._streams[1].transport.abort()
            self._streams = None

    async def _send(self, data: bytes) -> None:
        if self._streams is None or self._streams[1].is_closing():
            self._streams = await asyncio.open_connection(self._host, self._port)
        self._streams[1].write(data)


class Marks:
    """What is to be seen of a customer, by the demo's own books."""

    def __init__(self, world: World, number: int) -> None:
        self._world = world
        self._number = number

    def foreign(self, dashboard: dict[str, Any]) -> dict[str, Any]:
        """By section, what is not this customer's. A section that is null shows nothing."""
        shown = {
            "profile": self._profile_of,
            "lastOrder": self._order_of,
            "bonuses": self._bonuses_of,
            "favorites": self._favorites_of,
            "offers": self._offers_of,
        }
        found = {name: shown[name](section) for name, section in dashboard.items() if section is not None}
        return {name: marks for name, marks in found.items() if marks != self._expected[name]}

    @cached_property
    def _expected(self) -> dict[str, Any]:
        world, number = self._world, self._number
        who = person(world, number)
        latest = orders.latest(world, number, 1)
        account = bonuses.account(world, number) if bonuses.has_account(world, number) else None
        discount = bonuses.personal_discount(world, number)
        marked = [int(favorite.product_id.removeprefix("p-")) for favorite in favorites(world, number)]
        return {
            "profile": (" ".join(filter(None, (who.first_name, who.last_name))), who.phone, who.email),
            "lastOrder": [
                (global_id("Order", order.id), order.number, str(order.total), [line.name for line in order.lines])
                for order in latest
            ],
            "bonuses": None
            if account is None
            else (
                float(account.amount),
                float(sum(lot.amount for lot in account.pending)),
                [(float(lot.amount), lot.on.isoformat()) for lot in account.burning],
            ),
            "favorites": (
                len(marked),
                [(global_id("Product", f"p-{each}"), goods.product(world, each).name) for each in marked[:12]],
            ),
            "offers": [f"Персональная скидка {discount} %"] if discount else [],
        }

    def _profile_of(self, shown: dict[str, Any]) -> Any:
        return shown["displayName"], shown["phone"], shown["email"]

    def _order_of(self, shown: dict[str, Any]) -> Any:
        lines = [line["name"] for line in shown["lines"]]
        assert all(line["product"] is None or line["product"]["id"] for line in shown["lines"])
        return [(shown["id"], shown["number"], shown["total"]["amount"], lines)]

    def _bonuses_of(self, shown: dict[str, Any]) -> Any:
        burning = [(float(lot["amount"]), lot["expiresOn"]) for lot in shown["expirations"]]
        return float(shown["balance"]), float(shown["pending"]), burning

    def _favorites_of(self, shown: dict[str, Any]) -> Any:
        total, products = self._expected["favorites"]
        nodes = [(node["id"], node["name"]) for node in shown["nodes"]]
        # Products that the catalogue could not give are missing, and an error beside the list says so.
        theirs = set(products)
        in_order = sorted(nodes, key=lambda node: products.index(node) if node in theirs else -1)
        same = nodes == in_order and theirs.issuperset(nodes)
        return shown["totalCount"], products if same and shown["totalCount"] == total else nodes

    def _offers_of(self, shown: dict[str, Any]) -> Any:
        titles = [offer["title"] for offer in shown["nodes"] if offer["kind"] == "PERSONAL"]
        # Where the loyalty system is away its offers are missing, and an error beside the list says so.
        return titles or self._expected["offers"]


def crowd(world: World, count: int) -> dict[int, Marks]:
    """So many customers by number, and what each must see."""
    return {number: Marks(world, number) for number in range(people.FIRST, people.FIRST + count)}
