"""A store's file, as others see it: other programs, and those who look after the machine."""

import sqlite3
import stat
import threading
from contextlib import closing
from pathlib import Path


def other(path: Path) -> closing[sqlite3.Connection]:
    """Another program at the file; from any thread."""
    return closing(sqlite3.connect(path, isolation_level=None, check_same_thread=False))


OTHERS: set[threading.Thread] = set()
"""Threads of stores that lived before the test began: services that other tests keep running have some."""


def threads() -> set[threading.Thread]:
    """The threads that live of stores which the test has opened."""
    return {thread for thread in threading.enumerate() if thread.name == "kabinet-store"} - OTHERS


def rights(path: Path) -> int:
    """Who may do what with the file."""
    return stat.S_IMODE(path.stat().st_mode)


def content(path: Path) -> bytes:
    """What is in the file."""
    return path.read_bytes()


def write(path: Path, data: bytes, rights: int = 0o600) -> None:
    """Put something into the file, for those who have rights."""
    path.write_bytes(data)
    path.chmod(rights)


def allow(path: Path, mode: int) -> None:
    """Set who may do what."""
    path.chmod(mode)


def commits(path: Path) -> int:
    """How many transactions stand in the `-wal` file: by its format, each one's last frame has the file's size."""
    wal = Path(f"{path}-wal").read_bytes()
    page = int.from_bytes(wal[8:12])
    frames = (wal[at : at + 24] for at in range(32, len(wal), page + 24))
    return sum(frame[8:16] == wal[16:24] and int.from_bytes(frame[4:8]) > 0 for frame in frames)
