"""The three offices, started once, in good health and with zeroed counters before every test."""

from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

import httpx2
import pytest
import zeep
from lxml import etree

import bff.demo
from bff.demo.data.world import World
from bff.demo.launch import DemoOffices, demo_offices
from tests.patience import PATIENCE_SECONDS

TODAY = date(2026, 11, 21)
SERVICE = "ЛичныйКабинет"
MEDIA_TYPES = {"Soap": "text/xml; charset=utf-8", "Soap12": "application/soap+xml; charset=utf-8"}


@pytest.fixture(scope="session")
def world() -> World:
    """The same data as the offices', to compare with."""
    return World(TODAY)


@pytest.fixture(scope="session")
def running() -> Iterator[DemoOffices]:
    with demo_offices(today=TODAY) as offices:
        yield offices


@pytest.fixture
def offices(running: DemoOffices) -> DemoOffices:
    for office in running:
        office.faults()
        office.reset()
    return running


@pytest.fixture(scope="session")
def http() -> Iterator[httpx2.Client]:
    # Few: a connection that one test leaves hanging must not serve the next.
    with httpx2.Client(timeout=PATIENCE_SECONDS, limits=httpx2.Limits(max_keepalive_connections=0)) as client:
        yield client


@pytest.fixture(scope="session")
def wsdl() -> zeep.Client:
    """zeep's view of the shipped WSDL; nothing is fetched."""
    path = Path(bff.demo.__file__).parent / "shop" / "cabinet.wsdl"
    settings = zeep.Settings(strict=True, forbid_dtd=True, forbid_external=True)
    return zeep.Client(str(path), settings=settings)  # type: ignore[no-untyped-call]  # zeep is typed in part


@pytest.fixture(scope="session")
def envelope(wsdl: zeep.Client) -> Callable[..., bytes]:
    """Makes a request as zeep writes it: ``envelope("ПолучитьКлиентов", port="Soap12", …)``."""

    def make(operation: str, *, port: str = "Soap", **parameters: Any) -> bytes:
        service = wsdl.bind(SERVICE, SERVICE + port)
        message = wsdl.create_message(service, operation, **parameters)  # type: ignore[no-untyped-call]  # as above
        return etree.tostring(message, encoding="utf-8")

    return make


@pytest.fixture(scope="session")
def ask(http: httpx2.Client, envelope: Callable[..., bytes]) -> Callable[..., httpx2.Response]:
    """Calls an operation of the ERP with good credentials."""

    def call(
        address: str,
        operation: str = "ПолучитьКлиентов",
        *,
        port: str = "Soap",
        headers: dict[str, str] | None = None,
        timeout: httpx2.Timeout | float = PATIENCE_SECONDS,
        **parameters: Any,
    ) -> httpx2.Response:
        if not parameters:
            parameters = {"ИдентификаторыКлиентов": {"Ид": ["c-1001"]}}
        http.cookies.clear()  # else the client would bring an `ibsession` along that the test did not mean to send
        return http.post(
            address,
            content=envelope(operation, port=port, **parameters),
            headers={"Content-Type": MEDIA_TYPES[port], "SOAPAction": '""', **(headers or {})},
            auth=("cabinet", "demo"),
            timeout=timeout,
        )

    return call
