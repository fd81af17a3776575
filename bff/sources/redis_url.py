"""
From a Redis address to a client that suits a cache: it gives up early, never tries again, and has few connections.

Accepted are the three forms of redis-py, and for several servers those of `limits` (redis-py itself has none):

    redis://[[user]:password@]host[:6379][/database]
    rediss://…                                              the same over TLS
    unix://[[user]:password@]/path/to/socket[?db=database]
    redis+sentinel://[[user]:password@]host[:26379][,host…]/service[/database]
    redis+cluster://[[user]:password@]host[:6379][,host…]

`rediss+sentinel://` and `rediss+cluster://` are the same over TLS. Special characters of a password are
percent-encoded. Options after `?`: `db`, `ssl_ca_certs`, `ssl_certfile`, `ssl_keyfile`, `ssl_check_hostname`
(true or false), and `sentinel_username`, `sentinel_password` for Sentinels that want their own.
"""

import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import parse_qsl, unquote

from redis.asyncio import Redis, RedisCluster, Sentinel
from redis.asyncio.cluster import ClusterNode
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

CONNECT_SECONDS: Final = 1.0
"""How long setting up a connection may take at the most; a call's own limit is usually much shorter."""

SENTINEL_SECONDS: Final = 0.3
"""How long one Sentinel may take to name the master: a hung one must leave time to ask the next."""

SPARE_CONNECTIONS: Final = 2
"""Beside those for calls: one that listens, one that looks whether Redis is back."""

FORMS: Final = "redis://, rediss://, unix://, redis+sentinel:// or redis+cluster://"

_URL = re.compile(
    r"(?P<scheme>rediss?(?:\+sentinel|\+cluster)?|unix)://"
    r"(?:(?P<username>[^:@/?#]*)(?::(?P<password>[^@/?#]*))?@)?"
    r"(?P<hosts>[^@/?#]*)(?P<path>/[^?#]*)?(?:\?(?P<options>[^#]*))?"
)
_HOST = re.compile(r"(?:\[(?P<v6>[0-9A-Fa-f:.]+)\]|(?P<name>[^:\[\]\s]+))(?::(?P<port>\d{1,5}))?")

_TLS_OPTIONS: Final = frozenset({"ssl_ca_certs", "ssl_certfile", "ssl_keyfile", "ssl_check_hostname"})
_SENTINEL_OPTIONS: Final = frozenset({"sentinel_username", "sentinel_password"})


class BadRedisUrl(ValueError):
    """An address that cannot be used. The message never repeats any of it: a password may be in the wrong place."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RedisClient:
    """A client, and what the tier has to know of it."""

    redis: Redis | RedisCluster
    address: str
    """Where it connects to, for the log: no user, no password."""
    connections: int
    """Calls that may be under way at once."""
    sentinel: Sentinel | None = None

    @property
    def clustered(self) -> bool:
        """Whether keys lie on several servers: then only commands of one key each are possible."""
        return isinstance(self.redis, RedisCluster)

    async def close(self) -> None:
        """Close all connections."""
        for client in (self.redis, self.sentinel):
            if client is not None:
                # They are closed as far as they could be, and nothing is left to be done about it.
                with suppress(Exception):
                    await client.aclose()


def open_client(url: str, *, connections: int = 20) -> RedisClient:
    """A client for an address; it connects when it is first used. Raises `BadRedisUrl`."""
    match = _URL.fullmatch(url)
    if match is None:
        raise BadRedisUrl(f"not a Redis address: expected {FORMS}, a password's special characters percent-encoded")
    scheme, _, kind = match["scheme"].partition("+")
    options = _options(match["options"] or "", scheme, kind)
    settings: dict[str, Any] = {
        "username": unquote(match["username"] or "") or None,
        "password": unquote(match["password"] or "") or None,
        "max_connections": connections + SPARE_CONNECTIONS,
        # RESP 3 switches on "maintenance notifications", and these the check that a pooled connection has no
        # unread reply; RESP 2 also connects in fewer round trips.
        "protocol": 2,
        "driver_info": None,
        # The tier limits whole calls. A time limit for each read and write costs a timer or a task each.
        "socket_timeout": None,
        "retry": Retry(NoBackoff(), 0),
    }
    if scheme == "unix":
        return _unix(match, options, settings, connections)
    if scheme == "rediss":
        settings |= {"ssl": True, "ssl_cert_reqs": "required", "ssl_check_hostname": True}
        settings |= {name: value for name, value in options.items() if name in _TLS_OPTIONS}
    settings["socket_connect_timeout"] = CONNECT_SECONDS
    hosts = _hosts(match["hosts"], 26379 if kind == "sentinel" else 6379)
    path = [unquote(part) for part in (match["path"] or "").strip("/").split("/") if part]
    if kind == "cluster":
        if path or "db" in options:
            raise BadRedisUrl("a Redis Cluster has no databases: the address ends after the hosts")
        nodes = [ClusterNode(host, port) for host, port in hosts]
        cluster = RedisCluster(startup_nodes=nodes, **settings)
        return RedisClient(redis=cluster, address=_address(match, hosts), connections=connections)
    if kind == "sentinel":
        if not path:
            raise BadRedisUrl("the service is missing: redis+sentinel://host:26379/service")
        sentinel = _sentinel(hosts, options, settings)
        master = sentinel.master_for(path[0], db=_database(path[1:], options), **settings)
        address = f"{_address(match, hosts)}/{path[0]}"
        return RedisClient(redis=master, address=address, connections=connections, sentinel=sentinel)
    if len(hosts) > 1:
        raise BadRedisUrl("several hosts: for those it is redis+sentinel:// or redis+cluster://")
    settings["host"], settings["port"] = hosts[0]
    settings["db"] = _database(path, options)
    return RedisClient(redis=Redis(**settings), address=_address(match, hosts), connections=connections)


def _unix(match: re.Match[str], options: Mapping[str, Any], settings: dict[str, Any], connections: int) -> RedisClient:
    if match["hosts"] or not match["path"]:
        raise BadRedisUrl("a socket's address has three slashes and a path: unix:///run/redis.sock")
    path = unquote(match["path"])
    client = Redis(unix_socket_path=path, db=_database([], options), **settings)
    return RedisClient(redis=client, address=f"unix://{path}", connections=connections)


def _sentinel(hosts: list[tuple[str, int]], options: Mapping[str, Any], settings: Mapping[str, Any]) -> Sentinel:
    own = {
        "username": options.get("sentinel_username"),
        "password": options.get("sentinel_password"),
        "protocol": 2,
        "driver_info": None,
        "socket_timeout": SENTINEL_SECONDS,
        "socket_connect_timeout": SENTINEL_SECONDS,
        "retry": Retry(NoBackoff(), 0),
    }
    tls = {name: value for name, value in settings.items() if name.startswith("ssl")}
    return Sentinel(hosts, sentinel_kwargs=own | tls)  # type: ignore[no-untyped-call]


def _address(match: re.Match[str], hosts: list[tuple[str, int]]) -> str:
    names = (f"[{host}]:{port}" if ":" in host else f"{host}:{port}" for host, port in hosts)
    return f"{match['scheme']}://{','.join(names)}"


def _hosts(text: str, port: int) -> list[tuple[str, int]]:
    hosts = []
    for part in text.split(","):
        match = _HOST.fullmatch(part)
        if match is None or not 0 < int(match["port"] or port) < 65_536:
            raise BadRedisUrl("a host is not host or host:port, where the port is a number up to 65535")
        hosts.append((match["v6"] or unquote(match["name"]), int(match["port"] or port)))
    return hosts


def _options(text: str, scheme: str, kind: str) -> dict[str, Any]:
    allowed = {"db"} | (_TLS_OPTIONS if scheme == "rediss" else set())
    allowed |= _SENTINEL_OPTIONS if kind == "sentinel" else set()
    options: dict[str, Any] = dict(parse_qsl(text, keep_blank_values=True))
    if not options.keys() <= allowed:
        raise BadRedisUrl(f"an option is not known; for this form there are: {', '.join(sorted(allowed))}")
    if "ssl_check_hostname" in options:
        if options["ssl_check_hostname"] not in {"true", "false"}:
            raise BadRedisUrl("ssl_check_hostname is true or false")
        options["ssl_check_hostname"] = options["ssl_check_hostname"] == "true"
    return options


def _database(path: list[str], options: Mapping[str, Any]) -> int:
    named = [*path, *([options["db"]] if "db" in options else [])]
    if not named:
        return 0
    if len(named) > 1 or not re.fullmatch(r"[0-9]{1,5}", named[0]):
        raise BadRedisUrl("the database is one number, at the end of the address or as ?db=")
    return int(named[0])
