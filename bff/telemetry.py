"""Logs: structured, one line an event, nothing personal and no secret in them."""

import logging
import sys
from typing import Literal

import structlog


def configure_logging(form: Literal["console", "json"]) -> None:
    """Set up structlog for the process; everything goes to stderr, so that commands can print answers to stdout."""
    renderer: structlog.typing.Processor = (
        structlog.processors.JSONRenderer(ensure_ascii=False)
        if form == "json"
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=lambda *_: structlog.PrintLogger(sys.stderr),
        cache_logger_on_first_use=False,
    )
    # The HTTP client logs every address with its query at INFO: customers' ids do not belong into a log.
    for name in ("httpx2", "httpx", "httpcore2", "zeep"):
        logging.getLogger(name).setLevel(logging.WARNING)
