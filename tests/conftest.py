"""What every test may use."""

import pytest
from hypothesis import HealthCheck, settings

# An example that takes long on a busy machine is no failure. What else CI has of its own stays.
settings.register_profile(
    "patient",
    settings.get_profile(settings.get_current_profile_name()),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("patient")


@pytest.fixture
def anyio_backend() -> str:
    """Asynchronous tests run on asyncio, as the service does."""
    return "asyncio"
