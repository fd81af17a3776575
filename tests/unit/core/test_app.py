"""`assemble`: every fault of every back office, section and key in one error; `Cabinet.close`."""

from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from bff.app import Cabinet, assemble
from bff.config import SettingsError, load_settings
from tests.fakes.back_offices import FakeBackOffice
from tests.unit.core.cabinets import SECRET, cabinet

pytestmark = pytest.mark.anyio


def assembled(folder: Path, text: str, **identity: Any) -> Cabinet:
    file = folder / "kabinet.toml"
    file.write_text(text, encoding="utf-8")
    keys = identity or {"secret": SECRET}
    flags = {"identity": {"issuer": "https://shop.example.test", "audience": "cabinet", **keys}}
    return assemble(load_settings(file, flags=flags, environment=False))


PROMOTIONS = """
format = 1
time_zone = "Europe/Moscow"
[reads.promotions]
request = { path = "/p" }
reply = { items = "items", fields = { id = "id", title = "t" } }
"""


async def test_good_settings_become_a_cabinet(tmp_path: Path) -> None:
    (tmp_path / "cms.toml").write_text(PROMOTIONS)
    made = assembled(
        tmp_path,
        """
        [back_offices.cms]
        adapter = "rest"
        address = "https://cms.example.test"
        mapping = "cms.toml"
        token = "sec-ret"
        [sections]
        offers = "cms"
        """,
    )
    assert made.adapters["cms"].ports == {"promotions"}
    assert [source.back_office for source in made.sources.offers] == ["cms"]
    assert "sec-ret" not in repr(made)
    assert SECRET not in repr(made)
    await made.close()


def test_all_faults_of_back_offices_sections_and_keys_are_one_error(tmp_path: Path) -> None:
    (tmp_path / "cms.toml").write_text(PROMOTIONS)
    (tmp_path / "bad.toml").write_text('format = 1\ntime_zone = "Europe/Nowhere"\n[reads.nobody]\n')
    (tmp_path / "jwks.json").write_text("{}")
    with pytest.raises(SettingsError) as caught:
        assembled(
            tmp_path,
            """
            [back_offices.cms]
            adapter = "rest"
            address = "https://cms.example.test"
            mapping = "cms.toml"
            [back_offices.erp]
            adapter = "2c_soap"
            [back_offices.nothing]
            [back_offices.loyalty]
            adapter = "retailcrm"
            address = "https://user:sec-ret@crm.example.test"
            [back_offices.plain]
            adapter = "rest"
            address = "http://cms.example.test"
            mapping = "cms.toml"
            [back_offices.mapped]
            adapter = "rest"
            address = "https://cms.example.test"
            mapping = "bad.toml"
            [back_offices.unmapped]
            adapter = "rest"
            address = "https://cms.example.test"
            mapping = "nowhere.toml"
            surprise = 1
            [sections]
            profile = "cms"
            orders = "erp"
            bonuses = "loyalty"
            favorites = "nobody"
            """,
            jwks_file="jwks.json",
        )
    found = caught.value.faults
    for start, said in (
        ("back_offices.erp.adapter: there is no adapter '2c_soap'; installed: ", "onec_soap, rest, retailcrm"),
        ("back_offices.nothing.adapter: ", "installed: "),
        ("back_offices.loyalty.api_key: ", "is missing"),
        ("back_offices.plain: address: ", "use https"),
        ("back_offices.mapped: ", "bad.toml"),
        ("back_offices.unmapped.mapping: ", "there is no file"),
        ("back_offices.unmapped.surprise: ", "there is no such setting"),
        ("sections.profile: ", "lacks the port profiles; it serves promotions"),
        ("sections.favorites: ", "there is no back office 'nobody'"),
        ("identity.jwks_file: ", "jwks.json"),
    ):
        assert any(line.startswith(start) and said in line for line in found), (start, found)
    # Of a section whose back office could not be built nothing can be said.
    assert not any(line.startswith(("sections.orders", "sections.bonuses")) for line in found)
    assert "sec-ret" not in str(caught.value)


async def test_a_back_office_that_cannot_be_closed_keeps_no_other_open() -> None:
    class Stuck(FakeBackOffice):
        async def close(self) -> None:
            raise RuntimeError("sec-ret")

    good = FakeBackOffice()
    made = cabinet(stuck=Stuck(), good=good)
    with capture_logs() as logs:
        await made.close()
    assert good.closed == 1
    assert [(line["event"], line["back_office"], line["error"]) for line in logs] == [
        ("back office not closed", "stuck", "RuntimeError")
    ]


def test_an_adapter_that_is_not_named_is_missing(tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as caught:
        assembled(tmp_path, "[back_offices.erp]\n")
    assert caught.value.faults == ["back_offices.erp.adapter: is missing; installed: onec_soap, rest, retailcrm"]
