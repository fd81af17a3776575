"""The mapping file: every fault of it at once."""

from pathlib import Path

import pytest
from pydantic import BaseModel

from bff.mapping import Dialect, compile_reading, compile_reads, load_mapping
from bff.plugins import SettingsFault
from tests.unit.mapping.mappings import mapping


class Request(BaseModel, extra="forbid"):
    path: str


def faults(file: Path, text: str | bytes) -> list[str]:
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(SettingsFault) as caught:
        load_mapping(file)
    return caught.value.faults


def reply_faults(text: str, read: str, dialect: Dialect = Dialect.JSON) -> list[str]:
    with pytest.raises(SettingsFault) as caught:
        compile_reading(read, mapping(text), dialect)
    return caught.value.faults


def test_all_faults_of_a_file_at_once(tmp_path: Path) -> None:
    found = faults(
        tmp_path / "shop.toml",
        """
        format = 2
        time_zone = "Europe/Atlantis"
        currency = "руб"
        surprise = 1
        [order_statuses]
        "В пути" = "FLYING"
        [currencies]
        "руб." = "rub"
        [[faults]]
        contains = "x"
        code = "INTERNAL"
        [reads.orders]
        request = "all"
        [reads.orders.reply]
        items = 5
        fields = { id = ["x"] }
        status = { path = "s", ok = ["1"], refusals = { "2" = "TIMEOUT" } }
        """,
    )
    for place in (
        "format",
        "time_zone",
        "currency",
        "surprise",
        "order_statuses.В пути",
        "currencies.руб.",
        "faults.0.contains",
        "faults.0.code",
        "reads.orders.request",
        "reads.orders.reply.items",
        "reads.orders.reply.fields",
        "reads.orders.reply.status.refusals.2",
    ):
        assert any(fault.startswith(f"shop.toml: {place}") for fault in found), place
    assert "shop.toml: time_zone: there is no such time zone; write one as Europe/Moscow" in found


def test_a_file_that_is_no_toml(tmp_path: Path) -> None:
    file = tmp_path / "shop.toml"
    assert "is not TOML" in faults(file, "format = ")[0]
    assert "is not TOML" in faults(file, b"\xff\xfe")[0]
    assert len(faults(file, 'format = 1\ntime_zone = "UTC"\n[reads]\n')) == 1
    with pytest.raises(SettingsFault, match="cannot be read"):
        load_mapping(tmp_path / "none.toml")


def test_a_byte_order_mark_is_let_pass(tmp_path: Path) -> None:
    file = tmp_path / "shop.toml"
    file.write_text(
        '\ufeffformat = 1\ntime_zone = "UTC"\n'
        '[reads.promotions.reply]\nitems = "a"\nfields = { id = "i", title = "t" }',
        encoding="utf-8",
    )
    assert set(load_mapping(file).reads) == {"promotions"}


def test_all_faults_of_a_reply_at_once() -> None:
    found = reply_faults(
        """
        [reads.latest_orders.reply]
        items = "a//b"
        owner = "Клиент"
        entries = "/x"
        status = { path = "", ok = ["1"] }
        [reads.latest_orders.reply.fields]
        id = "Ид/"
        number = {}
        placed_at = { path = "Дата", value = "2026-11-21" }
        status = { value = "да" }
        total = { value = "много" }
        lines = "Товары"
        stages = { items = "Этапы", fields = { reached_at = "Дата", when = "x" } }
        currency = { items = "x", fields = {} }
        nonsense = "x"
        """,
        "latest_orders",
    )
    assert len(found) == len(set(found)) == 12
    for part in (
        "reply.items: 'a//b'",
        "reply.entries: '/x'",
        "reply.status.path: ''",
        "fields.id: 'Ид/'",
        "fields.number: give either a path or a value",
        "fields.placed_at: give either a path or a value",
        "fields.total: a number was expected",
        "fields.lines: is a list: give its items and fields",
        "fields.stages.fields.when: there is no such field; there are name, reached_at",
        "fields.stages.fields.name: is required",
        "fields.currency: is one value, not a list",
        "fields.nonsense: there is no such field",
    ):
        assert any(part in fault for fault in found), part


@pytest.mark.parametrize(
    ("reply", "read", "fault"),
    [
        ('items = "i", fields = { product = "p" }', "favorites", "owner: is required"),
        ('items = "i", entries = "e", fields = { product = "p" }', "favorites", "owner: is required"),
        ('items = "i", owner = "o", entries = "e", fields = { first_name = "n" }', "profiles", "entries: stands only"),
        ('items = "i", owner = "o", fields = { id = "i", name = "n" }', "products", "owner: this read is not asked by"),
        ('items = "i", owner = "o", fields = { id = "i", title = "n" }', "promotions", "owner: this read is not asked"),
        ('items = "i", fields = "no"', "promotions", "there is no [shapes.no]"),
        ('items = "i", fields = {}', "wishes", "there is no such read"),
        ('items = "i", fields = { customer = "c" }', "bonus_accounts", "fields.balance: is required"),
    ],
)
def test_a_reply_that_makes_no_sense(reply: str, read: str, fault: str) -> None:
    assert any(fault in found for found in reply_faults(f"[reads.{read}]\nreply = {{ {reply} }}", read))


def test_paths_after_json_at_are_those_of_json() -> None:
    text = """
        [reads.promotions.reply]
        json_at = "return/{x}"
        items = "список акций"
        fields = { id = "ид акции", title = "a.b" }
        """
    (fault,) = reply_faults(text, "promotions", Dialect.XML)
    assert "json_at" in fault
    compile_reading("promotions", mapping(text.replace("{x}", "x")), Dialect.XML)


def test_faults_of_all_reads_and_their_requests_at_once() -> None:
    file = mapping(
        """
        [reads.promotions]
        request = { path = 5 }
        reply = { items = "i", fields = { id = "i" } }
        [reads.products]
        request = { surprise = 1 }
        reply = { items = "i", fields = { id = "i", name = "n" } }
        [reads.latest_orders]
        reply = { items = "i", fields = {} }
        """
    )
    with pytest.raises(SettingsFault) as caught:
        compile_reads(file, Dialect.JSON, Request, file="shop.toml")
    found = caught.value.faults
    for part in (
        "shop.toml: reads.promotions.request.path: ",
        "shop.toml: reads.promotions.reply.fields.title: is required",
        "shop.toml: reads.products.request.path: ",
        "shop.toml: reads.products.request.surprise: ",
        "shop.toml: reads.latest_orders.reply.owner: is required",
        "shop.toml: reads.orders: is missing",
    ):
        assert any(fault.startswith(part) for fault in found), part
