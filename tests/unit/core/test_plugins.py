"""Adapters as plug-ins: addresses, settings that all have, and what entry points may hold."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from bff.plugins import Adapter, AdapterSpec, BackOfficeSettings, HeaderSecret, PluginError, address_fault, discover
from tests.fakes.back_offices import FakeBackOffice
from tests.fakes.certificates import Authority


@pytest.mark.parametrize(
    "address",
    [
        "https://1c.example.test",
        "https://1c.example.test:8443/shop/ws/cabinet.1cws",
        "HTTPS://1C.EXAMPLE.TEST/",
        "https://магазин.рф/api",
        "https://[2001:db8::1]:8443/",
        "http://localhost:8000",
        "http://127.0.0.1:8000/api",
        "http://[::1]/",
    ],
)
def test_good_addresses(address: str) -> None:
    assert address_fault(address, allow_plain_http=False) is None


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("", "write https://"),
        ("1c.example.test", "write https://"),
        ("//1c.example.test", "write https://"),
        ("https://", "write https://"),
        ("https://:443/", "write https://"),
        ("ftp://1c.example.test", "write https://"),
        ("file:///etc/passwd", "write https://"),
        ("https://1c.example.test/a b", "write https://"),
        ("https://1c.exa\nmple.test/", "write https://"),
        ("https://1c.example.test/\x00", "write https://"),
        ("https://1c.example.test:99999", "is not a URL"),
        ("https://1c.example.test:port", "is not a URL"),
        ("https://[::1", "is not a URL"),
        ("https://1c..example.test", "is not a URL"),
        (f"https://{'x' * 64}.test", "is not a URL"),
        ("https://user:sec-ret@1c.example.test", "settings of their own"),
        ("https://sec-ret@1c.example.test", "settings of their own"),
        ("https://:sec-ret@1c.example.test", "settings of their own"),
        ("https://user:sec-ret/@1c.example.test", "is not a URL"),
        ("https://1c.example.test/?token=sec-ret", "no ? and no #"),
        ("https://1c.example.test/#sec-ret", "no ? and no #"),
        ("http://1c.example.test", "use https"),
        ("http://127.0.0.1.example.test", "use https"),
        ("http://10.0.0.5/", "use https"),
    ],
)
def test_bad_addresses_say_what_to_write_and_never_what_stood_there(address: str, said: str) -> None:
    fault = address_fault(address, allow_plain_http=False)
    assert fault is not None
    assert said in fault
    with pytest.raises(ValidationError) as caught:
        BackOfficeSettings(adapter="rest", address=address)
    assert "sec-ret" not in str(caught.value)
    assert "sec-ret" not in str([error["msg"] for error in caught.value.errors()])


def test_plain_http_outside_this_machine_must_be_asked_for() -> None:
    assert address_fault("http://10.0.0.5/", allow_plain_http=True) is None
    assert BackOfficeSettings(adapter="rest", address="http://10.0.0.5/", allow_plain_http=True).limits.connections == 8


def test_limits_are_the_settings_in_seconds() -> None:
    settings = BackOfficeSettings(
        adapter="rest",
        address="https://x.test",
        timeout_ms=2_500,
        connect_timeout_ms=100,
        max_reply_bytes=1_000,
        pool=3,
    )
    limits = settings.limits
    assert (limits.total_seconds, limits.connect_seconds, limits.max_reply_bytes, limits.connections) == (
        2.5,
        0.1,
        1_000,
        3,
    )


@pytest.mark.parametrize(
    "more", [{"pool": 0}, {"batch": 0}, {"timeout_ms": 0}, {"max_reply_bytes": 0}, {"pol": 1}, {"pool": "many"}]
)
def test_senseless_settings_are_refused(more: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        BackOfficeSettings.model_validate({"adapter": "rest", "address": "https://x.test", **more})


def test_a_ca_file_is_found_beside_the_settings_and_must_hold_certificates(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    (tmp_path / "junk.pem").write_text("-----BEGIN CERTIFICATE-----\nsec-ret\n-----END CERTIFICATE-----\n")
    (tmp_path / "empty.pem").write_text("")

    def settings(ca_file: str) -> BackOfficeSettings:
        raw = {"adapter": "rest", "address": "https://x.test", "ca_file": ca_file}
        return BackOfficeSettings.model_validate(raw, context={"folder": tmp_path})

    assert settings(authority.file.name).ca_file == authority.file
    for name, said in (
        ("junk.pem", "no certificates"),
        ("empty.pem", "no certificates"),
        ("nowhere.pem", "no file"),
        (".", "no file"),
    ):
        with pytest.raises(ValidationError, match=said) as caught:
            settings(name)
        assert "sec-ret" not in str(caught.value)


class WithSecret(BackOfficeSettings):
    key: HeaderSecret


@pytest.mark.parametrize("key", ["", "ключ-sec-ret", "sec-ret\r\nX: 1", " sec-ret", "sec-ret\x00"])
def test_a_secret_that_is_no_header_is_refused_and_not_shown(key: str) -> None:
    with pytest.raises(ValidationError) as caught:
        WithSecret(adapter="rest", address="https://x.test", key=key)  # type: ignore[arg-type]  # as a file has it
    assert "sec-ret" not in str(caught.value)


def test_a_secret_does_not_print() -> None:
    settings = WithSecret.model_validate({"adapter": "rest", "address": "https://x.test", "key": "sec-ret"})
    assert "sec-ret" not in f"{settings!r} {settings}"


def test_an_adapter_says_which_ports_it_serves() -> None:
    assert FakeBackOffice().adapter("profiles", "promotions").ports == {"profiles", "promotions"}
    assert FakeBackOffice().adapter().ports == set(Adapter.PORTS)


def test_the_built_in_adapters_come_in_by_the_door_for_all() -> None:
    found = discover()
    assert {"onec_soap", "rest", "retailcrm"} <= found.keys()
    for name, spec in found.items():
        assert spec.name == name
        assert set(spec.ports) <= set(Adapter.PORTS)


Install = Callable[..., None]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Put a package with an entry point on the path, as pip would."""
    monkeypatch.syspath_prepend(str(tmp_path))

    def make(entry: str, *, package: str = "strange", **modules: str) -> None:
        for name, source in modules.items():
            (tmp_path / f"{name}.py").write_text(source)
        info = tmp_path / f"{package}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[kabinet.adapters]\n{entry}\n")

    return make


SPEC = """
from bff.plugins import AdapterSpec, BackOfficeSettings
spec = AdapterSpec(
    name="strange", kind="erp", summary="", ports=(), settings=BackOfficeSettings, build=lambda *_: None
)
"""


def test_a_strangers_adapter_is_found(install: Install) -> None:
    install("strange = strange_good:spec", strange_good=SPEC)
    assert isinstance(discover()["strange"], AdapterSpec)


@pytest.mark.parametrize(
    ("entry", "modules", "said"),
    [
        ("strange = strange_gone:spec", {}, "cannot be loaded: No module named 'strange_gone'"),
        ("strange = strange_empty:spec", {"strange_empty": ""}, "cannot be loaded"),
        ("strange = strange_bad:spec", {"strange_bad": "1 / 0"}, "cannot be loaded: division by zero"),
        ("strange = strange_syntax:spec", {"strange_syntax": "def"}, "cannot be loaded"),
        ("strange = strange_dict:spec", {"strange_dict": "spec = {}"}, "is a dict, not an AdapterSpec"),
        ("strange = strange_module", {"strange_module": SPEC}, "is a module, not an AdapterSpec"),
        ("strange = strange_class:AdapterSpec", {"strange_class": SPEC}, "is a type, not an AdapterSpec"),
    ],
)
def test_a_broken_entry_point_is_named(install: Install, entry: str, modules: dict[str, str], said: str) -> None:
    install(entry, **modules)
    with pytest.raises(PluginError, match=r"^adapter 'strange' ") as caught:
        discover()
    assert said in str(caught.value)


def test_a_package_cannot_take_the_place_of_another_ones_adapter(install: Install) -> None:
    install("rest = strange_rest:spec", strange_rest=SPEC)
    with pytest.raises(PluginError, match="two packages offer an adapter 'rest'"):
        discover()
