"""The server audits of the npm package `graphql-http`, run against an address."""

import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

FOLDER = Path(__file__).parent
INSTALL = FOLDER.parents[1] / "scripts" / "audits"
SECONDS = 120


@dataclass(frozen=True, slots=True)
class Audit:
    """One audit and what became of it."""

    id: str
    name: str
    status: str
    """``ok``; else ``notice`` (a MAY), ``warn`` (a SHOULD) or ``error`` (a MUST)."""
    reason: str | None = None
    response: dict[str, Any] | None = None
    """What the service said to it where it was not ok: status, content type, the body's beginning."""


def install() -> None:
    """Install the pinned packages; where that cannot be, skip, and fail where CI=true."""
    installed = subprocess.run([INSTALL], capture_output=True, text=True, check=False)
    if installed.returncode != 0:
        message = f"{installed.stdout.strip()}: whether the endpoint conforms is NOT tested"
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(message)


def run_audits(url: str) -> list[Audit]:
    """Run all of them; see `install`."""
    done = subprocess.run(
        ["node", "audit.mjs", url], cwd=FOLDER, capture_output=True, text=True, check=False, timeout=SECONDS
    )
    assert done.returncode == 0, done.stderr
    return [Audit(**audit) for audit in json.loads(done.stdout)]
