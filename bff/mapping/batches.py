"""Many keys, asked for in several calls side by side, and one answer made of theirs."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TypeVar

from bff.errors import BackOfficeError, IntegrityViolation, Recovery
from bff.ports import Batch

K = TypeVar("K")
V = TypeVar("V")


def split(keys: Sequence[K], size: int) -> list[Sequence[K]]:
    """Cut keys into parts of at most `size`, in their order."""
    return [keys[start : start + size] for start in range(0, len(keys), size)]


async def side_by_side(
    parts: Sequence[Sequence[K]], ask: Callable[[Sequence[K]], Awaitable[Batch[K, V]]], *, owned: bool
) -> dict[K, V | BackOfficeError]:
    """
    Ask for every part at once (`ask` keeps to the pool), and merge the answers.

    A part that fails costs its own keys. Where all parts fail the first technical error is raised, for the caller to
    retry; an `IntegrityViolation` always is. Keys that nobody asked for are passed on. With `owned` keys (customers),
    one that another part asked for is an `IntegrityViolation` too: merged, it would look as if it had come where it
    was asked for.
    """
    if len(parts) == 1:
        return dict(await ask(parts[0]))

    async def attempt(part: Sequence[K]) -> Mapping[K, V | BackOfficeError] | BackOfficeError:
        try:
            return await ask(part)
        except BackOfficeError as error:
            return error

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(attempt(part)) for part in parts]
    answers = [task.result() for task in tasks]
    failures = [answer for answer in answers if isinstance(answer, BackOfficeError)]
    for failure in failures:
        is_technical = failure.recovery is not Recovery.NONE
        if isinstance(failure, IntegrityViolation) or (len(failures) == len(parts) and is_technical):
            raise failure

    asked = {key for part in parts for key in part}
    merged: dict[K, V | BackOfficeError] = {}
    for part, answer in zip(parts, answers, strict=True):
        if isinstance(answer, BackOfficeError):
            merged.update(dict.fromkeys(part, answer))
            continue
        if owned and (answer.keys() - set(part)) & asked:
            raise IntegrityViolation("one call's answer holds data of a customer that another call asked for")
        merged.update(answer)
    return merged
