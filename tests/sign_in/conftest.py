"""Shops where customers sign in. After each test its logs are searched for what must not be in them."""

from collections.abc import Callable, Iterator, MutableMapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from starlette.routing import BaseRoute
from structlog.testing import capture_logs

from bff.app import Cabinet
from bff.demo.launch import DemoOffices, demo_offices
from bff.domain.clock import utc_now
from tests.resilience.loop_thread import LoopThread
from tests.sign_in.messages import Messages, MessageServers
from tests.sign_in.secrets import Secrets
from tests.sign_in.shop import Shop, open_shop
from tests.sources.conftest import Watch

OpenShop = Callable[..., Shop]
Logs = list[MutableMapping[str, Any]]


@pytest.fixture(scope="session")
def running_offices() -> Iterator[DemoOffices]:
    with demo_offices(erp={"pool": 100}) as offices:
        yield offices


@pytest.fixture
def offices(running_offices: DemoOffices) -> Iterator[DemoOffices]:
    """The three back offices, well and with their counters at zero."""
    for office in running_offices:
        office.reset()
    yield running_offices
    for office in running_offices:
        office.faults()


@pytest.fixture(scope="session")
def servers_loop() -> Iterator[LoopThread]:
    loop = LoopThread("servers of messages")
    yield loop
    loop.stop()


@pytest.fixture
def secrets() -> Secrets:
    return Secrets()


@pytest.fixture
def messages(servers_loop: LoopThread, secrets: Secrets) -> Iterator[Messages]:
    servers = MessageServers(servers_loop)
    yield servers.start(secrets)
    servers.stop()


@pytest.fixture
def logs(secrets: Secrets) -> Iterator[Logs]:
    """What was logged. There must be nothing personal in it, and no secret."""
    with capture_logs() as captured:
        yield captured
    assert secrets.in_lines(captured) == []


@pytest.fixture
def watch() -> Watch:
    """The time of the service: it stands still until it is moved."""
    watch = Watch()
    watch.now = utc_now()
    return watch


@pytest.fixture
def new_shop(
    *, offices: DemoOffices, messages: Messages, secrets: Secrets, watch: Watch, tmp_path: Path, logs: Logs
) -> Iterator[OpenShop]:
    """Opens shops with settings of their own; what stands in the given tables goes over the demo's."""
    assert logs == []
    with ExitStack() as stack:

        def new(*, routes: Callable[[Cabinet], Sequence[BaseRoute]] = lambda _: (), **over: Any) -> Shop:
            store = tmp_path / "kabinet.sqlite"
            return stack.enter_context(
                open_shop(
                    offices=offices,
                    messages=messages,
                    secrets=secrets,
                    watch=watch,
                    store=store,
                    over=over,
                    routes=routes,
                )
            )

        yield new


@pytest.fixture
def shop(new_shop: OpenShop) -> Shop:
    """A shop as it is by itself."""
    return new_shop()
