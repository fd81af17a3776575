"""
A cabinet in a process of its own, as `kabinet serve` runs it.

Not in a thread of the tests: Hypothesis wants nobody else to use `random` while it draws, and a server does.
"""

import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bff.demo.launch import DemoOffice
from bff.demo.run import DEMO_PASSWORD
from bff.demo.secret import demo_secret

SHOP = Path(__file__).parents[2] / "bff" / "demo" / "shop"
SECRETS = {
    "KABINET__IDENTITY__SECRET": demo_secret(),
    "KABINET__BACK_OFFICES__ERP__PASSWORD": DEMO_PASSWORD,
    "KABINET__BACK_OFFICES__LOYALTY__API_KEY": DEMO_PASSWORD,
    "KABINET__BACK_OFFICES__CMS__TOKEN": DEMO_PASSWORD,
}
READY = re.compile(r"(?:kabinet serves|ready: open) (http://\S+)/graphql")
START_SECONDS = 60
END_SECONDS = 30


@dataclass(frozen=True, slots=True)
class RunningCabinet:
    """Its address, and what it has logged so far."""

    address: str
    log_file: Path

    @property
    def log(self) -> str:
        """All of it."""
        return self.log_file.read_text(encoding="utf-8")


@contextmanager
def running(
    folder: Path, offices: Iterable[DemoOffice], settings: Mapping[str, str], *, edit: Callable[[str], str] = str
) -> Iterator[RunningCabinet]:
    """
    Serve the demo's shop out of a folder, for as long as the context lasts.

    `edit` changes what is in `kabinet.toml`; `settings` go over it from the environment:
    ``{"SERVER__GET_QUERIES": "true"}`` is ``[server] get_queries = true``.
    """
    for file in SHOP.iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    file = folder / "kabinet.toml"
    file.write_text(edit(file.read_text(encoding="utf-8")), encoding="utf-8")
    addresses = {f"KABINET__BACK_OFFICES__{office.name.upper()}__ADDRESS": office.service for office in offices}
    own = {f"KABINET__{name}": value for name, value in settings.items()}
    with command(folder, "serve", environment={**SECRETS, **addresses, **own}) as cabinet:
        yield cabinet


@contextmanager
def command(folder: Path, *words: str, environment: Mapping[str, str] = {}) -> Iterator[RunningCabinet]:
    """Run `kabinet serve` or `kabinet demo`, on a free port, until the context ends."""
    log_file = folder / "log"
    with log_file.open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "bff.cli", *words, "--port", "0"],
            cwd=folder,
            env={**os.environ, **environment},
            stdout=log,
            stderr=log,
        )
    try:
        yield RunningCabinet(_address(process, log_file), log_file)
    finally:
        process.terminate()
        process.wait(timeout=END_SECONDS)


def _address(process: "subprocess.Popen[bytes]", log_file: Path) -> str:
    until = time.monotonic() + START_SECONDS
    while process.poll() is None and time.monotonic() < until:
        if found := READY.search(log_file.read_text(encoding="utf-8")):
            return found[1]
        time.sleep(0.05)
    raise RuntimeError(f"the cabinet did not start:\n{log_file.read_text(encoding='utf-8')}")
