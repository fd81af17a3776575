"""What an office can be told to do wrong: the value behind ``/_demo/faults``."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal, TypeGuard, get_args

import orjson

Failure = Literal["refuse", "hang", "500", "malformed", "fault", "wrong_owner"]
"""How a call fails.

- ``refuse``: the connection is closed at once, without a byte of an answer;
- ``hang``: no answer, ever;
- ``500``: the page that a web server in front of the office shows;
- ``malformed``: status 200, a right Content-Length, and a body that breaks off;
- ``fault``: the protocol's own technical error;
- ``wrong_owner``: a perfectly valid answer about another customer than the one asked for.
"""

_KEYS = ("latency_ms", "fail", "operation")


class BadFaults(ValueError):
    """The JSON does not describe faults; the text says what is wrong and what would be right."""


@dataclass(frozen=True, slots=True)
class Faults:
    """What goes wrong, for one operation or (None) for all. The default is an office in good health."""

    latency_ms: float = 0
    """Waited before anything else happens, failing included."""
    fail: Failure | None = None
    operation: str | None = None

    def hit(self, operation: str) -> bool:
        """Return whether a call of that operation is concerned."""
        return self.operation in (None, operation)

    @classmethod
    def from_json(cls, text: bytes, operations: Collection[str]) -> "Faults":
        """Read ``{"latency_ms": 300, "fail": "500", "operation": "…"}``; what is not named is not wrong.

        Raises:
            BadFaults: not JSON, an unknown key, a value out of range, or an operation the office does not have:
                a misspelt fault that does nothing would make a test of it pass.
        """
        try:
            values = orjson.loads(text)
        except orjson.JSONDecodeError as error:
            raise BadFaults(f"not JSON: {error}") from None
        if not isinstance(values, dict):
            raise BadFaults(f"expected an object with some of {', '.join(_KEYS)}")
        if unknown := sorted(set(values) - set(_KEYS)):
            raise BadFaults(f"unknown key {unknown[0]!r}; known: {', '.join(_KEYS)}")

        latency_ms, fail, operation = values.get("latency_ms", 0), values.get("fail"), values.get("operation")
        if isinstance(latency_ms, bool) or not isinstance(latency_ms, int | float) or not 0 <= latency_ms <= 600_000:
            raise BadFaults(f"latency_ms is {latency_ms!r}; expected a number of milliseconds, 0 to 600000")
        if fail is not None and not _is_failure(fail):
            raise BadFaults(f"fail is {fail!r}; expected null or one of {', '.join(get_args(Failure))}")
        if operation is not None and not (isinstance(operation, str) and operation in operations):
            raise BadFaults(f"operation is {operation!r}; expected null or one of {', '.join(sorted(operations))}")
        return cls(latency_ms, fail, operation)


def _is_failure(value: object) -> TypeGuard[Failure]:
    return value in get_args(Failure)
