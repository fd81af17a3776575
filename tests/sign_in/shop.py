"""A cabinet that customers sign in at, with offices, messages and a store that tests look into."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import httpx2
from starlette.routing import BaseRoute

from bff.app import Cabinet, assemble, create_app
from bff.config import merge
from bff.demo.launch import DemoOffices
from bff.demo.run import demo_settings
from bff.identity.sign_in import SignIn
from tests.patience import patient, until
from tests.sign_in.customer import Customer
from tests.sign_in.messages import Messages
from tests.sign_in.secrets import Secrets
from tests.sign_in.served import served
from tests.sources.conftest import Watch

ANNA = {"phone": "+79000001001"}
"""c-1001 of the demo, who has something in every section."""
ANNAS_MAIL = {"email": "anna.sokolova@pochta.example"}
OLEG = {"phone": "+79000001002"}
"""c-1002, who is new."""
_STRANGERS = count(1)

PROXY = "127.0.0.0/8"
"""What connects here may say for whom: customers of the tests are in networks of their own."""


def stranger() -> dict[str, str]:
    """A phone that the shop does not know. It is new each time: the offices of the tests remember who registers."""
    return {"phone": f"+7916123{next(_STRANGERS):04}"}


@dataclass(slots=True)
class Shop:
    """A shop that is open."""

    address: str
    cabinet: Cabinet
    offices: DemoOffices
    messages: Messages
    secrets: Secrets
    http: httpx2.Client
    watch: Watch
    store: Path
    _customers: int = field(default=0)

    def customer(self, contact: Mapping[str, str] = ANNA, network: str | None = None) -> Customer:
        """A front end, in a network of its own unless one is given."""
        self._customers += 1
        self.secrets.add(*contact.values())
        network = network or f"198.51.{self._customers // 250}.{self._customers % 250 + 1}"
        return Customer(self.address, self.http, self.messages, self.secrets, contact, network)

    @property
    def sign_in(self) -> SignIn:
        """The use cases, as they run."""
        assert self.cabinet.door.sign_in is not None
        return self.cabinet.door.sign_in

    def later(self, seconds: float) -> None:
        """Let time pass."""
        self.watch.move(seconds)

    def calls(self) -> dict[str, dict[str, int]]:
        """What the back offices were asked since they were reset, by office."""
        return {office.name: dict(office.calls()) for office in self.offices}

    def sent(self) -> dict[str, int]:
        """How many messages each contact got, when none is on its way any more."""
        until(lambda: self.sign_in.sends_under_way == 0, "codes are on their way for ever")
        return dict(self.messages.counts())

    def everything_stored(self) -> bytes:
        """Every byte of the store's files."""
        return b"".join(file.read_bytes() for file in sorted(self.store.parent.glob(self.store.name + "*")))


NO_CALLS: dict[str, dict[str, int]] = {"erp": {}, "loyalty": {}, "cms": {}}


def shop_settings(messages: Messages, store: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Settings over the demo's: codes go to the servers of the tests, nothing is kept of back offices' answers."""
    settings = patient(
        server={"forwarded_from": [PROXY]},
        limits={"customer_per_minute": 0, "network_per_minute": 0},
        cache={"enabled": False},
        senders=messages.senders,
        store={"limit_ms": 30_000, **store},
    )
    merge(settings, over)
    return settings


@contextmanager
def open_shop(
    *,
    offices: DemoOffices,
    messages: Messages,
    secrets: Secrets,
    watch: Watch,
    store: Path,
    over: Mapping[str, Any],
    routes: Callable[[Cabinet], Sequence[BaseRoute]],
) -> Iterator[Shop]:
    """Serve a shop for as long as the context lasts, with `routes` of a test beside its own."""
    settings = shop_settings(messages, {} if "store" in over else {"path": str(store)}, over)
    cabinet = assemble(demo_settings(offices, over=settings), clock=watch)
    app = create_app(cabinet)
    app.router.routes.extend(routes(cabinet))
    with served(app) as address, httpx2.Client() as http:
        yield Shop(address, cabinet, offices, messages, secrets, http, watch, store)
