"""Codes on their way: answers do not wait for a gateway, and do not tell of its failures."""

import asyncio
from collections.abc import MutableMapping
from typing import Any

import pytest

from bff.domain import Contact, ContactKind
from bff.errors import Unavailable
from bff.identity.sign_in import CodeSent
from tests.identity.sign_in.door import ANNA, BORIS, HOME, Door
from tests.sources.conftest import until

pytestmark = pytest.mark.anyio

Logs = list[MutableMapping[str, Any]]


def neighbour(number: int) -> Contact:
    return Contact(ContactKind.PHONE, f"+7916200{number:04}")


async def turns(door: Door, busy: int) -> None:
    await until(lambda: door.post.busy == busy)


async def test_the_answer_does_not_wait_for_the_gateway(door: Door) -> None:
    door.post.gate.clear()
    assert await door.sign_in.request_code(ANNA, HOME, "ru") == CodeSent(30, 300)
    await turns(door, 1)
    assert door.post.messages == []
    door.post.gate.set()
    await door.sign_in.close()
    assert len(door.post.to(ANNA)) == 1
    assert (door.sign_in.sends.taken, door.sign_in.sends.failed) == (1, 0)


@pytest.mark.parametrize(
    ("error", "why"),
    [(Unavailable("no connection"), "no connection"), (RuntimeError("+79161234567: 123456"), "RuntimeError")],
)
async def test_a_failure_is_logged_audited_and_counted_and_not_told(
    door: Door, logs: Logs, error: Exception, why: str
) -> None:
    door.post.errors = [error]
    assert await door.ask() == CodeSent(30, 300)
    assert (door.sign_in.sends.taken, door.sign_in.sends.failed) == (0, 1)
    told = [line for line in logs if line["event"] == "code not sent"]
    assert [line.get("error") or line.get("why") for line in told] == [why, why]
    assert "audit" in (line.get("log") for line in told)
    assert "9161234567" not in str(logs)


async def test_so_many_are_sent_at_once_and_so_many_wait(door: Door, logs: Logs) -> None:
    door.sign_in = door.another(sends_at_once=3, sends_waiting=4)
    door.post.gate.clear()
    for number in range(10):
        assert isinstance(await door.sign_in.request_code(neighbour(number), HOME, "ru"), CodeSent)
    await turns(door, 3)
    assert (door.sign_in.sends_under_way, door.sign_in.sends.failed) == (7, 3)
    assert sum(line.get("why") == "too many wait" for line in logs) == 3
    door.post.gate.set()
    await door.sign_in.close()
    assert len(door.post.messages) == 7
    assert door.post.most_busy == 3


async def test_a_message_that_takes_too_long_is_given_up(door: Door) -> None:
    door.sign_in = door.another(send_seconds=1)
    door.post.gate.clear()
    await door.sign_in.request_code(ANNA, HOME, "ru")
    await door.sign_in.close(60)
    assert (door.sign_in.sends.taken, door.sign_in.sends.failed) == (0, 1)
    assert door.post.busy == 0


async def test_at_the_end_messages_are_let_go_for_a_while(door: Door, logs: Logs) -> None:
    door.post.gate.clear()
    await door.sign_in.request_code(ANNA, HOME, "ru")
    await door.sign_in.request_code(BORIS, HOME, "ru")
    await turns(door, 2)
    await door.sign_in.close(0.01)
    assert door.post.busy == 0
    assert door.sign_in.sends.failed == 2
    assert sum(line.get("why") == "given up at the end" for line in logs) == 2
    await door.sign_in.close()


async def test_a_hung_gateway_of_one_kind_keeps_no_other_from_signing_in(door: Door) -> None:
    door.post.gate.clear()
    await asyncio.gather(*(door.sign_in.request_code(neighbour(n), f"10.0.0.{n}", "ru") for n in range(50)))
    door.post.gate.set()
    await door.sign_in.close()
    assert len(door.post.messages) == 50
