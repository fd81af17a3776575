"""A shop's folder, the demo's back offices, and the command itself."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from bff.demo.launch import DemoOffices, demo_offices
from tests.cli.commands import SHOP, Kabinet


@pytest.fixture
def kabinet(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Kabinet:
    return Kabinet(monkeypatch, capsys)


@pytest.fixture(scope="session")
def offices() -> Iterator[DemoOffices]:
    with demo_offices(erp={"pool": 100}) as offices:
        yield offices


@pytest.fixture
def shop(tmp_path: Path, offices: DemoOffices) -> Path:
    """A shop's own folder: the demo's files, with addresses of offices that run, and secrets in the environment."""
    folder = tmp_path / "shop"
    folder.mkdir()
    for name in ("erp.toml", "cms.toml", "cabinet.wsdl"):
        (folder / name).write_bytes((SHOP / "shop" / name).read_bytes())
    text = (SHOP / "shop" / "kabinet.toml").read_text()
    for office, port in zip(offices, (8001, 8002, 8003), strict=True):
        text = text.replace(f":{port}", f":{office.port}")
    (folder / "kabinet.toml").write_text(text)
    return folder
