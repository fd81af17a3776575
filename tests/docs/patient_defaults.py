"""
Raises the limits that settings have by themselves: what documents run has no others, and a busy machine is no failure.

A plugin of pytest, too, which is copied beside what documents install.
"""

from typing import Final

from pydantic import BaseModel

from bff.plugins import BackOfficeSettings
from bff.web.server_settings import ServerSettings

LIMIT_MS: Final = 30_000


def raise_limits() -> None:
    """Do it. Models that are made of these must not have been made before."""
    limits: dict[type[BaseModel], tuple[str, ...]] = {
        BackOfficeSettings: ("timeout_ms", "connect_timeout_ms"),
        ServerSettings: ("dashboard_ms",),
    }
    for model, names in limits.items():
        for name in names:
            model.model_fields[name].default = LIMIT_MS
        model.model_rebuild(force=True)


def pytest_configure() -> None:
    raise_limits()
