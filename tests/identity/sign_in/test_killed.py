"""Kill -9 between any two steps: no code is usable twice, and no session is lost that was acknowledged."""

import asyncio
import os
import subprocess
import sys
import time
from itertools import groupby
from pathlib import Path

import pytest

from bff.identity.sessions import Mode, Session
from bff.identity.sign_in import Refused
from tests.identity.sign_in.killed import HOME, acknowledged, customer, sent, use_cases

ROUNDS = 3
PATIENCE_SECONDS = 120


async def look(folder: Path) -> tuple[int, int]:
    """
    Look at what a killed process left, as the next process does.

    Says how many sessions were acknowledged, and how many of the codes sent still sign somebody in, once.
    """
    store, sign_in = use_cases(folder)
    await store.open()
    try:
        last = dict(acknowledged(folder))
        for token in last.values():
            session = await sign_in.refresh(token)
            assert session.tokens is not None
            await sign_in.principal_of_access_token(session.tokens.access)
        good = 0
        for phone, code in sent(folder):
            who = customer(int(phone[5:]))
            answers = [await sign_in.sign_in(who, code, HOME, Mode.TOKENS) for _ in range(2)]
            assert isinstance(answers[1], Refused)
            if isinstance(answers[0], Session):
                assert phone not in last, "the code was used before"
                good += 1
        return len(last), good
    finally:
        await store.close()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are made by fork")
def test_killed_before_each_operation_of_the_store(tmp_path: Path) -> None:
    subprocess.run(
        [sys.executable, "-m", "tests.identity.sign_in.killed", "steps", str(tmp_path)],
        check=True,
        timeout=PATIENCE_SECONDS,
        stdout=subprocess.DEVNULL,
    )
    folders = sorted(tmp_path.iterdir())
    assert int((folders[-1] / "steps").read_text(encoding="ascii")) == len(folders) - 1
    seen = [asyncio.run(look(folder)) for folder in folders]
    # Before the code is sent, while it is good, while it is used up and nobody was told, and after that.
    assert [state for state, _ in groupby(seen)] == [(0, 0), (0, 1), (0, 0), (1, 0)]


def test_killed_at_any_moment(tmp_path: Path) -> None:
    for number in range(1, ROUNDS + 1):
        folder = tmp_path / str(number)
        folder.mkdir()
        with subprocess.Popen(
            [sys.executable, "-m", "tests.identity.sign_in.killed", "crowd", str(folder)], stdout=subprocess.DEVNULL
        ) as child:
            until = time.monotonic() + PATIENCE_SECONDS
            while len(acknowledged(folder)) < 11 * number and time.monotonic() < until and child.poll() is None:
                time.sleep(0.001)
            child.kill()
        signed_in, good = asyncio.run(look(folder))
        assert signed_in >= 5 * number
        assert good <= 1
