"""Everything that is kept, in front of one back office, and answers of each age."""

from typing import Any

from bff.plugins import BackOfficeSettings, GuardSettings
from bff.sources import Ages, Cache, Freshness, MemoryTier, Read, Sections, Sources, Storage, route
from bff.sources.tier import Entry, Place
from tests.fakes.back_offices import NOW, FakeBackOffice, profile
from tests.sources.conftest import Watch
from tests.sources.virtual_time import now

FRESH, STALE, DEAD = 100.0, 200.0, 1_000.0

AGES = Ages(fresh_seconds=FRESH, stale_seconds=STALE, on_error_seconds=DEAD)

WELL_FRESH, WELL_STALE, OLD, GONE = 80.0, 150.0, 300.0, 1_001.0
"""Ages well inside each class, whatever the jitter."""

SECTIONS = Sections(profile="erp", orders="erp", bonuses="erp", favorites="erp", products="erp", offers=("erp",))


class Desk:
    """Everything that is kept, in front of one back office; its clock and its cache are at hand."""

    def __init__(self, **replies: Any) -> None:
        self.watch = Watch()
        self.watch.now = NOW
        self.office = FakeBackOffice(**replies)
        self.tier = MemoryTier(max_entries=1_000, max_bytes=10_000_000, clock=self.watch)
        self.cache = Cache([self.tier], self.watch)
        freshness = Freshness(**dict.fromkeys(Freshness.model_fields, AGES))
        guard = GuardSettings(retry_share=0, breaker_least_calls=1_000)
        self.sources: Sources = route(
            SECTIONS,
            {"erp": self.office.adapter()},
            self.watch,
            settings={"erp": BackOfficeSettings(adapter="fake", address="https://erp.invalid", pool=1, guard=guard)},
            storage=Storage(self.cache, freshness, "shop"),
        )

    def read(self, name: str) -> Read[Any, Any]:
        found = self.sources.offers[0].promotions if name == "promotions" else getattr(self.sources, name)
        assert found is not None
        return found

    async def get(self, *keys: Any, name: str = "profiles", seconds: float = 5.0) -> dict[Any, Any]:
        return await self.read(name)(keys, deadline=now() + seconds)

    async def profile(self, customer: str = "c-1") -> Any:
        return (await self.get(customer))[customer]

    def asked(self, name: str = "profiles") -> int:
        return len(self.office.asked(name))

    def place(self, key: Any = "c-1", name: str = "profiles") -> Place:
        keeping = self.read(name)._keeping
        assert keeping is not None
        return keeping.place(key)

    async def tamper(self, place: Place, entry: Entry) -> None:
        await self.tier.put({place: entry}, await self.tier.marks(place.tags))

    async def entry(self, place: Place) -> Entry:
        (found,) = await self.tier.get([place])
        assert found is not None
        return found


def named(name: str) -> Any:
    return lambda keys: {key: profile(key, name) for key in keys}


async def aged(seconds: float, reply: Any = None) -> Desk:
    """A profile of that age is kept, and the back office answers differently by now."""
    desk = Desk(profiles=named("Анна"))
    await desk.profile()
    desk.watch.move(seconds)
    desk.office.replies["profiles"] = named("Вера") if reply is None else reply
    return desk


ANNA = profile("c-1", "Анна")

VERA = profile("c-1", "Вера")
