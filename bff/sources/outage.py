"""Outages in the log: one line when a back office goes, one when it is back, none between."""

import structlog

from bff.errors import BackOfficeError, BadReply, Busy, SignInRefused, TimedOut, TooLarge, Unavailable, Upstream

log = structlog.get_logger("kabinet.sources")

OUTAGES = (Unavailable, TimedOut, Busy, Upstream, SignInRefused, BadReply, TooLarge)
"""Errors that say something about the back office, not about one customer."""


class OutageLog:
    """Remembers, by back office, whether the last call failed."""

    def __init__(self) -> None:
        self._away: dict[str, int] = {}

    def failed(self, back_office: str, read: str, error: BackOfficeError) -> None:
        """Take note of a call that failed."""
        if not isinstance(error, OUTAGES):
            return
        self._away[back_office] = self._away.get(back_office, 0) + 1
        if self._away[back_office] == 1:
            log.warning(
                "back office failing", back_office=back_office, read=read, code=error.code.value, error=str(error)
            )

    def answered(self, back_office: str) -> None:
        """Take note of a call that was answered."""
        if failures := self._away.pop(back_office, 0):
            log.warning("back office answers again", back_office=back_office, failed_calls=failures)
