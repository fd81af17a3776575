"""Several processes at one store, and some that are killed."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeAlias

import pytest

from bff.identity.store import Store
from tests.identity.store.conftest import Bench
from tests.identity.store.rival import LONG, PATIENCE_SECONDS, ROUNDS, STEPS, TASKS, make_store

pytestmark = pytest.mark.anyio

PROJECT = Path(__file__).parents[3]

Rival: TypeAlias = "subprocess.Popen[str]"


@contextmanager
def rivals(bench: Bench, what: str, number: int) -> Iterator[list[Rival]]:
    """So many processes that use the store of the bench; they are killed at the end."""
    command = [sys.executable, "-m", "tests.identity.store.rival", bench.kind, bench.address, what]
    processes = [
        subprocess.Popen(
            [*command, f"rival {each}"], cwd=PROJECT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for each in range(number)
    ]
    try:
        yield processes
    finally:
        for process in processes:
            process.kill()
            process.communicate()


async def opened(bench: Bench) -> Store:
    """A store with the clock that the rivals have."""
    store = make_store(bench.kind, bench.address)
    await store.open()
    return store


def line(rival: Rival) -> str:
    """What it says next."""
    assert rival.stdout is not None
    return rival.stdout.readline()


async def test_four_processes_share_what_there_is(bench: Bench) -> None:
    won: list[str] = []
    with rivals(bench, "race", 4) as processes:
        assert [line(process) for process in processes] == ["ready\n"] * 4
        for process in processes:
            assert process.stdin is not None
            process.stdin.write("go\n")
            process.stdin.flush()
        for process in processes:
            won += json.loads(process.communicate(timeout=4 * PATIENCE_SECONDS)[0])
    store = await opened(bench)
    standing = {f"prize {round_}": await store.get(f"prize {round_}") for round_ in range(ROUNDS)}
    assert sorted(won) == [f"{key}={(value or b'').decode()}" for key, value in standing.items()]
    assert (await store.count("counted", window=LONG, by=0)).number == 4 * TASKS
    assert await store.get("added") == b"%d" % (4 * STEPS)
    await store.close()


@pytest.mark.parametrize("bench", ["sqlite"], indirect=True)
async def test_a_process_that_is_killed_loses_nothing_that_was_acknowledged(bench: Bench) -> None:
    # With nobody else at the file, it is the killed process's -wal that the next one begins with.
    await bench.store.close()
    lines = 0
    for round_ in range(4):
        heard = {"count": 0, "swap": 0}
        with rivals(bench, "work", 1) as (process,):
            while min(heard.values()) == 0 or lines < 30 * (round_ + 1):
                what, number = line(process).split()
                # Tasks are answered together, and may say so in any order.
                heard[what] = max(heard[what], int(number))
                lines += 1
            process.kill()
            assert process.stdout is not None
            for last in process.stdout:
                # The last one may be cut short.
                if last.endswith("\n"):
                    what, number = last.split()
                    heard[what] = max(heard[what], int(number))
        store = await opened(bench)
        counted = (await store.count("counted", window=LONG, by=0)).number
        # One for each of the tasks may have been on its way.
        assert heard["count"] <= counted <= heard["count"] + 2 * (TASKS // 10)
        swapped = int(await store.get("swapped") or b"0")
        assert heard["swap"] <= swapped <= heard["swap"] + 1
        await store.close()
