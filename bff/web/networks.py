"""Where a request comes from: the address that connected, or the one that a proxy of ours speaks for."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final

REMEMBERED: Final = 4_096
MAX_BYTES: Final = 1_000
MAX_STEPS: Final = 20
"""Proxies between the client and us; who writes more of them has made them up."""

Address = IPv4Address | IPv6Address


@dataclass(frozen=True, slots=True)
class Network:
    """An IPv4 address, or a /64 of IPv6: what one subscriber has."""

    name: str
    is_loopback: bool
    """It is this machine: a tool, or a proxy that the settings do not name, which speaks for everybody."""


NOWHERE: Final = Network("", is_loopback=True)
"""A socket without an address."""


class Networks:
    """Says which network asks. `X-Forwarded-For` is believed from the `trusted` networks, and from nobody else."""

    def __init__(self, trusted: Iterable[str] = ()) -> None:
        self._trusted = [ip_network(each) for each in trusted]
        self._find = lru_cache(maxsize=REMEMBERED)(self._find_network)

    def of(self, peer: str | None, forwarded_for: bytes | None) -> Network:
        """The network of a request; `peer` is who connected."""
        # What is not looked at must not fill the memory of what has been looked at.
        return self._find(peer, forwarded_for[-MAX_BYTES:] if forwarded_for and self._trusted else None)

    def _find_network(self, peer: str | None, forwarded_for: bytes | None) -> Network:
        address = _address(peer or "")
        if address is None:
            return NOWHERE
        if forwarded_for and self._is_trusted(address):
            # From the right: what stands left of the first stranger is only what he says.
            for text in reversed(forwarded_for.decode("latin-1").split(",")[-MAX_STEPS:]):
                step = _address(text)
                if step is None:
                    break
                address = step
                if not self._is_trusted(address):
                    break
        if isinstance(address, IPv6Address):
            return Network(str(IPv6Network((address, 64), strict=False)), address.is_loopback)
        return Network(str(address), address.is_loopback)

    def _is_trusted(self, address: Address) -> bool:
        return any(address in network for network in self._trusted)


def _address(text: str) -> Address | None:
    text = text.strip().strip('"')
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return address.ipv4_mapped or address if isinstance(address, IPv6Address) else address
