"""
Memory of one process that keeps 10,000 customers' main screens.

    python -m bench.memory [--customers 10000]

The demo has 2,000 customers. Their real answers are put into a memory tier as often as it takes, each under names of
its own, beside everything that a running service has loaded.
"""

import argparse
import asyncio
import gc
import os
from pathlib import Path
from typing import Any

import msgspec

from bff.app import Cabinet, assemble, create_app
from bff.demo.launch import demo_offices
from bff.demo.run import demo_settings
from bff.domain import BonusAccount, CustomerId
from bff.domain.clock import utc_now
from bff.sources.memory import MemoryTier
from bff.sources.tier import Entry, Place

KNOWN = range(1001, 3001)

SECTIONS = {
    "profiles": "profile",
    "latest_orders": "orders",
    "bonus_accounts": "bonuses",
    "pending_bonuses": "bonuses",
    "bonus_expirations": "bonuses",
    "favorites": "favorites",
    "personal_offers": "offers",
}
OFFICES = {read: {"favorites": "cms"}.get(read, "loyalty" if "bonus" in read else "erp") for read in SECTIONS}


def resident_megabytes() -> float:
    """What the kernel says that this process has in memory."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1_000_000


async def bodies(cabinet: Cabinet) -> list[dict[str, bytes]]:
    """Every demo customer's answers as the cache encodes them, by the read's name."""
    erp, loyalty, cms = (cabinet.adapters[name] for name in ("erp", "loyalty", "cms"))
    assert erp.profiles
    assert erp.orders
    assert loyalty.bonuses
    assert loyalty.bonus_details
    assert loyalty.personal_offers
    assert cms.favorites
    customers = [CustomerId(f"c-{number}") for number in KNOWN]
    accounts = await loyalty.bonuses.bonus_accounts(customers)
    good = [account for account in accounts.values() if isinstance(account, BonusAccount)]
    found: dict[str, Any] = {
        "profiles": await erp.profiles.profiles(customers),
        "latest_orders": await erp.orders.latest_orders(customers),
        "bonus_accounts": accounts,
        "pending_bonuses": await loyalty.bonus_details.pending_bonuses(good),
        "bonus_expirations": await loyalty.bonus_details.bonus_expirations(good),
        "favorites": await cms.favorites.favorites(customers),
        "personal_offers": await loyalty.personal_offers.personal_offers(customers),
    }
    encode = msgspec.msgpack.Encoder().encode
    return [
        {read: encode(answers[customer]) for read, answers in found.items() if customer in answers}
        for customer in customers
    ]


async def fill(tier: MemoryTier, kept: list[dict[str, bytes]], customers: int) -> None:
    """
    Store each customer's answers.

    Every body, tag and time is an object of its own, as it is when an answer has come off the wire: see
    `bff.sources.routing` for the places, `bff.sources.read` for the entries.
    """
    for number in range(customers):
        name = f"c-{number}"
        entries = {}
        for read, body in kept[number % len(kept)].items():
            place = Place(f"shop:{read}:{OFFICES[read]}:{name}", (f"customer:{name}", f"{SECTIONS[read]}:{name}"))
            as_of = utc_now().timestamp()
            times = (as_of, as_of + 30.0, as_of + 300.0, as_of + 86_400.0)
            entries[place] = Entry(bytes(bytearray(body)), name, *times, cost=as_of / 1e10)
        await tier.put(entries, await tier.marks([tag for place in entries for tag in place.tags]))


def main() -> None:
    """Measure and print."""
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--customers", type=int, default=10_000)
    asked = arguments.parse_args()

    async def measure() -> None:
        with demo_offices() as offices:
            patient = {office.name: {"timeout_ms": 60_000} for office in offices}
            cabinet = assemble(demo_settings(offices, over={"back_offices": patient}))
            create_app(cabinet)
            gc.collect()
            started = resident_megabytes()
            kept = await bodies(cabinet)
            gc.collect()
            before = resident_megabytes()
            tier = MemoryTier(max_entries=10_000_000, max_bytes=10_000_000_000, clock=utc_now)
            await fill(tier, kept, asked.customers)
            gc.collect()
            came = resident_megabytes() - before
            print(f"a service without a customer: {started:.0f} MB resident")
            print(f"{asked.customers} customers, {len(tier)} answers: {came:.0f} MB more")
            print(f"by the tier's own account: {tier.bytes / 1_000_000:.0f} MB")
            print(f"together: {started + came:.0f} MB")
            await cabinet.close()

    asyncio.run(measure())


if __name__ == "__main__":
    main()
