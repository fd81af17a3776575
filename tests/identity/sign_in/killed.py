"""
A process that signs in and is killed: the real use cases on a real SQLite file, with a sender that writes to a file.

`python -m tests.identity.sign_in.killed steps FOLDER` makes one process for each operation of the store in a day of a
customer, each with a folder of its own, and each kills itself (SIGKILL) right before its operation; the last one is
not killed. `… crowd FOLDER` signs customers in, one after the other, until somebody kills it.
"""

import asyncio
import os
import re
import signal
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from pydantic import SecretStr

from bff.domain import Contact, ContactKind, CustomerId, Registration
from bff.identity.sessions import Mode, Session
from bff.identity.settings import SessionSettings, SignInSettings
from bff.identity.sign_in import CodeSent, SignIn
from tests.identity.sign_in.steps import SteppedStore

SECRET = "not a secret at all, but long enough"
NOW = datetime(2026, 11, 1, tzinfo=UTC)
HOME = "192.0.2.7"
STEPS = 60
"""More than there are."""


def clock() -> datetime:
    """It stands still: what is tested is not time."""
    return NOW


def customer(number: int) -> Contact:
    """The contact of a customer."""
    return Contact(ContactKind.PHONE, f"+7916{number:07}")


class FileSender:
    """Appends each message to a file, a line each: `+7… 123456`."""

    def __init__(self, path: Path) -> None:
        self._path = path

    async def send(self, to: Contact, text: str) -> None:
        """Write it down."""
        code = re.search(r"\b[0-9]{6}\b", text)
        assert code is not None
        append(self._path, f"{to.value} {code[0]}")

    async def close(self) -> None:
        """Nothing is open."""


class Everybody:
    """A directory that knows everybody by their phone."""

    async def find(self, contacts: Sequence[Contact]) -> Mapping[Contact, CustomerId]:
        """Say who they are."""
        return {contact: CustomerId(f"c-{contact.value[1:]}") for contact in contacts}

    async def register(self, registration: Registration) -> CustomerId:
        """Never needed."""
        raise NotImplementedError


def append(path: Path, line: str) -> None:
    """Write a line that is there when the process is killed right after."""
    with path.open("a", encoding="ascii") as file:
        file.write(line + "\n")


def sent(folder: Path) -> list[tuple[str, str]]:
    """Phones and codes, as the sender wrote them; a line that was cut is none."""
    path = folder / "sent"
    lines = path.read_text(encoding="ascii").splitlines() if path.exists() else []
    return [(phone, code) for phone, _, code in (line.partition(" ") for line in lines) if len(code) == 6]


def acknowledged(folder: Path) -> list[tuple[str, str]]:
    """Phones and refresh tokens that a customer was told."""
    path = folder / "told"
    text = path.read_text(encoding="ascii") if path.exists() else ""
    return [(phone, token) for phone, _, token in (line.partition(" ") for line in text.split("\n")[:-1])]


def use_cases(folder: Path) -> tuple[SteppedStore, SignIn]:
    """The use cases on the folder's file."""
    store = SteppedStore(folder / "kabinet.sqlite", clock=clock, limit_seconds=60.0)
    settings = SignInSettings(codes_per_network=1_000_000, codes_per_shop=1_000_000, checks_per_network=1_000_000)
    sender = FileSender(folder / "sent")
    sessions = SessionSettings(secret=SecretStr(SECRET))
    senders = {ContactKind.PHONE: sender}
    return store, SignIn(store, senders, Everybody(), settings, sessions, clock=clock)


async def come_in(folder: Path, sign_in: SignIn, who: Contact) -> Session:
    """Sign a customer in, and write down what they were told."""
    assert isinstance(await sign_in.request_code(who, HOME, "ru"), CodeSent)
    await sign_in.close(60.0)
    _, code = next(line for line in reversed(sent(folder)) if line[0] == who.value)
    session = await sign_in.sign_in(who, code, HOME, Mode.TOKENS)
    assert isinstance(session, Session)
    return told(folder, who, session)


def told(folder: Path, who: Contact, session: Session) -> Session:
    """Write down what a customer was told."""
    assert session.tokens is not None
    append(folder / "told", f"{who.value} {session.tokens.refresh}")
    return session


async def a_day(folder: Path, last: int) -> None:
    """Sign in and refresh twice; die right before an operation of the store."""
    store, sign_in = use_cases(folder)
    await store.open()

    async def die(number: int, name: str) -> None:
        if number == last:
            os.kill(os.getpid(), signal.SIGKILL)

    store.restart(die)
    session = await come_in(folder, sign_in, customer(1))
    for _ in range(2):
        assert session.tokens is not None
        session = told(folder, customer(1), await sign_in.refresh(session.tokens.refresh))
    append(folder / "steps", str(store.number))
    await store.close()


async def a_crowd(folder: Path) -> None:
    """Sign customers in and refresh, until the end."""
    store, sign_in = use_cases(folder)
    await store.open()
    for number in range(1, 1_000_000):
        session = await come_in(folder, sign_in, customer(number))
        assert session.tokens is not None
        told(folder, customer(number), await sign_in.refresh(session.tokens.refresh))


def one_process_a_step(folder: Path) -> None:
    """Fork one process for each step, before this one has any thread."""
    for last in range(1, STEPS):
        own = folder / f"{last:02}"
        own.mkdir()
        child = os.fork()
        if child == 0:
            asyncio.run(a_day(own, last))
            os._exit(0)
        _, status = os.waitpid(child, 0)
        if os.WIFEXITED(status):
            sys.exit(os.WEXITSTATUS(status))
    sys.exit("there are more steps than that")


if __name__ == "__main__":
    what, where = sys.argv[1:]
    if what == "steps":
        one_process_a_step(Path(where))
    else:
        asyncio.run(a_crowd(Path(where)))
