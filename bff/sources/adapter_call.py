"""The border to an adapter: whatever comes out of it becomes an error that the road knows how to carry."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import structlog

from bff.errors import AdapterBroken, BackOfficeError, IntegrityViolation, KabinetError, TimedOut

log = structlog.get_logger("kabinet.sources")

T = TypeVar("T")


async def call_adapter(
    do: Callable[[], Awaitable[T]], *, back_office: str, read: str, refusals: tuple[type[KabinetError], ...] = ()
) -> T:
    """
    Do what asks an adapter. Raises `BackOfficeError` with the office's name, `refusals`, and cancellation that is ours.

    Anything else is an adapter's mistake, `AdapterBroken`: it costs its section, not the dashboard.
    """
    try:
        return await do()
    except BackOfficeError as error:
        error.back_office = error.back_office or back_office
        raise
    except refusals:
        raise
    except (Exception, asyncio.CancelledError) as error:
        # A cancellation that is not ours came out of a task of the adapter's own: passed on, it would leave all who
        # wait for this call hanging.
        task = asyncio.current_task()
        if isinstance(error, asyncio.CancelledError) and (task is None or task.cancelling()):
            raise
        if isinstance(error, TimeoutError):
            raise TimedOut("the adapter gave up waiting", back_office=back_office) from None
        log.exception("adapter broken", back_office=back_office, read=read)
        raise AdapterBroken(f"the adapter raised {type(error).__name__}", back_office=back_office) from None


def note_violation(error: BackOfficeError, *, back_office: str, read: str) -> None:
    """Write an `IntegrityViolation` down, for the audit log too (see `bff.identity.audit`); other errors are not."""
    if isinstance(error, IntegrityViolation):
        # No traceback: its frames hold the answer.
        log.error("integrity violation", log="audit", back_office=back_office, read=read, error=str(error))
