"""
A real Chromium with the network closed to all but this machine.

Where there is none the tests are skipped, and say so; with CI=true they fail.
"""

import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pytest
from playwright.sync_api import Browser, expect, sync_playwright

from tests.patience import PATIENCE_SECONDS

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")

expect.set_options(timeout=PATIENCE_SECONDS * 1000)


def require(missing: Sequence[str]) -> None:
    """Skip, or fail, for what is missing beside Chromium."""
    lacks = [*([] if CHROMIUM else ["Chromium"]), *missing]
    if lacks and os.environ.get("CI") == "true":
        pytest.fail(f"CI must have {' and '.join(lacks)}")
    if lacks:
        pytest.skip(f"there is no {' and no '.join(lacks)}")


@contextmanager
def chromium(*, resolve: str = "") -> Iterator[Browser]:
    """Run one for as long as the context lasts. `resolve` goes before the rule that every other host is unknown."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM,
            args=[
                "--no-sandbox",
                "--disable-gpu",
                "--disable-background-networking",
                "--disable-component-update",
                "--disable-sync",
                "--no-first-run",
                # Whatever asks for another host finds none.
                f"--host-resolver-rules={resolve}MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",
            ],
        )
        yield browser
        browser.close()
