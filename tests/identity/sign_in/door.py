"""The front door as tests use it: the real use cases on a real SQLite file, with a mailbox and a directory of ours."""

import asyncio
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from bff.domain import Contact, ContactKind, CustomerId, Registration
from bff.errors import BackOfficeError
from bff.identity.principal import Principal
from bff.identity.sessions import Mode, Session
from bff.identity.settings import SessionSettings, SignInSettings
from bff.identity.sign_in import CodeSent, RateLimited, RegistrationNeeded, SignIn
from bff.identity.store import SqliteStore
from bff.ports import Batch, CodeSender
from tests.sources.conftest import Watch

SECRET = "not a secret at all, but long enough"
HOME = "192.0.2.7"
PATIENCE_SECONDS = 60.0

ANNA = Contact(ContactKind.PHONE, "+79161234567")
BORIS = Contact(ContactKind.PHONE, "+79161234568")
ANNAS_MAIL = Contact(ContactKind.EMAIL, "anna@pochta.example")


class Post:
    """A sender of all kinds; it keeps what it was given. With `errors` it refuses, while `gate` is closed it hangs."""

    def __init__(self) -> None:
        self.messages: list[tuple[Contact, str]] = []
        self.errors: list[Exception] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.busy = 0
        self.most_busy = 0

    async def send(self, to: Contact, text: str) -> None:
        """Take a message."""
        self.busy += 1
        self.most_busy = max(self.most_busy, self.busy)
        try:
            await self.gate.wait()
            if self.errors:
                raise self.errors.pop(0)
            self.messages.append((to, text))
        finally:
            self.busy -= 1

    async def close(self) -> None:
        """Nothing to close."""

    def to(self, contact: Contact) -> list[str]:
        """The texts that went to a contact."""
        return [text for to, text in self.messages if to == contact]


class Directory:
    """Who the shop knows. With an `error` it is down; while `gate` is closed it hangs."""

    def __init__(self, known: Mapping[Contact, str]) -> None:
        self.known = {contact: CustomerId(customer) for contact, customer in known.items()}
        self.registrations: list[Registration] = []
        self.error: BaseException | None = None
        self.error_of_key: BackOfficeError | None = None
        self.gate = asyncio.Event()
        self.gate.set()
        self.found = 0

    async def find(self, contacts: Sequence[Contact]) -> Batch[Contact, CustomerId]:
        """Look contacts up."""
        self.found += 1
        await self.gate.wait()
        if self.error is not None:
            raise self.error
        if self.error_of_key is not None:
            return dict.fromkeys(contacts, self.error_of_key)
        return {contact: self.known[contact] for contact in contacts if contact in self.known}

    async def register(self, registration: Registration) -> CustomerId:
        """Make a customer."""
        self.registrations.append(registration)
        await self.gate.wait()
        if self.error is not None:
            raise self.error
        return self.known.setdefault(registration.contact, CustomerId(f"c-new-{len(self.registrations)}"))


class Door:
    """
    Use cases on an open store, and the time they live in.

    Limits of a network do not stand in the way of tests that are about others: they are high unless given.
    """

    def __init__(self, path: Path, watch: Watch, **settings: Any) -> None:
        self.path = path
        self.watch = watch
        self.post = Post()
        self.directory = Directory({ANNA: "c-1", ANNAS_MAIL: "c-1"})
        self.store = SqliteStore(path, clock=watch, limit_seconds=PATIENCE_SECONDS)
        self.sign_in = self.another(**settings)

    async def open(self) -> None:
        """Open the store."""
        await self.store.open()

    async def close(self) -> None:
        """Close everything."""
        await self.sign_in.close()
        await self.store.close()

    def another(
        self, store: SqliteStore | None = None, senders: Mapping[ContactKind, CodeSender] | None = None, **settings: Any
    ) -> SignIn:
        """The use cases with other settings; names that sessions have go to them, the rest to codes."""
        ours = {name: settings.pop(name) for name in list(settings) if name in SessionSettings.model_fields}
        wide = {"codes_per_network": 100_000, "checks_per_network": 100_000, "codes_per_shop": 100_000}
        return SignIn(
            store or self.store,
            dict.fromkeys(ContactKind, self.post) if senders is None else senders,
            self.directory,
            SignInSettings(**{**wide, **settings}),
            SessionSettings(**{"secret": SecretStr(SECRET), **ours}),
            clock=self.watch,
        )

    async def ask(self, contact: Contact = ANNA, network: str = HOME, language: str = "ru") -> CodeSent | RateLimited:
        """Request a code, and wait until it is where it goes."""
        answer = await self.sign_in.request_code(contact, network, language)
        await self.sign_in.close(PATIENCE_SECONDS)
        return answer

    async def code(self, contact: Contact = ANNA) -> str:
        """Request a code that must be sent, and read it."""
        assert isinstance(await self.ask(contact), CodeSent)
        return self.last_code(contact)

    def last_code(self, contact: Contact = ANNA) -> str:
        """The code in the last message to a contact."""
        found = re.search(r"\b[0-9]{6}\b", self.post.to(contact)[-1])
        assert found is not None
        return found[0]

    async def enter(self, code: str, contact: Contact = ANNA, network: str = HOME, mode: Mode = Mode.TOKENS) -> Any:
        """Sign in with a code."""
        return await self.sign_in.sign_in(contact, code, network, mode)

    async def session(self, contact: Contact = ANNA, mode: Mode = Mode.TOKENS) -> Session:
        """A session of somebody who is known."""
        session = await self.enter(await self.code(contact), contact, mode=mode)
        assert isinstance(session, Session)
        return session

    async def ticket(self, contact: Contact = BORIS) -> str:
        """The ticket of somebody who is unknown."""
        needed = await self.enter(await self.code(contact), contact)
        assert isinstance(needed, RegistrationNeeded)
        return needed.ticket

    def later(self, seconds: float) -> None:
        """Let time pass."""
        self.watch.move(seconds)

    def everything_stored(self) -> bytes:
        """Every byte of the store's files."""
        return b"".join(file.read_bytes() for file in sorted(self.path.parent.glob(self.path.name + "*")))


def wrong(code: str, step: int = 1) -> str:
    """Another code."""
    return f"{(int(code) + step) % 1_000_000:06}"


def access(session: Session) -> str:
    """A session's access token."""
    assert session.tokens is not None
    return session.tokens.access


def refresh(session: Session) -> str:
    """A session's refresh token."""
    assert session.tokens is not None
    return session.tokens.refresh


def cookie(session: Session) -> str:
    """A session's cookie."""
    assert session.cookie is not None
    return session.cookie.value


def name_of(principal: Principal) -> str:
    """The id of a principal's session."""
    assert principal.session is not None
    return principal.session


def by_outcome(answers: Sequence[object]) -> dict[str, int]:
    """How many answers of each type there are."""
    counts: dict[str, int] = defaultdict(int)
    for answer in answers:
        counts[type(answer).__name__] += 1
    return dict(counts)
