"""Each hostile answer is what its name says, as a plain client sees it."""

import gzip
import json
import socket
import zlib
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from urllib.parse import quote
from urllib.request import urlopen

import pytest
from lxml import etree

from bff.demo.launch import DemoOffice, DemoOffices, demo_offices
from tests.resilience.documents import DEMO_SHAPES, Dialect
from tests.resilience.hostile import HostileOffice, applies, hostile
from tests.resilience.hostile_documents import DEPTH
from tests.resilience.hostilities import CANARY, STRANGER, WAYS, Hostility
from tests.resilience.traps import SECRET

CUSTOMERS = ("c-1001", "c-1002")
ERP = "ПолучитьКлиентов"
IDS = "".join(f"<m:Ид>{customer}</m:Ид>" for customer in CUSTOMERS)
ENVELOPE = (
    '<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/" xmlns:m="http://shop.example/cabinet">'
    "<s:Body><m:{0}><m:ИдентификаторыКлиентов>{1}</m:ИдентификаторыКлиентов>{2}</m:{0}></s:Body></s:Envelope>"
)
SIGN_IN = {
    "erp": ("Authorization", "Basic " + b64encode(b"cabinet:demo").decode()),
    "loyalty": ("X-API-KEY", "demo"),
    "cms": ("Authorization", "Bearer demo"),
}


@pytest.fixture(scope="module")
def offices() -> Iterator[DemoOffices]:
    with demo_offices() as offices:
        yield offices


@pytest.fixture(scope="module")
def running(offices: DemoOffices) -> Iterator[dict[str, HostileOffice]]:
    with (
        hostile("127.0.0.1", offices.erp.port) as erp,
        hostile("127.0.0.1", offices.loyalty.port) as loyalty,
        hostile("127.0.0.1", offices.cms.port) as cms,
    ):
        yield {"erp": erp, "loyalty": loyalty, "cms": cms}


@pytest.fixture
def bad(running: dict[str, HostileOffice]) -> Iterator[dict[str, HostileOffice]]:
    for office in running.values():
        office.reset()
    yield running
    for office in running.values():
        office.heal()


def request(name: str, operation: str = "") -> bytes:
    """A call of that office, as it goes over the wire."""
    if name == "erp":
        operation = operation or ERP
        count = "" if operation == ERP else "<m:Количество>1</m:Количество>"
        body = ENVELOPE.format(operation, IDS, count).encode()
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
def connected(office: HostileOffice, seconds: float = 2.0) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", office.port), timeout=seconds) as client:
        yield client


def raw(office: HostileOffice, sent: bytes, most: int = 3_000_000, seconds: float = 2.0) -> bytes:
    """All that comes until the end, or `most` bytes, or until nothing comes for so long."""
    got = bytearray()
    with connected(office, seconds) as client, suppress(TimeoutError, ConnectionResetError):
        client.sendall(sent)
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


def erp_records(body: bytes) -> list[dict[str, str | None]]:
    records = etree.fromstring(body).iter("{http://shop.example/cabinet}Клиент")
    return [{etree.QName(field).localname: field.text for field in record.iterchildren("{*}*")} for record in records]


def ids(name: str, body: bytes) -> list[str | None]:
    if name == "erp":
        return [record["Ид"] for record in erp_records(body)]
    items = json.loads(body)["customers" if name == "loyalty" else "items"]
    return [item["externalId" if name == "loyalty" else "customer_id"] for item in items]


def test_every_name_has_a_way() -> None:
    assert set(WAYS) == set(Hostility)


@pytest.mark.parametrize("name", ["erp", "loyalty", "cms"])
def test_healthy_it_passes_everything_and_counts(
    name: str, bad: dict[str, HostileOffice], offices: DemoOffices
) -> None:
    healthy: DemoOffice = getattr(offices, name)
    healthy.reset()
    status, _, body = ask(bad[name], request(name))
    assert (status, ids(name, body)) == (200, list(CUSTOMERS))
    assert bad[name].calls == healthy.calls()
    assert not bad[name].spoilt


@pytest.mark.parametrize("name", ["erp", "loyalty", "cms"])
@pytest.mark.parametrize(
    ("hostility", "expected"),
    [
        (Hostility.WRONG_OWNER, [STRANGER, "c-1002"]),
        (Hostility.STRANGER_BESIDE, [*CUSTOMERS, STRANGER]),
        (Hostility.DUPLICATE, [*CUSTOMERS, "c-1001"]),
        (Hostility.DUPLICATE_DIFFERENT, [*CUSTOMERS, "c-1001"]),
        (Hostility.MISSING_KEY, ["c-1002"]),
        (Hostility.REVERSED, ["c-1002", "c-1001"]),
        (Hostility.UNKNOWN_FIELDS, list(CUSTOMERS)),
        (Hostility.BOM, list(CUSTOMERS)),
    ],
)
def test_whose_records_come(
    name: str, hostility: Hostility, expected: list[str], bad: dict[str, HostileOffice]
) -> None:
    bad[name].set(hostility)
    status, _, body = ask(bad[name], request(name))
    assert status == 200
    assert body.startswith(b"\xef\xbb\xbf") == (hostility is Hostility.BOM)
    assert ids(name, body.removeprefix(b"\xef\xbb\xbf")) == expected
    assert sum(bad[name].spoilt.values()) == 1
    bad[name].heal()
    assert ids(name, ask(bad[name], request(name))[2]) == list(CUSTOMERS)


@pytest.mark.parametrize(
    ("hostility", "in_xml", "in_json"),
    [
        (Hostility.TEXT_FOR_NUMBER, CANARY, f'"personalDiscount": "{CANARY}"'),
        (Hostility.NAN, ">NaN<", '"personalDiscount": NaN'),
        (Hostility.DECIMAL_COMMA, ">10,5<", '"personalDiscount": "10,5"'),
        (Hostility.HUGE_NUMBER, "9" * 4_000, '"personalDiscount": ' + "9" * 4_000),
        (Hostility.LIST_FOR_VALUE, "</m:ДатаРождения><m:ДатаРождения", '"personalDiscount": ['),
        (Hostility.NULL_FOR_REQUIRED, 'Ид xsi:nil="true"/>', '"externalId": null'),
    ],
)
def test_what_stands_in_a_record(
    hostility: Hostility, in_xml: str, in_json: str, bad: dict[str, HostileOffice]
) -> None:
    for name, expected in (("erp", in_xml), ("loyalty", in_json)):
        bad[name].set(hostility)
        assert expected in ask(bad[name], request(name))[2].decode()


def test_an_order_may_name_another_customer_than_its_record(bad: dict[str, HostileOffice]) -> None:
    operation = "ПолучитьПоследниеЗаказы"
    bad["erp"].set(Hostility.WRONG_INNER_OWNER, operation=operation)
    _, _, body = ask(bad["erp"], request("erp", operation))
    assert "<m:Ид>c-1001</m:Ид><m:Заказы>" in body.decode()
    assert f"<m:ИдКлиента>{STRANGER}<" in body.decode()


def test_json_has_its_own(bad: dict[str, HostileOffice]) -> None:
    bad["cms"].set(Hostility.LONE_OBJECT)
    assert json.loads(ask(bad["cms"], request("cms"))[2])["items"]["customer_id"] == "c-1001"
    bad["cms"].set(Hostility.DUPLICATE_MEMBERS)
    assert f'"customer_id": "c-1001", "customer_id": "{STRANGER}"' in ask(bad["cms"], request("cms"))[2].decode()


@pytest.mark.parametrize(
    ("hostility", "status"),
    [
        (Hostility.EMPTY_BODY, 200),
        (Hostility.OTHER_DOCUMENT, 200),
        (Hostility.HTML_200, 200),
        (Hostility.TECHNICAL_FAULT_200, 200),
        (Hostility.TECHNICAL_FAULT_500, 500),
        (Hostility.BUSINESS_FAULT, 500),
        (Hostility.HTML_502, 502),
        (Hostility.BUSY_503, 503),
        (Hostility.BUSY_429, 429),
        (Hostility.REFUSED_401, 401),
        (Hostility.REFUSED_403, 403),
        (Hostility.SESSION_400, 400),
        (Hostility.SESSION_406, 406),
        (Hostility.REDIRECT, 307),
    ],
)
def test_statuses(hostility: Hostility, status: int, bad: dict[str, HostileOffice], offices: DemoOffices) -> None:
    offices.erp.reset()
    bad["erp"].set(hostility, times=1)
    found, headers, body = ask(bad["erp"], request("erp"))
    assert found == status
    assert (headers.get("retry-after") == "1") == (status in {429, 503})
    assert bool(body) == (hostility is not Hostility.EMPTY_BODY)
    # Refusals come before anything has happened.
    assert sum(offices.erp.calls().values()) == WAYS[hostility].asks
    # It was ordered once.
    assert ask(bad["erp"], request("erp"))[0] == 200


def test_redirects_and_entities_lead_into_traps(bad: dict[str, HostileOffice]) -> None:
    traps = bad["erp"].traps
    bad["erp"].set(Hostility.REDIRECT)
    target = ask(bad["erp"], request("erp"))[1]["location"]
    assert target.startswith(traps.address)
    assert not traps.visits
    with urlopen(target) as answer:  # noqa: S310 - our own trap
        assert answer.read().decode() == SECRET
    assert [visit.bears_credentials for visit in traps.visits] == [False]
    host, _, port = traps.address.rpartition("/")[2].partition(":")
    with socket.create_connection((host, int(port))) as client:
        client.sendall(request("erp"))
        assert client.recv(100)
    assert [visit.bears_credentials for visit in traps.visits] == [False, True]


def test_a_parser_that_fetches_entities_is_seen(bad: dict[str, HostileOffice]) -> None:
    bad["erp"].set(Hostility.ENTITY_FILE)
    _, _, body = ask(bad["erp"], request("erp"))
    assert bad["erp"].traps.file_reads == 0
    careless = etree.XMLParser(resolve_entities=True, load_dtd=True, no_network=False)
    with suppress(etree.XMLSyntaxError):  # the parameter entity is no DTD
        etree.fromstring(body, careless)
    assert bad["erp"].traps.file_reads >= 1
    bad["erp"].set(Hostility.ENTITY_HTTP)
    assert f'SYSTEM "{bad["erp"].traps.address}/entity"' in ask(bad["erp"], request("erp"))[2].decode()


def test_a_document_type(bad: dict[str, HostileOffice]) -> None:
    bad["erp"].set(Hostility.DTD)
    root = etree.fromstring(ask(bad["erp"], request("erp"))[2])
    assert root.getroottree().docinfo.internalDTD is not None
    assert root.findtext(".//{*}Фамилия") == CANARY


@pytest.mark.parametrize("hostility", [Hostility.BILLION_LAUGHS, Hostility.LAUGHS_LATE, Hostility.LAUGHS_UTF16])
def test_laughs(hostility: Hostility, bad: dict[str, HostileOffice]) -> None:
    bad["erp"].set(hostility)
    body = ask(bad["erp"], request("erp"))[2]
    # Who looks for it with a short arm, or in ASCII, does not find it.
    assert (b"<!DOCTYPE" in body[:4_096]) == (hostility is Hostility.BILLION_LAUGHS)
    with pytest.raises(etree.XMLSyntaxError, match="amplification"):
        etree.fromstring(body)


def test_depth(bad: dict[str, HostileOffice]) -> None:
    bad["erp"].set(Hostility.DEEP)
    bad["cms"].set(Hostility.DEEP)
    assert b"<d>" * DEPTH + b"</d>" * DEPTH in ask(bad["erp"], request("erp"))[2]
    assert b"[" * DEPTH + b"]" * DEPTH in ask(bad["cms"], request("cms"))[2]


def test_charsets(bad: dict[str, HostileOffice]) -> None:
    bad["erp"].set(Hostility.BAD_CHARSET)
    with pytest.raises(UnicodeDecodeError):
        ask(bad["erp"], request("erp"))[2].decode()
    bad["erp"].set(Hostility.DECLARED_CP1251)
    assert ids("erp", ask(bad["erp"], request("erp"))[2]) == list(CUSTOMERS)


def split(answer: bytes) -> tuple[dict[str, str], bytes]:
    """Headers (lower case) and what follows them."""
    head, _, body = answer.partition(b"\r\n\r\n")
    lines = head.decode("latin-1").split("\r\n")[1:]
    return {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}, body


@pytest.mark.parametrize("name", ["erp", "cms"])
def test_lengths_that_lie(name: str, bad: dict[str, HostileOffice]) -> None:
    whole = ask(bad[name], request(name))[2]
    answers = {}
    for hostility in (
        Hostility.CUT_RIGHT_LENGTH,
        Hostility.CUT_WRONG_LENGTH,
        Hostility.LENGTH_TOO_SHORT,
        Hostility.LENGTH_TOO_LONG,
    ):
        bad[name].set(hostility)
        headers, body = split(raw(bad[name], request(name), seconds=0.05))
        answers[hostility] = (int(headers["content-length"]), len(body))
    half, length = len(whole) // 2, len(whole)
    assert answers == {
        Hostility.CUT_RIGHT_LENGTH: (half, half),
        Hostility.CUT_WRONG_LENGTH: (length, half),
        Hostility.LENGTH_TOO_SHORT: (half, length),
        Hostility.LENGTH_TOO_LONG: (length + 1, length),
    }
    bad[name].set(Hostility.LENGTHS_DIFFER)
    assert raw(bad[name], request(name)).lower().count(b"content-length:") == 2
    bad[name].set(Hostility.LENGTH_NOT_A_NUMBER)
    assert split(raw(bad[name], request(name)))[0]["content-length"] == CANARY


def test_a_second_answer_comes_unasked(bad: dict[str, HostileOffice]) -> None:
    bad["cms"].set(Hostility.SECOND_ANSWER)
    answer = raw(bad["cms"], request("cms"), seconds=0.05)
    assert answer.count(b"HTTP/1.1 200") == 2
    assert answer.endswith(CANARY.encode() + b'"}')


def test_chunks(bad: dict[str, HostileOffice]) -> None:
    whole = ask(bad["cms"], request("cms"))[2]
    for hostility in (Hostility.CHUNKS_CUT, Hostility.CHUNKS_HANG):
        bad["cms"].set(hostility)
        headers, body = split(raw(bad["cms"], request("cms"), seconds=0.05))
        assert headers["transfer-encoding"] == "chunked"
        assert body == f"{len(whole):x}\r\n".encode() + whole + b"\r\n"
    bad["cms"].set(Hostility.CHUNKS_BROKEN)
    assert raw(bad["cms"], request("cms")).endswith(f"\r\n{CANARY}\r\n".encode())


@pytest.mark.parametrize(
    "hostility",
    [
        Hostility.ENDLESS,
        Hostility.ENDLESS_CHUNKS,
        Hostility.GIGABYTE,
        Hostility.ENDLESS_HEADERS,
    ],
)
def test_bytes_without_an_end_are_counted(hostility: Hostility, bad: dict[str, HostileOffice]) -> None:
    bad["erp"].set(hostility)
    answer = raw(bad["erp"], request("erp"), most=20_000_000)
    assert len(answer) >= 20_000_000
    sent = bad["erp"].sent[ERP]
    assert len(answer) - 3_000_000 < sent < len(answer) + 10_000_000
    assert ("content-length: 1000000000" in answer[:1_000].decode().lower()) == (hostility is Hostility.GIGABYTE)


def test_interim_answers_without_an_end(bad: dict[str, HostileOffice]) -> None:
    bad["erp"].set(Hostility.ENDLESS_INTERIM)
    assert raw(bad["erp"], request("erp"), most=20_000).count(b"HTTP/1.1 103 ") > 200


def test_bombs(bad: dict[str, HostileOffice]) -> None:
    good = json.loads(ask(bad["cms"], request("cms"))[2])
    bad["cms"].set(Hostility.GZIP_10_MB)
    status, headers, body = ask(bad["cms"], request("cms"))
    assert (status, headers["content-encoding"]) == (200, "gzip")
    assert len(body) < 20_000
    unzipped = gzip.decompress(body)
    assert len(unzipped) > 10_000_000
    assert json.loads(unzipped) == good

    bad["cms"].set(Hostility.GZIP_1_GB)
    headers, body = split(raw(bad["cms"], request("cms")))
    assert headers["content-encoding"] == "gzip"
    assert len(body) < 2_000_000
    decoder, size = zlib.decompressobj(wbits=31), 0
    # A tenth of it, so that the test is quick.
    for start in range(0, len(body) // 10, 1_000):
        size += len(decoder.decompress(body[start : start + 1_000]))
    assert size > 90_000_000


def test_broken_encodings(bad: dict[str, HostileOffice]) -> None:
    bad["cms"].set(Hostility.GZIP_BROKEN)
    with pytest.raises((zlib.error, gzip.BadGzipFile)):
        gzip.decompress(ask(bad["cms"], request("cms"))[2])
    bad["cms"].set(Hostility.GZIP_TRAILED)
    assert ask(bad["cms"], request("cms"))[2].endswith(CANARY.encode())
    bad["cms"].set(Hostility.UNKNOWN_ENCODING)
    assert ask(bad["cms"], request("cms"))[1]["content-encoding"] == "br"


def test_heads_that_are_none(bad: dict[str, HostileOffice]) -> None:
    bad["cms"].set(Hostility.LARGE_HEADER)
    assert len(ask(bad["cms"], request("cms"))[1]["x-padding"]) > 100_000
    bad["cms"].set(Hostility.HTTP_09)
    assert raw(bad["cms"], request("cms")).startswith(CANARY.encode())


def test_one_operation_alone(bad: dict[str, HostileOffice]) -> None:
    bad["cms"].set(Hostility.HTML_502, operation="favorites")
    assert ask(bad["cms"], request("cms"))[0] == 502
    assert ask(bad["cms"], request("cms", "products"))[0] == 200
    assert (bad["cms"].calls, bad["cms"].spoilt) == ({"favorites": 1, "products": 1}, {"favorites": 1})


def test_what_does_not_suit_is_refused(bad: dict[str, HostileOffice]) -> None:
    assert not applies(Hostility.DTD, "favorites")
    with pytest.raises(ValueError, match="DTD does not suit favorites"):
        bad["cms"].set(Hostility.DTD, operation="favorites")
    with pytest.raises(ValueError, match="no operation 'favourites'"):
        bad["cms"].set(Hostility.HTML_502, operation="favourites")


def test_every_hostility_suits_something() -> None:
    assert all(any(applies(each, name) for name in DEMO_SHAPES) for each in Hostility)
    assert {shape.dialect for shape in DEMO_SHAPES.values()} == set(Dialect)
