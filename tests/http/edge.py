"""A client without manners: it writes bytes to the running cabinet's socket, and reads what comes back."""

import json
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

PATIENCE = 60
"""Seconds; for a machine that is busy with other things."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back. `status` is 0 where the connection was closed without an answer."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> dict[str, Any]:
        """The body."""
        found: dict[str, Any] = json.loads(self.body)
        return found

    @property
    def codes(self) -> set[str]:
        """Codes of its errors."""
        return {error["extensions"]["code"] for error in self.json.get("errors", ())}


@dataclass(frozen=True, slots=True)
class Edge:
    """Writes to the cabinet at an address."""

    address: str

    def connect(self) -> socket.socket:
        """Open a connection."""
        host, _, port = self.address.removeprefix("http://").partition(":")
        return socket.create_connection((host, int(port)), timeout=PATIENCE)

    def exchange(self, *parts: bytes) -> Reply:
        """Write, as far as the other side listens, and read one answer."""
        with self.connect() as connection:
            try:
                for part in parts:
                    connection.sendall(part)
            except ConnectionError:
                pass
            return read_reply(connection)

    def post(self, body: bytes | Mapping[str, Any], /, **headers: str) -> Reply:
        """Send one POST to /graphql. Names of headers have `_` for `-`."""
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self.request("POST", "/graphql", raw, **{"Content_Type": "application/json", **headers})

    def request(self, method: str, target: str, body: bytes = b"", /, **headers: str) -> Reply:
        """Send one request."""
        lines = [f"{method} {target} HTTP/1.1"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in {"Host": "cabinet", **headers}.items()]
        if method == "POST":
            lines.append(f"Content-Length: {len(body)}")
        return self.exchange("\r\n".join([*lines, "", ""]).encode("latin-1") + body)


def read_reply(connection: socket.socket) -> Reply:
    """Read one answer."""
    received = b""
    try:
        while b"\r\n\r\n" not in received:
            if not (more := connection.recv(65_536)):
                return Reply(0, {}, b"")
            received += more
        head, _, body = received.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        while len(body) < int(headers.get("content-length", "0")) and (more := connection.recv(65_536)):
            body += more
    except ConnectionError:
        return Reply(0, {}, b"")
    return Reply(int(first.split()[1]), headers, body)
