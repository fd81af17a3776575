"""Outages in the log: one line when a back office goes, one when it is back, none between."""

import structlog

from bff.errors import BackOfficeError
from bff.sources.guard import OUTAGES

log = structlog.get_logger("kabinet.sources")


class OutageLog:
    """
    Remembers, by back office, which of its reads failed when they were last asked for.

    It is back when all of those have been answered: one read that always fails beside one that never does is one
    outage, not one at every request.
    """

    def __init__(self) -> None:
        self._failing: dict[str, set[str]] = {}
        self._failed_calls: dict[str, int] = {}

    def failed(self, back_office: str, read: str, error: BackOfficeError) -> None:
        """Take note of a call that failed."""
        if not isinstance(error, OUTAGES):
            return
        self._failing.setdefault(back_office, set()).add(read)
        self._failed_calls[back_office] = self._failed_calls.get(back_office, 0) + 1
        if self._failed_calls[back_office] == 1:
            log.warning(
                "back office failing", back_office=back_office, read=read, code=error.code.value, error=str(error)
            )

    def answered(self, back_office: str, read: str) -> None:
        """Take note of a call that was answered."""
        failing = self._failing.get(back_office)
        if failing is None:
            return
        failing.discard(read)
        if not failing:
            del self._failing[back_office]
            failures = self._failed_calls.pop(back_office)
            log.warning("back office answers again", back_office=back_office, failed_calls=failures)
