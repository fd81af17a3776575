"""A plain client of hostile offices: it sends calls of the demo's offices, and takes what comes, byte by byte."""

import socket
from base64 import b64encode
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from urllib.parse import quote

from tests.patience import PATIENCE_SECONDS
from tests.resilience.hostile import HostileOffice

CUSTOMERS = ("c-1001", "c-1002")
ERP = "ПолучитьКлиентов"
ENVELOPE = (
    '<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/" xmlns:m="http://shop.example/cabinet">'
    "<s:Body><m:{0}><m:ИдентификаторыКлиентов>{1}</m:ИдентификаторыКлиентов>{2}</m:{0}></s:Body></s:Envelope>"
)


SIGN_IN = {
    "erp": ("Authorization", "Basic " + b64encode(b"cabinet:demo").decode()),
    "loyalty": ("X-API-KEY", "demo"),
    "cms": ("Authorization", "Bearer demo"),
}


def request(name: str, operation: str = "", customers: Sequence[str] = CUSTOMERS) -> bytes:
    """A call of that office, as it goes over the wire."""
    if name == "erp":
        operation = operation or ERP
        count = "" if operation == ERP else "<m:Количество>1</m:Количество>"
        listed = "".join(f"<m:Ид>{customer}</m:Ид>" for customer in customers)
        body = ENVELOPE.format(operation, listed, count).encode()
        first = "POST /shop/ws/cabinet.1cws"
    else:
        body = b""
        path = {
            "loyalty": "/api/v5/customers?" + "&".join(f"filter[externalIds][]={each}" for each in CUSTOMERS),
            "cms": "/api/favorites?customer_ids=" + ",".join(CUSTOMERS),
            "products": "/api/products?ids=p-0001,p-0002",
        }[operation or name]
        first = "GET " + quote(path, safe="/?&=,-")
    sign_in = ": ".join(SIGN_IN[name])
    head = f"{first} HTTP/1.1\r\nHost: x\r\n{sign_in}\r\nContent-Length: {len(body)}\r\nContent-Type: text/xml\r\n\r\n"
    return head.encode() + body


@contextmanager
def connected(office: HostileOffice) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", office.port), timeout=PATIENCE_SECONDS) as client:
        yield client


def raw(office: HostileOffice, sent: bytes, most: int = 3_000_000) -> bytes:
    """All that comes until the end, or `most` bytes."""
    got = bytearray()
    with connected(office) as client, suppress(ConnectionResetError):
        client.sendall(sent)
        # Nothing more will be asked: what would keep the connection, or hang, ends it.
        client.shutdown(socket.SHUT_WR)
        while len(got) < most and (data := client.recv(65_536)):
            got += data
    return bytes(got)


def ask(office: HostileOffice, sent: bytes) -> tuple[int, dict[str, str], bytes]:
    """A whole answer of the declared length: status, headers (lower case), body."""
    with connected(office) as client:
        client.sendall(sent)
        with client.makefile("rb") as answer:
            status = int(answer.readline().split()[1])
            headers = {}
            while line := answer.readline().decode("latin-1").strip():
                name, _, value = line.partition(": ")
                headers[name.lower()] = value
            return status, headers, answer.read(int(headers["content-length"]))


def split(answer: bytes) -> tuple[dict[str, str], bytes]:
    """Headers (lower case) and what follows them."""
    head, _, body = answer.partition(b"\r\n\r\n")
    lines = head.decode("latin-1").split("\r\n")[1:]
    return {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}, body
