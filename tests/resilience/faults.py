"""What can be wrong with a connection: the values that a `FaultProxy` is set to. Times are in milliseconds."""

import ssl
from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Latency:
    """Each answer begins so much later, give or take up to the jitter; then it flows at full speed."""

    milliseconds: float
    jitter: float = 0.0


@dataclass(frozen=True, slots=True)
class Bandwidth:
    """Answers come at no more than so many bytes a second, in pieces of a fiftieth of a second."""

    bytes_per_second: float


@dataclass(frozen=True, slots=True)
class Drip:
    """Answers come byte by byte, with this pause after each."""

    milliseconds: float


@dataclass(frozen=True, slots=True)
class Reset:
    """
    The connection is reset (RST): at once, open ones and new ones alike, or after so many bytes of an answer.

    `after_bytes=0` is the moment at which the answer would begin: the upstream has got the whole request.
    """

    after_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class Cut:
    """After so many bytes of an answer the connection is closed in good order (FIN)."""

    after_bytes: int


@dataclass(frozen=True, slots=True)
class Hang:
    """
    Connections are accepted and requests are read, and no answer comes.

    With `delivers` the upstream gets the request and only its answer is held back (a write has then happened);
    without, it gets nothing. A connection whose request was swallowed is reset at the next change.
    """

    delivers: bool = False


@dataclass(frozen=True, slots=True)
class BlackHole:
    """Nothing comes back, not even to a SYN; open connections are silent. What is under way arrives after healing."""


@dataclass(frozen=True, slots=True)
class Refuse:
    """Nobody listens: connecting is refused at once, and open connections are reset, as where a process has died."""


@dataclass(frozen=True, slots=True)
class ForeignCertificate:
    """TLS with another certificate: that of `context`, or one that nobody has signed. Open connections are reset."""

    context: ssl.SSLContext | None = None


@dataclass(frozen=True, slots=True)
class PlainBytes:
    """Whatever a client says first, it gets these bytes, unencrypted, and the end. Open connections are reset."""

    content: bytes = b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"


Fault: TypeAlias = (
    Latency | Bandwidth | Drip | Reset | Cut | Hang | BlackHole | Refuse | ForeignCertificate | PlainBytes
)
