"""
How long tests wait for what must come, and settings under which nothing but a fault is a matter of time.

No test that succeeds waits so long. A machine that does other things, too, may make one wait for seconds.
"""

import time
from collections.abc import Callable, Mapping
from typing import Any, Final

from bff.config import merge

PATIENCE_SECONDS: Final = 30.0
PATIENT_MS: Final = 30_000

PATIENT: Final[Mapping[str, Any]] = {"timeout_ms": PATIENT_MS, "connect_timeout_ms": PATIENT_MS}
"""Limits of a back office that a busy machine does not reach."""

OFFICES: Final = ("erp", "loyalty", "cms")
"""The demo's back offices."""


def patient(**over: Any) -> dict[str, Any]:
    """The demo's settings where a busy machine is no failure, and what goes over them. Breakers let go soon."""
    settings: dict[str, Any] = {
        "server": {"dashboard_ms": PATIENT_MS},
        "back_offices": {name: {**PATIENT, "guard": {"breaker_open_seconds": 0.05}} for name in OFFICES},
    }
    merge(settings, over)
    return settings


def until(condition: Callable[[], object], what: str = "it does not come about", *, pause: float = 0.005) -> None:
    """Wait for what others bring about, looking every `pause` seconds. Raises `AssertionError` with `what`."""
    give_up = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < give_up, what
        time.sleep(pause)
