"""Commands, run as their users do: in this process, or as a process of their own."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from bff import cli
from tests.patience import OFFICES, PATIENCE_SECONDS, PATIENT, PATIENT_MS

KABINET = (sys.executable, "-m", "bff.cli")
"""The command as a process."""

SECRET = "a-secret-of-this-test-with-32-bytes-or-more"
SHOP = Path(__file__).parents[2] / "bff" / "demo"


@dataclass(frozen=True, slots=True)
class Said:
    """What a command wrote."""

    stdout: str
    stderr: str

    @property
    def output(self) -> str:
        """All of it. A service in another thread of this process logs to the same stdout."""
        return self.stdout + self.stderr


class Kabinet:
    """Runs commands in this process, as the `kabinet` script does; starting one takes a second and more."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self._monkeypatch = monkeypatch
        self._capsys = capsys

    def __call__(self, *words: str, cwd: Path | None = None, code: int | None = 0, env: Mapping[str, str] = {}) -> Said:
        """What it wrote; it must end with that status, None for any. `check` is patient, unless told otherwise."""
        self._capsys.readouterr()
        limits = LIMITS if words[0] == "check" else {}
        with self._monkeypatch.context() as context:
            for name, value in {**limits, **env}.items():
                context.setenv(name, value)
            if cwd is not None:
                context.chdir(cwd)
            context.setattr(sys, "argv", ["kabinet", *words])
            with pytest.raises(SystemExit) as ended:
                cli.main()
        wrote = self._capsys.readouterr()
        assert code is None or (ended.value.code or 0) == code, wrote.out + wrote.err
        return Said(wrote.out, wrote.err)


SECRETS = {
    "KABINET__IDENTITY__SECRET": SECRET,
    "KABINET__BACK_OFFICES__ERP__PASSWORD": "demo",
    "KABINET__BACK_OFFICES__LOYALTY__API_KEY": "demo",
    "KABINET__BACK_OFFICES__CMS__TOKEN": "demo",
}


LIMITS = {
    "KABINET__SERVER__DASHBOARD_MS": str(PATIENT_MS),
    **{
        f"KABINET__BACK_OFFICES__{office.upper()}__{name.upper()}": str(limit)
        for office in OFFICES
        for name, limit in PATIENT.items()
    },
}
"""A busy machine is no failure."""


@contextmanager
def serving(folder: Path, **environment: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Serve a shop's folder as a process for as long as the context lasts; gives its address, too."""
    process = subprocess.Popen(
        [*KABINET, "serve", "--port", "0"],
        cwd=folder,
        env={**os.environ, **SECRETS, **LIMITS, **environment},
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    try:
        for line in process.stderr:
            if found := re.search(r"kabinet serves (http://\S+)/graphql", line):
                yield process, found[1]
                break
        else:
            pytest.fail("it did not start")
    finally:
        process.terminate()
        process.wait(timeout=PATIENCE_SECONDS)
        process.stderr.close()
