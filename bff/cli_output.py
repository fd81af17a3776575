"""What commands print: tables to stdout, what is wrong to stderr. Nothing is ever cut."""

import sys
from collections.abc import Iterable, Sequence
from typing import Final, NoReturn

import typer

_UNLIMITED: Final = 100_000


def fail(*lines: str, code: int = 1) -> NoReturn:
    """End the command: one line, and below it whatever else there is to say."""
    for number, line in enumerate(lines):
        typer.echo(line if number == 0 else f"  - {line}", err=True)
    raise SystemExit(code)


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print a table: folded to a terminal's width, and as wide as it is into a pipe or a file."""
    from rich.console import Console  # noqa: PLC0415 (commands without a table start quicker without it)
    from rich.table import Column, Table  # noqa: PLC0415

    made = Table(*(Column(name, overflow="fold") for name in columns))
    for row in rows:
        made.add_row(*row)
    width = None if sys.stdout.isatty() else _UNLIMITED
    Console(width=width, markup=False, emoji=False, highlight=False).print(made)
