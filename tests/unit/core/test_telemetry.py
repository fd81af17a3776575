"""Logs: one line an event, to stderr, and nothing of what a traceback has seen."""

import io
import json
import logging
import re
import warnings
from collections.abc import Iterator
from typing import Literal

import pytest
import structlog

from bff.telemetry import configure_logging, say_ready

QUIET = ("aiohttp", "zeep")


@pytest.fixture(autouse=True)
def _as_it_was() -> Iterator[None]:
    kept = structlog.get_config()
    root = logging.getLogger()
    handlers, level = [*root.handlers], root.level
    levels = {name: logging.getLogger(name).level for name in (*QUIET, "httpx")}
    yield
    structlog.configure(**kept)
    logging.captureWarnings(False)
    root.handlers[:] = handlers
    root.setLevel(level)
    for name, each in levels.items():
        logging.getLogger(name).setLevel(each)


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


class Pieces(io.StringIO):
    """Keeps what is written piece by piece."""

    def __init__(self) -> None:
        super().__init__()
        self.pieces: list[str] = []

    def write(self, text: str) -> int:
        self.pieces.append(text)
        return len(text)


@pytest.mark.parametrize("form", ["json", "console"])
def test_a_line_is_written_in_one_piece(form: Literal["json", "console"], monkeypatch: pytest.MonkeyPatch) -> None:
    # Two processes that log to one file would break each other's lines else.
    written = Pieces()
    monkeypatch.setattr("sys.stderr", written)
    configure_logging(form)
    structlog.get_logger("kabinet.test").info("one")
    logging.getLogger("library").warning("two")
    assert [(piece.count("\n"), piece[-1]) for piece in written.pieces] == [(1, "\n")] * 2


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


def test_libraries_and_warnings_speak_json_too(capsys: pytest.CaptureFixture[str]) -> None:
    for _ in range(2):  # the second time takes the first one's place
        configure_logging("json")
    logging.getLogger("asyncio").info("not shown")
    try:
        fail()
    except ValueError:
        logging.getLogger("adapters.some").exception("no %s", "answer")
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.showwarning("old", DeprecationWarning, "a.py", 1)
    told, warned = (json.loads(line) for line in capsys.readouterr().err.splitlines())
    assert (told["event"], told["logger"], told["level"]) == ("no answer", "adapters.some", "error")
    assert "ValueError: 16 characters" in told["exception"]
    assert told["timestamp"].endswith("Z")
    assert (warned["logger"], warned["level"]) == ("py.warnings", "warning")
    assert "DeprecationWarning: old" in warned["event"]


@pytest.mark.parametrize("form", ["json", "console"])
def test_the_line_that_says_where_the_service_is_can_be_found(
    form: Literal["json", "console"], capsys: pytest.CaptureFixture[str]
) -> None:
    configure_logging(form)
    say_ready("kabinet serves http://127.0.0.1:1/graphql", form)
    (line,) = capsys.readouterr().err.splitlines()
    found = re.search(r"kabinet serves (http://\S+)/graphql", line)
    assert found is not None
    assert found[1] == "http://127.0.0.1:1"
    assert (line[0] == "{") == (form == "json")
