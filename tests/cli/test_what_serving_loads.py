"""What a service does not load: each of these is megabytes and a part of the start, and came along unnoticed once."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from tests.cli.commands import SECRETS, SHOP

NOT_ASKED_FOR = {"redis", "aiosmtplib", "phonenumbers", "email_validator", "dns"}
"""Not by anything that the demo's settings name: they have no Redis, no mail server, and nobody signs in here."""

OF_1C = {"zeep", "requests", "urllib3"}

ONE_OFFICE = """
[identity]
issuer = "i"
audience = "a"
[back_offices.loyalty]
adapter = "retailcrm"
address = "http://127.0.0.1:8002"
[sections]
bonuses = "loyalty"
"""

SERVE = """
import sys
import uvicorn
from bff import cli
uvicorn.Server.run = lambda self, sockets: sys.stdout.write("\\n".join(sys.modules))
sys.argv = ["kabinet", "serve", "--port", "0"]
cli.main()
"""


def loaded(folder: Path, secrets: Mapping[str, str]) -> set[str]:
    """The packages that `kabinet serve` has when it begins to listen."""
    told = subprocess.run(
        [sys.executable, "-c", SERVE],
        cwd=folder,
        env={**os.environ, **secrets},
        capture_output=True,
        text=True,
        check=False,
    )
    assert told.returncode == 0, told.stderr
    return {module.partition(".")[0] for module in told.stdout.split()}


def test_the_demos_settings(tmp_path: Path) -> None:
    for file in (SHOP / "shop").iterdir():
        if file.is_file():
            (tmp_path / file.name).write_bytes(file.read_bytes())
    packages = loaded(tmp_path, SECRETS)
    assert packages >= {"bff", "aiohttp", "zeep"}
    assert sorted(packages & NOT_ASKED_FOR) == []


def test_without_a_1c_there_is_no_zeep(tmp_path: Path) -> None:
    (tmp_path / "kabinet.toml").write_text(ONE_OFFICE)
    used = ("KABINET__IDENTITY__SECRET", "KABINET__BACK_OFFICES__LOYALTY__API_KEY")
    packages = loaded(tmp_path, {name: SECRETS[name] for name in used})
    assert packages >= {"bff", "aiohttp"}
    assert sorted(packages & (NOT_ASKED_FOR | OF_1C)) == []
