"""Starts offices as processes of their own, and talks to their control paths.

Starting takes less than a second and blocks, so that it serves a pytest fixture of any scope as well as the command
line before its loop runs::

    with demo_offices(erp={"pool": 4}) as offices:
        offices.erp.faults(fail="hang", operation="ПолучитьЗаказы")
        ...
        assert offices.erp.calls()["ПолучитьЗаказы"] == 1
"""

import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import date
from http.client import HTTPConnection
from threading import Timer
from typing import Literal

import orjson

from bff.demo.faults import Failure

OfficeName = Literal["erp", "loyalty", "cms"]
Options = Mapping[str, str | int | float]
"""Options of an office as on its command line: ``{"call_ms": 40}`` is ``--call-ms 40``."""

_NAMES: tuple[OfficeName, ...] = ("erp", "loyalty", "cms")
_PATHS = {"erp": "/shop/ws/cabinet.1cws", "loyalty": "", "cms": ""}
_CONTROL_SECONDS = 30.0


class OfficeNotStarted(RuntimeError):
    """An office did not come up; the text says which and why."""


class DemoOffice:
    """A running office."""

    def __init__(self, name: OfficeName, process: subprocess.Popen[bytes], port: int) -> None:
        self.name = name
        self.process = process
        self.port = port

    @property
    def address(self) -> str:
        """``http://127.0.0.1:8001``."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def service(self) -> str:
        """The address an adapter is given: the ERP's service, the root of the others."""
        return self.address + _PATHS[self.name]

    def calls(self) -> Counter[str]:
        """Return how often each operation was called since the last reset."""
        return Counter(self._control("GET", "calls"))

    def reset(self) -> None:
        """Zero the counters (and the ERP's high-water mark); faults stay as they are."""
        self._control("POST", "reset")

    def faults(self, *, fail: Failure | None = None, latency_ms: float = 0, operation: str | None = None) -> None:
        """Make the office fail in this way from now on; without arguments, make it well again.

        Raises:
            ValueError: the office has no such operation or failure.
        """
        self._control("POST", "faults", {"fail": fail, "latency_ms": latency_ms, "operation": operation})

    def stats(self) -> dict[str, int]:
        """Return what else the office counts; the ERP: ``sessions``, ``in_flight``, ``most_in_flight``."""
        return self._control("GET", "stats")

    def kill(self) -> None:
        """Kill the process without a warning, and wait until it is gone."""
        self.process.kill()
        self.process.wait()

    def stop(self) -> None:
        """Let the process end; it may have ended already."""
        if self.process.stdin is not None:
            self.process.stdin.close()
        try:
            self.process.wait(timeout=2)
        except subprocess.TimeoutExpired:
            self.kill()
        if self.process.stdout is not None:
            self.process.stdout.close()

    def _control(self, method: str, what: str, values: object = None) -> dict[str, int]:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=_CONTROL_SECONDS)
        try:
            connection.request(method, f"/_demo/{what}", None if values is None else orjson.dumps(values))
            response = connection.getresponse()
            body = response.read()
        finally:
            connection.close()
        answer: dict[str, int] = orjson.loads(body) if body else {}
        if response.status >= 400:
            raise ValueError(f"the demo's {self.name} refused {method} /_demo/{what}: {answer}")
        return answer


@dataclass(frozen=True, slots=True)
class DemoOffices:
    """All three of them."""

    erp: DemoOffice
    loyalty: DemoOffice
    cms: DemoOffice

    def __iter__(self) -> Iterator[DemoOffice]:
        """Iterate over erp, loyalty, cms."""
        return iter((self.erp, self.loyalty, self.cms))


@contextmanager
def demo_offices(
    *,
    ports: tuple[int, int, int] = (0, 0, 0),
    seed: int = 1,
    today: date | None = None,
    erp: Options | None = None,
    loyalty: Options | None = None,
    cms: Options | None = None,
    start_seconds: float = 15,
) -> Iterator[DemoOffices]:
    """Run the three offices for as long as the context lasts.

    Args:
        ports: of erp, loyalty, cms; 0 takes a free one.
        seed: which invented shop.
        today: the shop's day; None is today in Moscow.
        erp, loyalty, cms: options of that office.
        start_seconds: how long to wait for each.

    Raises:
        OfficeNotStarted: one did not come up; the others have been stopped.
    """
    common: dict[str, str | int | float] = {"seed": seed, **({} if today is None else {"today": today.isoformat()})}
    with ExitStack() as stack:
        # All are started before the first is waited for: they come up side by side.
        starting = [
            stack.enter_context(_process(name, {**common, **(options or {}), "port": port}))
            for name, options, port in zip(_NAMES, (erp, loyalty, cms), ports, strict=True)
        ]
        offices = []
        for name, process in zip(_NAMES, starting, strict=True):
            office = _wait_until_up(name, process, start_seconds)
            stack.callback(office.stop)
            offices.append(office)
        yield DemoOffices(*offices)


@contextmanager
def demo_office(
    name: OfficeName, *, port: int = 0, options: Options | None = None, start_seconds: float = 15
) -> Iterator[DemoOffice]:
    """Run one office for as long as the context lasts; see `demo_offices`."""
    with _process(name, {**(options or {}), "port": port}) as process:
        office = _wait_until_up(name, process, start_seconds)
        try:
            yield office
        finally:
            office.stop()


@contextmanager
def _process(name: OfficeName, options: Options) -> Iterator[subprocess.Popen[bytes]]:
    """Start an office; see to it that it is gone afterwards, whatever happens."""
    words = [word for key, value in options.items() for word in (f"--{key.replace('_', '-')}", str(value))]
    process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
        [sys.executable, "-m", "bff.demo", name, *words],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        # Ctrl-C in a terminal goes to all processes of a session: an office ends when we end it.
        start_new_session=True,
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                pipe.close()


def _wait_until_up(name: OfficeName, process: subprocess.Popen[bytes], seconds: float) -> DemoOffice:
    """Read the one line that the office prints, or raise OfficeNotStarted."""
    if process.stdout is None:
        raise TypeError("the process must be started with stdout=PIPE")
    too_late = Timer(seconds, process.kill)
    too_late.start()
    try:
        line = process.stdout.readline()
    finally:
        too_late.cancel()
    if not line:
        status = process.wait()
        raise OfficeNotStarted(
            f"the demo's {name} ended (status {status}) before it was up, or was not up within {seconds:g} s; "
            "what it wrote to stderr says more"
        )
    said = orjson.loads(line)
    if "error" in said:
        raise OfficeNotStarted(f"the demo's {name} did not start: {said['error']}")
    return DemoOffice(name, process, said["port"])
