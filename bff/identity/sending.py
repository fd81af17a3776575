"""Codes on their way: each is sent in a task of its own, so that no answer waits for a gateway."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

import structlog

from bff.domain import Contact, ContactKind
from bff.errors import KabinetError
from bff.identity.audit import Audit
from bff.ports import CodeSender

log = structlog.get_logger("kabinet.identity")


@dataclass(slots=True)
class SendCounts:
    """What became of messages since the start."""

    taken: int = 0
    """Handed over to a sender."""
    failed: int = 0
    """Refused by one, not answered in time, or not begun because too many waited."""


class Outbox:
    """
    Hands messages to senders, `at_once` at a time; up to `waiting` more wait their turn.

    A message has `seconds`, the wait included. One that fails is logged, audited and counted, and not tried again: the
    customer asks for another code.
    """

    def __init__(
        self,
        senders: Mapping[ContactKind, CodeSender],
        audit: Audit,
        *,
        at_once: int,
        waiting: int,
        seconds: float,
    ) -> None:
        self.counts = SendCounts()
        self._senders = senders
        self._audit = audit
        self._slots = asyncio.Semaphore(at_once)
        self._most = at_once + waiting
        self._seconds = seconds
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def kinds(self) -> frozenset[ContactKind]:
        """What can be written to."""
        return frozenset(self._senders)

    @property
    def under_way(self) -> int:
        """Messages that wait or are being handed over."""
        return len(self._tasks)

    def send(self, to: Contact, text: str) -> None:
        """Begin to send; returns at once and never raises for what becomes of it."""
        if len(self._tasks) >= self._most:
            self._failed(to, "too many wait")
            return
        task = asyncio.get_running_loop().create_task(self._hand_over(to, text))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self, seconds: float = 5.0) -> None:
        """Let what is under way end, for so long; the rest is given up. Senders stay open: they are not its own."""
        if not self._tasks:
            return
        _, left = await asyncio.wait(self._tasks, timeout=seconds)
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)

    async def _hand_over(self, to: Contact, text: str) -> None:
        try:
            async with asyncio.timeout(self._seconds), self._slots:
                await self._senders[to.kind].send(to, text)
        except asyncio.CancelledError:
            self._failed(to, "given up at the end")
            raise
        except KabinetError as error:
            # Such errors hold neither the address nor the text: the port says so.
            self._failed(to, str(error))
        except Exception as error:  # noqa: BLE001 (whatever a sender raises, its text might quote the message)
            self._failed(to, type(error).__name__)
        else:
            self.counts.taken += 1

    def _failed(self, to: Contact, why: str) -> None:
        self.counts.failed += 1
        log.error("code not sent", kind=to.kind.value, error=why)
        self._audit.code_not_sent(to, why)
