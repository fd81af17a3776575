"""`kabinet serve` as a process: a settings file, a SQLite file beside it, and a log. It can be killed and come back."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bff.demo.launch import DemoOffices
from bff.demo.run import DEMO_PASSWORD
from bff.demo.secret import demo_secret
from tests.patience import OFFICES, PATIENCE_SECONDS, PATIENT, PATIENT_MS, until
from tests.sign_in.messages import Messages
from tests.sign_in.shop import PROXY

FILES = Path(__file__).parents[2] / "bff" / "demo" / "shop"
READY = re.compile(r"kabinet serves (http://\S+)/graphql")

ENVIRONMENT = {
    "KABINET__IDENTITY__SECRET": demo_secret(),
    "KABINET__SESSIONS__SECRET": demo_secret(),
    "KABINET__BACK_OFFICES__ERP__PASSWORD": DEMO_PASSWORD,
    "KABINET__BACK_OFFICES__LOYALTY__API_KEY": DEMO_PASSWORD,
    "KABINET__BACK_OFFICES__CMS__TOKEN": DEMO_PASSWORD,
    "KABINET__SERVER__FORWARDED_FROM": PROXY,
    "KABINET__SERVER__LOG_FORMAT": "json",
    "KABINET__SERVER__DASHBOARD_MS": str(PATIENT_MS),
    "KABINET__STORE__LIMIT_MS": str(PATIENT_MS),
    **{
        f"KABINET__BACK_OFFICES__{office.upper()}__{name.upper()}": str(limit)
        for office in OFFICES
        for name, limit in PATIENT.items()
    },
}
"""A busy machine is no failure."""


class Process:
    """One service, in a folder of its own. `more` are lines of its settings file, below those of the demo's."""

    def __init__(self, folder: Path, offices: DemoOffices, messages: Messages, more: str) -> None:
        self.folder = folder
        self.address = ""
        self.log_file = folder / "log"
        self._process: subprocess.Popen[bytes] | None = None
        self._environment = {
            **os.environ,
            **ENVIRONMENT,
            **{f"KABINET__BACK_OFFICES__{office.name.upper()}__ADDRESS": office.service for office in offices},
        }
        for file in FILES.iterdir():
            (folder / file.name).write_bytes(file.read_bytes())
        with (folder / "kabinet.toml").open("a", encoding="utf-8") as settings:
            settings.write(f'\n[store]\npath = "kabinet.sqlite"\n\n{more}\n{_tables("senders", messages.senders)}')

    @property
    def log(self) -> str:
        """All that it has written since it was started for the first time."""
        return self.log_file.read_text(encoding="utf-8")

    def start(self) -> None:
        """Start it, and wait until it serves."""
        already = len(READY.findall(self.log)) if self.log_file.exists() else 0
        with self.log_file.open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "bff.cli", "serve", "--port", "0"],
                cwd=self.folder,
                env=self._environment,
                stdout=log,
                stderr=log,
            )
        self._process = process
        until(
            lambda: len(READY.findall(self.log)) > already or process.poll() is not None,
            "it does not start",
            pause=0.02,
        )
        assert process.poll() is None, self.log
        self.address = READY.findall(self.log)[-1]

    def kill(self) -> None:
        """End it at once, without a word (kill -9)."""
        assert self._process is not None
        self._process.kill()
        self._process.wait(PATIENCE_SECONDS)

    def stop(self) -> None:
        """Let it end; it may be dead."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(PATIENCE_SECONDS)


@contextmanager
def process(folder: Path, offices: DemoOffices, messages: Messages, more: str = "") -> Iterator[Process]:
    """Serve for as long as the context lasts."""
    folder.mkdir()
    made = Process(folder, offices, messages, more)
    try:
        made.start()
        yield made
    finally:
        made.stop()


def _tables(name: str, value: Mapping[str, Any]) -> str:
    """As TOML: texts, numbers, and tables of them."""
    plain = "".join(f"{key} = {_written(each)}\n" for key, each in value.items() if not isinstance(each, dict))
    tables = "".join(_tables(f"{name}.{key}", each) for key, each in value.items() if isinstance(each, dict))
    return f"[{name}]\n{plain}\n{tables}"


def _written(value: str | int) -> str:
    return f'"{value}"' if isinstance(value, str) else str(value)
