"""What is refused at start, and what `check` finds."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from adapters.erp.onec_soap import spec
from bff.errors import BadReply, SignInRefused
from bff.http import HttpClients
from bff.plugins import Adapter, SettingsFault
from tests.unit.adapters.fake_http import Answer
from tests.unit.adapters.onec_soap.conftest import HERE, Make
from tests.unit.adapters.onec_soap.fake_1c import FakeOneC

pytestmark = pytest.mark.anyio

WSDL = (HERE / "shop.wsdl").read_text("utf-8")
MAPPING = (HERE / "shop.toml").read_text("utf-8")


def built(folder: Path, mapping: str = MAPPING, wsdl: str = WSDL, **settings: str) -> Adapter:
    (folder / "m.toml").write_text(mapping, "utf-8")
    (folder / "w.wsdl").write_text(wsdl, "utf-8")
    raw = {"adapter": "onec_soap", "address": "https://1c.test/ws", "wsdl": "w.wsdl", "mapping": "m.toml"}
    raw |= {"user": "u", "password": "p", **settings}
    return spec.build("erp", spec.settings_from(raw, folder), HttpClients())


def faults(folder: Path, mapping: str = MAPPING, wsdl: str = WSDL, **settings: str) -> list[str]:
    with pytest.raises(SettingsFault) as caught:
        built(folder, mapping, wsdl, **settings)
    return caught.value.faults


def without(name: str) -> str:
    """The mapping without a read."""
    head, _, rest = MAPPING.partition(f"[reads.{name}.request]")
    tail = rest.partition(f"[reads.{name}.reply")[2].partition("\n[reads.")
    while tail[2].startswith(f"{name}.reply"):
        tail = tail[2].partition("\n[reads.")
    return head + "[reads." + tail[2]


async def test_ports_are_what_is_mapped(tmp_path: Path) -> None:
    assert built(tmp_path).ports == set(spec.ports)
    assert built(tmp_path, without("favorites")).ports == set(spec.ports) - {"favorites"}


def test_the_operation_must_be_in_the_wsdl(tmp_path: Path) -> None:
    (fault,) = faults(tmp_path, MAPPING.replace('"Marked"', '"Markd"'))
    assert fault.startswith("m.toml: reads.favorites.request: the WSDL has no operation 'Markd'; it has ")
    assert "Marked" in fault


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ('"Filter/Client/Id"', '"Filter/Client/Ид"', "its paths are Filter/Client/Id, Filter/Client/Archived"),
        ('"Filter/Client/Id"', '"Filter/Client"', "has elements inside"),
        ('"Filter/Client/Archived" = false', '"Filter/Client/Archived" = "no"', "xs:boolean"),
        ('{ "Filter/Client/Archived" = false }', "{}", "Missing element Archived"),
        ("{ Top = 1 }", '{ Top = "one" }', "does not fit the type"),
        ("{ Top = 1 }", "{ Top = true }", "xs:boolean"),
        ("{ Top = 1 }", '{ Top = 1, Ids = "x" }', "has a constant too"),
        ('joined = ";"', "", "comes only once by the WSDL; set joined"),
        ('joined = ";"', 'joined = ";"\nsingle = true', "exclude each other"),
        ('joined = ";"', "joind = 1", "Extra inputs"),
        ('operation = "Offers"', 'operation = "Offers"\nkeys = "Id"', "leave out keys"),
        ('operation = "Marked"\nkeys = "Ids/Id"', 'operation = "Marked"', "keys is missing"),
        ('session_faults = ["Лицензия отозвана"]', 'session_faults = [""]', "at least 3 characters"),
        ('"NewClient"', '"NewKlient"', "writes.register.request: the WSDL has no operation 'NewKlient'"),
        ('"Client/First"', '"Client/Name"', "its paths are Client/Contact, Client/First, Client/Last"),
        ('"Client/First"', '"Client/Age"', "does not fit the type"),
        ('first_name = "Client/First"', 'name = "Client/First"', "arguments.name: there is no such argument"),
        ('first_name = "Client/First", ', "", "arguments.first_name: is required"),
        ('"Client/First"', '"Client/Contact"', "'Client/Contact': is named twice"),
        ('"Client/Source" =', '"Client/First" =', "'Client/First': is named twice"),
        ('"Client/Source" = "кабинет", ', "", "Missing element Source"),
    ],
)
def test_a_request_that_does_not_fit_the_wsdl(tmp_path: Path, old: str, new: str, told: str) -> None:
    assert old in MAPPING
    (fault,) = faults(tmp_path, MAPPING.replace(old, new))
    assert told in fault


def test_all_faults_come_together(tmp_path: Path) -> None:
    mapping = (
        MAPPING.replace('"Marked"', '"Markd"').replace('"Filter/Client/Id"', '"Id"').replace('"Id", name', '"I D"')
    )
    mapping = mapping.replace('title = "Title"', 'titel = "Title"')
    told = faults(tmp_path, mapping)
    assert len(told) >= 4
    told = faults(tmp_path, "format = 2", "<not-wsdl")
    assert {line.split(":")[0] for line in told} == {"m.toml", "w.wsdl"}


@pytest.mark.parametrize("missing", ["orders", "latest_orders"])
def test_orders_need_both_reads(tmp_path: Path, missing: str) -> None:
    (fault,) = faults(tmp_path, without(missing))
    assert f"reads.{missing}: is missing" in fault


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("[writes.register.", "[writes.enlist.", "writes.enlist: there is no such write; there are register"),
        ("[reads.find.", "[reads.register.", "reads.register: there is no such read"),
    ],
)
def test_customers_need_the_read_and_the_write(tmp_path: Path, old: str, new: str, told: str) -> None:
    wrong, missing = faults(tmp_path, MAPPING.replace(old, new))
    assert told in wrong
    assert "is missing: customers are served by reads.find and writes.register together" in missing


async def test_which_port_of_the_wsdl(tmp_path: Path) -> None:
    two = WSDL.replace("</service>", '<port name="Other" binding="tns:ShopSoapBinding"/></service>')
    (fault,) = faults(tmp_path, wsdl=two)
    assert "ShopSoap of Shop, Other of Shop" in fault
    assert built(tmp_path, wsdl=two, port="ShopSoap").ports
    (fault,) = faults(tmp_path, service="Nothing")
    assert "ShopSoap of Shop" in fault
    (fault,) = faults(tmp_path, wsdl=WSDL.replace("ShopSoap12Binding", "Gone", 1), soap="1.2")
    assert "SOAP 1.2: none" in fault


@pytest.mark.parametrize(
    "include",
    [
        '<import namespace="urn:x" location="http://127.0.0.1:1/x.wsdl"/>',
        '<import namespace="urn:x" location="file:///etc/hostname"/>',
        '<import namespace="urn:x" location="/etc/hostname"/>',
        '<import namespace="urn:x" location="../../outside.wsdl"/>',
    ],
)
def test_a_wsdl_that_reaches_out_is_refused(tmp_path: Path, include: str) -> None:
    (tmp_path / "outside.wsdl").write_text(WSDL, "utf-8")
    folder = tmp_path / "a" / "b"
    folder.mkdir(parents=True)
    (fault,) = faults(folder, wsdl=WSDL.replace("<types>", include + "<types>", 1))
    assert fault.startswith("w.wsdl: the WSDL cannot be read (")


@pytest.mark.parametrize("doctype", ["<!DOCTYPE x>", '<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/hostname">]>'])
def test_a_wsdl_with_a_dtd_is_refused(tmp_path: Path, doctype: str) -> None:
    (fault,) = faults(tmp_path, wsdl=WSDL.replace("?>", "?>" + doctype, 1))
    assert "DTDForbidden" in fault


async def test_a_schema_beside_the_wsdl_is_read(tmp_path: Path) -> None:
    start, end = WSDL.index("<xs:schema"), WSDL.index("</xs:schema>") + len("</xs:schema>")
    (tmp_path / "types.xsd").write_text(WSDL[start:end], "utf-8")
    outer = '<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema">'
    include = f'{outer}<xs:import namespace="urn:shop" schemaLocation="types.xsd"/></xs:schema>'
    assert built(tmp_path, wsdl=WSDL[:start] + include + WSDL[end:]).ports == set(spec.ports)


def test_settings(tmp_path: Path) -> None:
    for wrong in ({"user": "a:b"}, {"soap": "1.3"}, {"sessions": "some"}, {"password": ""}, {"ca_file": "no.pem"}):
        with pytest.raises(ValidationError) as caught:
            built(tmp_path, **wrong)
        assert "a:b" not in str(caught.value)


def test_the_demos_files_fit_each_other() -> None:
    demo = Path(__file__).parents[4] / "bff" / "demo"
    raw = {"adapter": "onec_soap", "address": "https://1c.test/ws", "wsdl": "cabinet.wsdl", "mapping": "erp.toml"}
    settings = spec.settings_from({**raw, "user": "u", "password": "p"}, demo / "shop")
    assert spec.build("erp", settings, HttpClients()).ports == {"profiles", "orders", "customers"}


async def test_check_says_what_it_found(server: FakeOneC, make: Make) -> None:
    server.script = [Answer(WSDL.encode())]
    assert await make().check() == "its WSDL has 10 operations, among them all 10 that the mapping names"
    (asked,) = server.asked
    assert (asked.method, asked.target) == ("GET", "/shop/ws/shop.1cws?wsdl")
    assert "authorization" in asked.headers


@pytest.mark.parametrize(
    ("answer", "error", "told"),
    [
        (Answer(WSDL.replace('"Marked"', '"Marks"').encode()), BadReply, "no operation Marked,"),
        (Answer(b"<html/>"), BadReply, "not a WSDL"),
        (Answer(b"<html>"), BadReply, "not whole XML"),
        (Answer(status=401), SignInRefused, "refused"),
    ],
)
async def test_check_fails(
    server: FakeOneC, adapter: Adapter, answer: Answer, error: type[Exception], told: str
) -> None:
    server.script = [answer]
    with pytest.raises(error, match=told) as caught:
        await adapter.check()
    assert str(caught.value).startswith("erp: ")
