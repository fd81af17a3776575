"""Fenced blocks of Markdown files. What stands after the language, GitHub does not show: ```toml file=kabinet.toml."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
DOCUMENTS: Final = (
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")),
    *sorted((ROOT / "docs").rglob("*.md")),
)

_FENCE = re.compile(r"^```(?P<language>[a-z]*)(?P<rest>.*)$")


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block: its language, `name=value` and bare words after that, and its text."""

    document: Path
    line: int
    language: str
    text: str
    options: Mapping[str, str] = field(default_factory=dict)

    @property
    def place(self) -> str:
        """`docs/front-end.md:12`, for messages."""
        return f"{self.document.relative_to(ROOT)}:{self.line}"


def blocks(document: Path) -> list[Block]:
    """Every block of a document. `ValueError` for a fence that is not closed, and for code that is only indented."""
    found: list[Block] = []
    opened: tuple[int, str, dict[str, str]] | None = None
    lines: list[str] = []
    before = ""
    for number, line in enumerate(document.read_text(encoding="utf-8").splitlines(), 1):
        fence = _FENCE.match(line)
        if fence and opened is None:
            words = (word.partition("=") for word in fence["rest"].split())
            opened, lines = (number, fence["language"], {name: value for name, _, value in words}), []
        elif fence and opened is not None:
            if line != "```":
                raise ValueError(f"{document.name}:{number}: a fence is not closed")
            found.append(Block(document, opened[0], opened[1], "\n".join(lines) + "\n", opened[2]))
            opened = None
        elif opened is not None:
            lines.append(line)
        elif line.startswith("    ") and line.strip() and not before.strip():
            raise ValueError(f"{document.name}:{number}: indented code is run by nobody; put it between fences")
        before = line
    if opened is not None:
        raise ValueError(f"{document.name}:{opened[0]}: the fence is never closed")
    return found


def tables(document: Path) -> dict[str, list[list[str]]]:
    """The rows of every table of a document, cell by cell, by the heading above; without the rows of names."""
    found: dict[str, list[list[str]]] = {}
    heading, fenced = "", False
    for line in document.read_text(encoding="utf-8").splitlines():
        if line.startswith("```"):
            fenced = not fenced
        elif fenced:
            continue
        elif line.startswith("#"):
            heading = line.lstrip("#").strip()
        elif line.startswith("|"):
            rows = found.setdefault(heading, [])
            cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line.strip().removeprefix("|").removesuffix("|"))]
            if set("".join(cells)) <= set("-:"):
                rows.pop()  # what stands above the line of dashes are the columns' names
            else:
                rows.append(cells)
    return found


def in_code(cell: str) -> str:
    """The one thing in backticks in a cell."""
    match = re.fullmatch(r"`([^`]+)`", cell)
    if match is None:
        raise ValueError(f"one name in backticks was expected in a table, not {cell!r}")
    return match[1]
