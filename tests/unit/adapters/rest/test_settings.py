"""Faults of settings and of the mapping file: all at once, and no secret among them."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from adapters.cms.rest import spec
from adapters.cms.rest.settings import RestSettings
from bff.http import HttpClients
from bff.plugins import SettingsFault


def settings(folder: Path, **more: Any) -> RestSettings:
    raw = {"adapter": "rest", "address": "https://cms.example.test", "mapping": "cms.toml", **more}
    return spec.settings_from(raw, folder)


def faults(file: Path, text: str) -> list[str]:
    file.write_text('format = 1\ntime_zone = "Europe/Moscow"\n' + text, encoding="utf-8")
    with pytest.raises(SettingsFault) as caught:
        spec.build("cms", settings(file.parent), HttpClients())
    return caught.value.faults


def test_the_token_is_sent_as_it_is_set(mapping_file: Path) -> None:
    folder = mapping_file.parent
    assert "Authorization" not in settings(folder).headers
    assert settings(folder, token="abc").headers["Authorization"] == "Bearer abc"
    named = settings(folder, token="abc", token_header="X-Token", token_scheme="")
    assert named.headers["X-Token"] == "abc"


@pytest.mark.parametrize("token", ["", "сек-рет-77", "sec-ret-77\r\nX-Evil: 1", " sec-ret-77"])
def test_a_token_that_is_no_header_is_refused_without_being_shown(mapping_file: Path, token: str) -> None:
    with pytest.raises(ValidationError) as caught:
        settings(mapping_file.parent, token=token)
    assert "77" not in str(caught.value)


@pytest.mark.parametrize(
    "more", [{"token_header": "X Token"}, {"token_header": ""}, {"token_scheme": "a\nb"}, {"surprise": 1}]
)
def test_bad_settings_are_refused(mapping_file: Path, more: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        settings(mapping_file.parent, **more)


def test_all_faults_of_all_reads_are_listed_at_once(mapping_file: Path) -> None:
    found = faults(
        mapping_file,
        """
        session_faults = ["сеанс"]
        [reads.favorites]
        request = { path = "api", keys = "ids", surprise = 1 }
        reply = { items = "a//b", owner = "id", entries = "x", fields = { product = "id", nonsense = "x" } }
        [reads.orders]
        request = { path = "/orders", keys = "ids" }
        reply = { items = "items", fields = { id = "id" } }
        [reads.nobody]
        request = { path = "/x" }
        reply = { items = "items", fields = {} }
        [reads.find]
        request = { path = "/find", keys = "phone" }
        reply = { items = "items", fields = { contact = "phone", customer = "id" } }
        [writes.register]
        reply = { items = "items", fields = { contact = "phone", customer = "id" } }
        """,
    )
    assert all(fault.startswith("cms.toml: ") for fault in found)
    for part in (
        "session_faults: this adapter reads no error texts",
        "writes: this adapter writes nothing",
        "reads.find: this adapter writes nothing",
        "reads.favorites.request.path: ",
        "reads.favorites.request.surprise: ",
        "reads.favorites.reply.items: 'a//b'",
        "reads.favorites.reply.fields.nonsense: there is no such field",
        "reads.orders.reply.fields.number: is required",
        "reads.nobody: there is no such read",
        "reads.latest_orders: is missing",
    ):
        assert any(part in fault for fault in found), part


@pytest.mark.parametrize(
    ("request_table", "fault"),
    [
        ('path = "/f"', "say once where the keys go"),
        ('path = "/f/{key}", keys = "ids", style = "single"', "say once where the keys go"),
        ('path = "/f/{key}"', 'needs style = "single"'),
        ('path = "/f/{id}", keys = "ids"', "only {key}"),
        ('path = "/f?x=1", keys = "ids"', "path"),
        ('path = "/f", keys = "ids", query = { ids = "1" }', "is the parameter of the keys"),
        ('path = "/f", keys = "ids", unknown_statuses = [404]', "unknown_statuses need"),
        ('path = "/f", keys = "ids", style = "json"', "style"),
    ],
)
def test_a_request_that_makes_no_sense_is_a_fault(mapping_file: Path, request_table: str, fault: str) -> None:
    found = faults(
        mapping_file,
        f"""
        [reads.favorites]
        request = {{ {request_table} }}
        reply = {{ items = "items", owner = "id", entries = "x", fields = {{ product = "id" }} }}
        """,
    )
    assert len(found) == 1
    assert fault in found[0]


def test_promotions_take_no_keys(mapping_file: Path) -> None:
    found = faults(
        mapping_file,
        """
        [reads.promotions]
        request = { path = "/p", keys = "ids" }
        reply = { items = "items", fields = { id = "id", title = "t" } }
        """,
    )
    assert found == ["cms.toml: reads.promotions.request: promotions are everybody's: leave out keys, style and {key}"]
