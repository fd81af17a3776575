"""Time, injected: tests of expiry do not sleep."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import TypeAlias

Clock: TypeAlias = Callable[[], datetime]
"""Says what time it is, with an offset."""


def utc_now() -> datetime:
    """The machine's clock."""
    return datetime.now(UTC)
