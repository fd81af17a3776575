"""`pip install` of a package in a document: into a folder of the test's own, never into the environment it runs in."""

import shutil
import tomllib
from pathlib import Path


def install(project: Path, site: Path) -> None:
    """Do what pip does for a package of single modules: copy them, and write down name, version and entry points."""
    about = tomllib.loads((project / "pyproject.toml").read_text(encoding="utf-8"))
    name, version = about["project"]["name"], about["project"]["version"]
    for module in project.glob("*.py"):
        shutil.copy(module, site)
    info = site / f"{name.replace('-', '_')}-{version}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n", encoding="utf-8")
    lines: list[str] = []
    for group, entries in about["project"]["entry-points"].items():
        lines += [f"[{group}]", *(f"{entry} = {where}" for entry, where in entries.items())]
    (info / "entry_points.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
