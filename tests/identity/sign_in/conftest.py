"""A front door for each test."""

from collections.abc import AsyncIterator, Callable, Iterator, MutableMapping
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from tests.identity.sign_in.door import Door
from tests.sources.conftest import Watch

MakeDoor = Callable[..., Door]


@pytest.fixture
async def door(tmp_path: Path) -> AsyncIterator[Door]:
    """The front door, open; nobody has come yet."""
    door = Door(tmp_path / "kabinet.sqlite", Watch())
    await door.open()
    yield door
    await door.close()


@pytest.fixture
def logs() -> Iterator[list[MutableMapping[str, Any]]]:
    """What was logged."""
    with capture_logs() as captured:
        yield captured
