"""Importing a library without what it would take along and we never use."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import cast


@contextmanager
def leaving_out(*names: str) -> Iterator[None]:
    """
    Let imports of these modules fail inside: for a library that does without them where they are not installed.

    A `None` in `sys.modules` is the language's own way to say so. What is loaded already stays as it is, and behind
    the block everything can be imported again.
    """
    modules = cast("dict[str, ModuleType | None]", sys.modules)
    absent = [name for name in names if name not in modules]
    modules.update(dict.fromkeys(absent))
    try:
        yield
    finally:
        for name in absent:
            del modules[name]


def import_structlog() -> None:
    """
    Load structlog without rich, which it takes for a form of traceback that we do not print: five megabytes.

    To be called before whatever else loads structlog, by a process that serves.
    """
    with leaving_out("rich"):
        import structlog  # noqa: F401, PLC0415
