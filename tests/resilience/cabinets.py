"""Demo offices, each behind a hostile proxy and a fault proxy, and cabinets before them."""

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

from bff.app import assemble
from bff.demo.launch import DemoOffice, DemoOffices, OfficeName
from bff.demo.run import demo_settings, serving
from bff.domain.clock import Clock, utc_now
from tests.http.front import Front
from tests.patience import patient
from tests.resilience.fault_proxy import FaultProxy, fault_proxy
from tests.resilience.hostile import HostileOffice, hostile


@dataclass(frozen=True, slots=True)
class Place:
    """Where a back office stands: the cabinet meets the fault proxy, behind it the hostile one, and the office last."""

    office: DemoOffice
    hostile: HostileOffice
    proxy: FaultProxy

    @property
    def name(self) -> OfficeName:
        """``erp``, ``loyalty`` or ``cms``."""
        return self.office.name

    @property
    def seen(self) -> DemoOffice:
        """The office as the cabinet is told of it: at the proxy's address."""
        return DemoOffice(self.name, self.office.process, self.proxy.port)

    def reset(self) -> None:
        """Heal everything and zero every counter."""
        self.proxy.heal()
        self.hostile.reset()
        self.office.faults()
        self.office.reset()


Places = Mapping[str, Place]
"""The three, by name."""


@contextmanager
def placed(offices: DemoOffices) -> Iterator[Places]:
    """Put both proxies before each office for as long as the context lasts."""
    with ExitStack() as stack:
        places: dict[str, Place] = {}
        for office in offices:
            bad = stack.enter_context(hostile("127.0.0.1", office.port))
            proxy = stack.enter_context(fault_proxy("127.0.0.1", bad.port))
            places[office.name] = Place(office, bad, proxy)
        yield places


class Cabinets:
    """
    Starts cabinets: each is new, with nothing in any cache or memory, and costs some 15 ms.

    They are stopped behind the tests' back (uvicorn takes 0.2 s to notice), at the latest at the end of the run.
    """

    def __init__(self, places: Places, stopping: ThreadPoolExecutor) -> None:
        self._places = places
        self._stopping = stopping
        self._running = ExitStack()

    def start(
        self,
        *,
        clock: Clock = utc_now,
        places: Places | None = None,
        back_offices: Mapping[str, Mapping[str, Any]] = {},
    ) -> Front:
        """Serve a new, patient cabinet, and give a front end of it. `back_offices` goes over their settings."""
        offices = [place.seen for place in (places or self._places).values()]
        loaded = demo_settings(offices, over=patient(back_offices=back_offices))
        return Front(self._running.enter_context(serving(assemble(loaded, clock=clock))))

    def stop(self) -> None:
        """Have all of them stopped soon."""
        self._stopping.submit(self._running.pop_all().close)


StartCabinet = Callable[..., Front]
"""`Cabinets.start`."""
