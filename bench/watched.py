"""
`kabinet` as it is, with a window: on SIGUSR1 it writes what it has in use to the file that `KABINET_WATCH` names.

    KABINET_WATCH=counts.json python -m bench.watched serve --config kabinet.toml
"""

import asyncio
import gc
import json
import os
import signal
from pathlib import Path
from typing import Any

from bff.cli import main
from bff.sources.sharing import Slots

SLOTS: list[Slots] = []


def remember_slots() -> None:
    """Keep hold of every back office's slots: what is frozen (`gc.freeze`) cannot be found later."""
    made = Slots.__init__

    def remembered(self: Slots, *given: Any, **named: Any) -> None:
        made(self, *given, **named)
        SLOTS.append(self)

    Slots.__init__ = remembered  # type: ignore[method-assign]


def write_counts(*_: object) -> None:
    """Tasks that are not done, calls in flight and keys under way or waiting, of all back offices together."""
    found = {
        "tasks": sum(isinstance(each, asyncio.Task) and not each.done() for each in gc.get_objects()),
        "calls": sum(slots.calls - slots.free for slots in SLOTS),
        "keys": sum(slots.under_way + slots.waiting for slots in SLOTS),
    }
    target = Path(os.environ["KABINET_WATCH"])
    target.with_suffix(".new").write_text(json.dumps(found))
    target.with_suffix(".new").replace(target)


if __name__ == "__main__":
    remember_slots()
    signal.signal(signal.SIGUSR1, write_counts)
    main()
