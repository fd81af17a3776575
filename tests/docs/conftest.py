"""A demo of a fixed day, started once."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest
import structlog

import adapters.messages.log.sender
from bff.app import Cabinet, assemble
from bff.demo.launch import DemoOffices, demo_offices
from bff.demo.run import demo_settings, demo_token, serving
from bff.domain.clock import utc_now
from tests.docs.runner import Demo
from tests.docs.warm import warm_kabinet
from tests.patience import OFFICES, patient, until

TODAY = date(2026, 11, 21)

LIMITS_MS = 5_000
"""A busy machine is no failure; and what hangs in a document's example does not do so for long."""

OVER = patient(server={"dashboard_ms": LIMITS_MS}, back_offices={name: {"timeout_ms": LIMITS_MS} for name in OFFICES})


@pytest.fixture(scope="package")
def _state(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The demo's signing secret: not the one of whoever runs the tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("state")))
        yield


@dataclass(slots=True)
class Ahead:
    """The time of the demo, ahead of this machine's."""

    by: timedelta = timedelta()

    def __call__(self) -> datetime:
        return utc_now() + self.by

    def later(self, seconds: float) -> None:
        """Let seconds pass, at once."""
        self.by += timedelta(seconds=seconds)


@pytest.fixture(scope="package")
def clock() -> Ahead:
    return Ahead()


@pytest.fixture(scope="package")
def running(_state: None, clock: Ahead) -> Iterator[tuple[DemoOffices, Cabinet, int]]:
    with demo_offices(today=TODAY) as offices:
        cabinet = assemble(demo_settings(offices, over=OVER), clock=clock)
        with serving(cabinet) as address:
            yield offices, cabinet, int(address.rpartition(":")[2])


@pytest.fixture(scope="package")
def kabinet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder of a `kabinet` that starts at once."""
    with warm_kabinet(tmp_path_factory.mktemp("warm")) as folder:
        yield folder


@pytest.fixture
def printed(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The demo's log as far as documents need it: codes. The demo is part of this process, whose log is the tests'."""
    file = tmp_path_factory.mktemp("log") / "demo.log"
    with file.open("w", encoding="utf-8") as opened:
        to_file = structlog.wrap_logger(
            structlog.PrintLogger(opened), processors=[structlog.dev.ConsoleRenderer(colors=False)]
        )
        monkeypatch.setattr(adapters.messages.log.sender, "log", to_file)
        yield file


@pytest.fixture
def demo(running: tuple[DemoOffices, Cabinet, int], kabinet: Path, printed: Path, clock: Ahead) -> Demo:
    """The demo, in good health."""
    offices, cabinet, port = running
    sign_in = cabinet.door.sign_in
    assert sign_in is not None

    def reset() -> None:
        for office in offices:
            office.faults()
            office.reset()

    reset()
    ports = {8000: port}
    ports |= {written: office.port for written, office in zip((8001, 8002, 8003), offices, strict=True)}
    sent = partial(until, lambda: not sign_in.sends_under_way, "messages are not sent")
    return Demo(ports, demo_token, reset, kabinet, printed, sent, clock.later)
