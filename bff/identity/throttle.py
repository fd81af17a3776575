"""Limits that count in the store: the same for all processes, and after a restart."""

import ipaddress
import math
from dataclasses import dataclass

from bff.identity.store import Store
from bff.identity.subkeys import as_text, keyed_hash

NO_NETWORK = "unknown"


@dataclass(frozen=True, slots=True)
class Limit:
    """No more than `most` in `window` seconds, which begin with the first."""

    name: str
    most: int
    window: float


class Throttle:
    """Counts by limit and subject. Subjects stand in the store as keyed hashes only."""

    def __init__(self, store: Store, key: bytes) -> None:
        self._store = store
        self._key = key

    async def wait(self, limit: Limit, subject: str) -> int:
        """Whole seconds until there is room for one more; 0 where there is now. Counts nothing."""
        count = await self._store.count(self._name(limit, subject), window=limit.window, by=0)
        return whole(count.resets_in) if count.number >= limit.most else 0

    async def take(self, limit: Limit, subject: str) -> int:
        """Count one more, and say 0; whole seconds until the window ends where that is one too many."""
        count = await self._store.count(self._name(limit, subject), window=limit.window)
        return whole(count.resets_in) if count.number > limit.most else 0

    def _name(self, limit: Limit, subject: str) -> str:
        return f"limit:{as_text(keyed_hash(self._key, limit.name, subject)[:18])}"


def whole(seconds: float) -> int:
    """Seconds to tell somebody who has to wait: at least 1, and never too few."""
    return max(1, math.ceil(seconds))


def network_of(address: str | None) -> str:
    """
    The network that an address is counted with: an IPv4 address itself, the /64 of an IPv6 address.

    A customer has a whole /64 to choose from. What is no address shares one count: nobody escapes by having none.
    """
    try:
        # The edge says a network, `2001:db8::/64`; who has an address gives that.
        ip = ipaddress.ip_interface(address or "").ip
    except ValueError:
        return NO_NETWORK
    if isinstance(ip, ipaddress.IPv4Address):
        return str(ip)
    if ip.ipv4_mapped is not None:
        return str(ip.ipv4_mapped)
    return str(ipaddress.IPv6Network((int(ip), 64), strict=False))
