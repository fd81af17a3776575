"""What a store can do, what it raises, and what it takes."""

from dataclasses import dataclass
from typing import Final, Protocol

from bff.errors import Code, KabinetError

MAX_VALUE_BYTES: Final = 65_536
MAX_KEY_BYTES: Final = 512
LONGEST_SECONDS: Final = 10 * 366 * 86_400.0
"""The longest lifetime and the longest window."""
MAX_STEP: Final = 1_000_000
"""So much one count may add."""


class StoreUnavailable(KabinetError):
    """
    The store gave no answer: away, hung, full, locked, not open or not ours. The message has no key and no value.

    Whether a swap or a count happened is then not known: read before it is done again.
    """

    code = Code.UNAVAILABLE


@dataclass(frozen=True, slots=True)
class Count:
    """What stands in a window."""

    number: int
    """After this count."""
    resets_in: float
    """Seconds until the window ends; 0.0 where none has begun."""


class Store(Protocol):
    """
    Small values and counters that outlive the process. Each operation is atomic among all processes that share it.

    Keys are 1 to `MAX_KEY_BYTES` bytes of UTF-8; a value and a counter may have the same key and know nothing of each
    other. Neither keys nor values hold a phone, a mail address or a secret in clear. Every method raises
    `StoreUnavailable`; `ValueError` is for arguments out of range. What a cancelled caller asked for may happen or not.
    """

    async def open(self) -> None:
        """Connect, and see that it can be used."""
        ...

    async def close(self) -> None:
        """Finish what was asked for, and let go; a second time nothing happens."""
        ...

    async def get(self, key: str) -> bytes | None:
        """The value; None where there is none, or where its lifetime is over."""
        ...

    async def swap(self, key: str, old: bytes | None, new: bytes | None, *, lifetime: float = 0.0) -> bool:
        """
        Put `new` where `old` stands, and say True once it is durable; where anything else stands, change nothing.

        None is absence, expiry included. `lifetime` is in seconds from now, more than 0 where `new` is a value, and
        begins anew with each swap. A value has up to `MAX_VALUE_BYTES`.
        """
        ...

    async def count(self, key: str, *, window: float, by: int = 1) -> Count:
        """
        Add `by` to the counter; 0 only reads.

        The window, in seconds, begins with its first count and ends by itself; the next count begins another one.
        With a window that has become shorter (the settings changed), no more than the shorter one is left.
        """
        ...


def checked_key(key: str) -> bytes:
    """The key as bytes, half surrogate pairs too. Raises `ValueError` where it is empty or too long."""
    # JSON may smuggle half a surrogate pair into a text; that is no reason to fail in a store.
    raw = key.encode(errors="surrogatepass")
    if not 0 < len(raw) <= MAX_KEY_BYTES:
        raise ValueError(f"a key has 1 to {MAX_KEY_BYTES} bytes, not {len(raw)}")
    return raw


def check_value(value: bytes | None, lifetime: float) -> None:
    """Raise `ValueError` where a value that is to be stored is too long, or its lifetime is none."""
    if value is None:
        return
    if len(value) > MAX_VALUE_BYTES:
        raise ValueError(f"a value has up to {MAX_VALUE_BYTES} bytes, not {len(value)}")
    # Not-a-number is outside too.
    if not 0.0 < lifetime <= LONGEST_SECONDS:
        raise ValueError(f"a lifetime is more than 0 and up to {LONGEST_SECONDS} seconds, not {lifetime}")


def check_count(window: float, by: int) -> None:
    """Raise `ValueError` where there is no such window or step."""
    if not 0.0 < window <= LONGEST_SECONDS:
        raise ValueError(f"a window is more than 0 and up to {LONGEST_SECONDS} seconds, not {window}")
    if not 0 <= by <= MAX_STEP:
        raise ValueError(f"a count adds 0 to {MAX_STEP}, not {by}")
