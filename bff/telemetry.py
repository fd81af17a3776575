"""Logs: structured, one line an event, nothing personal and no secret in them."""

import json
import logging
import sys
from collections.abc import Callable
from typing import Any, Literal

import orjson
import structlog

Form = Literal["console", "json"]


def configure_logging(form: Form) -> None:
    """
    Set up logs for the process: ours, and what libraries log, in one form.

    Everything goes to stderr, so that commands can print answers to stdout.
    """
    renderer: structlog.typing.Processor = (
        structlog.processors.JSONRenderer(serializer=_json)
        if form == "json"
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    )
    shared: list[structlog.typing.Processor] = [
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[*shared, structlog.processors.format_exc_info, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        # A line in one piece: of two processes that log to one file, none breaks the other's.
        logger_factory=lambda *_: structlog.WriteLogger(sys.stderr),
        cache_logger_on_first_use=False,
    )
    _take_over(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, structlog.stdlib.add_logger_name],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                renderer,
            ],
        )
    )
    # HTTP clients log addresses with their queries: customers' ids do not belong into a log.
    for name in ("aiohttp", "httpx", "zeep"):
        logging.getLogger(name).setLevel(logging.WARNING)


def _json(event: dict[str, Any], default: Callable[[Any], Any]) -> str:
    try:
        return orjson.dumps(event, default=default).decode()
    except TypeError:
        # Half a character, or a number beyond 64 bits: rare, and no reason to lose the line.
        return json.dumps(event, default=default)


def say_ready(text: str, form: Form) -> None:
    """Say where the service is: an event for machines, a plain line for people."""
    if form == "json":
        structlog.get_logger("kabinet.serving").info(text)
    else:
        sys.stderr.write(f"{text}\n")
        sys.stderr.flush()


class _ToStderr(logging.Handler):
    """Writes to what is stderr at the time, as structlog does."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write one line."""
        try:
            sys.stderr.write(f"{self.format(record)}\n")
            sys.stderr.flush()
        except Exception:  # noqa: BLE001 (as every handler does: a log that fails stops nothing)
            self.handleError(record)


def _take_over(formatter: logging.Formatter) -> None:
    """Let the standard library's logs, and Python's warnings, come out by a formatter, and nowhere else."""
    root = logging.getLogger()
    for handler in [handler for handler in root.handlers if isinstance(handler, _ToStderr)]:
        root.removeHandler(handler)
    ours = _ToStderr()
    ours.setFormatter(formatter)
    root.addHandler(ours)
    root.setLevel(logging.WARNING)
    logging.captureWarnings(True)
