"""Logs: one line an event, to stderr, and nothing of what a traceback has seen."""

import json
import logging
from collections.abc import Iterator
from typing import Literal

import pytest
import structlog

from bff.telemetry import configure_logging

QUIET = ("httpx2", "httpcore2", "zeep")


@pytest.fixture(autouse=True)
def _as_it_was() -> Iterator[None]:
    kept = structlog.get_config()
    levels = {name: logging.getLogger(name).level for name in (*QUIET, "httpx")}
    yield
    structlog.configure(**kept)
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)


def fail() -> None:
    password = "sec-ret-password"
    raise ValueError(f"{len(password)} characters")


def test_json_is_one_line_an_event_on_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("json")
    log = structlog.get_logger("kabinet.test")
    log.info("двое\nстрок", back_office="erp", odd=object())
    log.debug("not shown")
    captured = capsys.readouterr()
    assert captured.out == ""
    (line,) = captured.err.splitlines()
    found = json.loads(line)
    assert (found["event"], found["level"], found["back_office"]) == ("двое\nстрок", "info", "erp")
    assert found["timestamp"].endswith("Z")
    assert "двое" in line


@pytest.mark.parametrize("form", ["json", "console"])
def test_a_traceback_shows_no_values_of_variables(
    form: Literal["json", "console"], capsys: pytest.CaptureFixture[str]
) -> None:
    configure_logging(form)
    try:
        fail()
    except ValueError:
        structlog.get_logger().exception("broken")
    shown = capsys.readouterr().err
    assert "ValueError: 16 characters" in shown
    assert "sec-ret-password" not in shown.replace('password = "sec-ret-password"', "")


def test_the_http_client_tells_no_addresses() -> None:
    configure_logging("json")
    for name in QUIET:
        assert not logging.getLogger(name).isEnabledFor(logging.INFO)
    assert not logging.getLogger("httpcore2.connection").isEnabledFor(logging.DEBUG)
