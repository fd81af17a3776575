"""`kabinet serve` is killed (kill -9) while customers sign in and go on: nothing works twice, nothing is lost."""

import asyncio
import json
import random
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import pytest

from bff.demo.launch import DemoOffices
from bff.demo.secret import demo_secret
from bff.errors import BackOfficeError
from tests.identity.oidc.keys import claims, hs256
from tests.patience import PATIENCE_SECONDS
from tests.sign_in.crowd import Crowd
from tests.sign_in.customer import PROFILE, SIGN_OUT, Customer, codes, user_codes
from tests.sign_in.messages import CODE, Messages
from tests.sign_in.process import Process, process
from tests.sign_in.secrets import Secrets
from tests.sign_in.shop import ANNA, OLEG, stranger
from tests.sign_in.test_staff import LOOK, SCOPE

ROUNDS = 4
VISITORS = 12
SETTINGS = """
[sessions]
# A lost reply is asked for again when the service is back, which takes its time on a busy machine.
grace_seconds = 60

[sign_in]
checks_per_network = 100000
"""


@dataclass(slots=True)
class Visitor:
    """Somebody who signs in and refreshes, and what they were told."""

    phone: str
    network: str
    used: bool = False
    """A session was acknowledged for the code."""
    tokens: dict[str, Any] = field(default_factory=dict)
    refreshes: int = 0

    async def visit(self, crowd: Crowd, messages: Messages, gone: asyncio.Event) -> None:
        """Sign in, then refresh time and again, until the service is gone."""
        assert await crowd.request_code(self.phone, self.network) == ""
        while not messages.to({"phone": self.phone}):
            if gone.is_set():
                return  # with the code that was on its way: a customer asks for another one
            await asyncio.sleep(0.01)
        code = messages.code({"phone": self.phone})
        self.tokens = await crowd.sign_in(self.phone, code, self.network)
        assert self.tokens, "a code that came was refused"
        self.used = True
        while True:
            after = await crowd.refresh(self.tokens["refreshToken"], self.network)
            assert after, "a session ended by itself"
            self.tokens = after
            self.refreshes += 1


async def traffic(served: Process, messages: Messages, visitors: list[Visitor], dice: random.Random) -> None:
    """Let them visit, one after the other, and kill the service under them: some sign in then, and some refresh."""
    gone = asyncio.Event()
    enough, pause = dice.randint(1, VISITORS - 4), dice.uniform(0, 0.2)
    async with Crowd(served.address, VISITORS) as crowd:

        async def visit(number: int, visitor: Visitor) -> None:
            await asyncio.sleep(number * 0.1)
            # It ends when the service is gone.
            with suppress(BackOfficeError):
                await visitor.visit(crowd, messages, gone)

        visits = [asyncio.create_task(visit(number, visitor)) for number, visitor in enumerate(visitors)]
        async with asyncio.timeout(PATIENCE_SECONDS):
            # Looked at from outside: who visits does nothing but what a customer does.
            while min(sum(each.used for each in visitors), sum(each.refreshes for each in visitors)) < enough:  # noqa: ASYNC110
                await asyncio.sleep(0.005)
        await asyncio.sleep(pause)
        served.kill()
        gone.set()
        await asyncio.gather(*visits)


async def look(served: Process, messages: Messages, visitors: list[Visitor]) -> tuple[int, int]:
    """What the next process knows: gives how many sessions were acknowledged, and how many codes were still good."""
    good = 0
    async with Crowd(served.address, VISITORS) as crowd:
        for visitor in visitors:
            if visitor.tokens:
                tokens = await crowd.refresh(visitor.tokens["refreshToken"], visitor.network)
                assert tokens, "a session that was acknowledged is lost"
                answer = await crowd.ask(PROFILE, {}, visitor.network, tokens["accessToken"])
                assert answer["data"]["dashboard"]["profile"]["phone"] == visitor.phone
            texts = messages.to({"phone": visitor.phone})
            assert len(texts) <= 1
            for text in texts:
                code = CODE.search(text)
                assert code is not None
                entered = [bool(await crowd.sign_in(visitor.phone, code[0], visitor.network)) for _ in range(3)]
                assert entered[1:] == [False, False]
                assert not (entered[0] and visitor.used), "a code was good twice"
                good += entered[0]
    return sum(bool(visitor.tokens) for visitor in visitors), good


def test_killed_at_random_moments_under_traffic(
    offices: DemoOffices, messages: Messages, secrets: Secrets, tmp_path: Path
) -> None:
    dice = random.Random(4)  # noqa: S311 (not a secret)
    with process(tmp_path / "shop", offices, messages, SETTINGS) as served:
        signed_in = refreshed = 0
        for number in range(ROUNDS):
            first = 1201 + number * VISITORS
            visitors = [
                Visitor(f"+7900000{first + each}", f"198.51.{number + 1}.{each + 1}") for each in range(VISITORS)
            ]
            asyncio.run(traffic(served, messages, visitors, dice))
            served.start()
            acknowledged, _ = asyncio.run(look(served, messages, visitors))
            signed_in += acknowledged
            refreshed += sum(visitor.refreshes for visitor in visitors)
            secrets.add(*(visitor.phone for visitor in visitors))
            secrets.add(*(token for visitor in visitors for token in visitor.tokens.values() if isinstance(token, str)))
        assert signed_in >= ROUNDS
        assert refreshed >= ROUNDS
    assert secrets.in_text(served.log) == []


@pytest.fixture
def served(offices: DemoOffices, messages: Messages, tmp_path: Path) -> Iterator[Process]:
    with process(tmp_path / "shop", offices, messages, SETTINGS) as served:
        yield served


def test_killed_between_any_two_steps(served: Process, messages: Messages, secrets: Secrets) -> None:
    """And on the way, all that the process writes is looked through: by its log nobody can be known."""
    with httpx2.Client() as http:

        def customer(contact: dict[str, str], network: str) -> Customer:
            secrets.add(*contact.values(), network)
            return Customer(served.address, http, messages, secrets, contact, network)

        def again(*customers: Customer) -> None:
            served.kill()
            served.start()
            for each in customers:
                each.address = served.address

        anna, boris = customer(ANNA, "198.51.100.1"), customer(stranger(), "198.51.100.2")
        code = anna.code()
        ticket = boris.ticket()
        again(anna, boris)
        # Between the code and signing in; between the ticket and the registration.
        assert user_codes(anna.request_code()) == ["RATE_LIMITED"]
        assert anna.enter(code)["signedIn"]
        assert boris.register(ticket, "Святополк", mode="COOKIE")["signedIn"]
        spent = anna.refresh_token
        anna.refresh()
        again(anna, boris)
        # Between signing in and all that follows.
        assert user_codes(customer(ANNA, "198.51.100.3").enter(code)) == ["REFUSED"]
        assert user_codes(customer(ANNA, "198.51.100.3").register(ticket, "Глеб")) == ["REFUSED"]
        assert anna.profile() is not None
        assert boris.profile() is not None
        assert anna.refresh(spent)["data"]["done"]["tokens"]["refreshToken"] == anna.refresh_token
        assert anna.do(SIGN_OUT)["signedOut"]
        again(anna, boris)
        # Who has signed out stays so.
        assert anna.post(PROFILE).status_code == 401
        assert codes(anna.refresh()) == ["UNAUTHENTICATED"]
        assert boris.profile() is not None
        _look_by_staff(customer(OLEG, "198.51.100.4"), secrets)
    _nobody_can_be_known(served, secrets)


def _look_by_staff(asks: Customer, secrets: Secrets) -> None:
    token = hs256(claims("kabinet-demo", aud="kabinet", sub="staff-77", scope=SCOPE), demo_secret().encode())
    secrets.add(token, "staff-77", "Анна Соколова", "Соколова", "Святополк")
    answer = asks.ask(LOOK, {"id": "c-1001"}, Authorization=f"Bearer {token}")
    assert answer["data"]["customerDashboard"]["profile"]["displayName"] == "Анна Соколова"


def _nobody_can_be_known(served: Process, secrets: Secrets) -> None:
    lines = [json.loads(line) for line in served.log.splitlines()]
    audit = [line for line in lines if line.get("log") == "audit"]
    [read] = [line for line in audit if line["event"] == "staff read"]
    assert (read["what"], read["level"]) == ("customerDashboard", "info")
    events = {line["event"] for line in audit}
    assert {"code requested", "code refused", "signed in", "registered", "session ended", "staff read"} <= events
    hashed = re.compile("[0-9a-f]{16}")
    for line in audit:
        for name in ("customer", "contact", "network", "session", "staff"):
            assert name not in line or hashed.fullmatch(line[name])
    assert secrets.in_text(served.log) == []
