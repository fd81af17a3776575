"""Demo offices, each behind a hostile proxy and a fault proxy, and cabinets before them."""

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from typing import Any

from bff.app import assemble
from bff.config import LoadedSettings
from bff.demo.launch import DemoOffice, DemoOffices, OfficeName
from bff.demo.run import demo_settings, serving
from bff.domain.clock import Clock, utc_now
from tests.http.front import Front
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


def cabinet_settings(
    places: Places, *, back_offices: Mapping[str, Mapping[str, Any]] | None = None, **server: Any
) -> LoadedSettings:
    """The demo's settings for offices at these places. `back_offices` goes over theirs, `server` over the server's."""
    loaded = demo_settings([place.seen for place in places.values()], **server)
    tables = {
        name: {**table, **(back_offices or {}).get(name, {})} for name, table in loaded.settings.back_offices.items()
    }
    return replace(loaded, settings=loaded.settings.model_copy(update={"back_offices": tables}))


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
        back_offices: Mapping[str, Mapping[str, Any]] | None = None,
        **server: Any,
    ) -> Front:
        """Serve a new cabinet, and give a front end of it; see `cabinet_settings`."""
        loaded = cabinet_settings(places or self._places, back_offices=back_offices, **server)
        return Front(self._running.enter_context(serving(assemble(loaded, clock=clock))))

    def stop(self) -> None:
        """Have all of them stopped soon."""
        self._stopping.submit(self._running.pop_all().close)


StartCabinet = Callable[..., Front]
"""`Cabinets.start`."""
