"""What is said of settings: faults, all at once; `check`; `config show`."""

import re
import sys
from pathlib import Path

import pytest

from tests.cli.commands import SECRET, SECRETS, Kabinet


def test_check_says_what_works(kabinet: Kabinet, shop: Path) -> None:
    said = kabinet("check", cwd=shop, env=SECRETS).stdout
    assert said.count(" ok ") == 3


def test_check_says_what_to_do(kabinet: Kabinet, shop: Path) -> None:
    wrong = {
        **SECRETS,
        "KABINET__BACK_OFFICES__ERP__PASSWORD": "wrong",
        "KABINET__BACK_OFFICES__CMS__ADDRESS": "http://127.0.0.1:1",
    }
    said = kabinet("check", cwd=shop, code=1, env=wrong).stdout
    assert "UPSTREAM_AUTH" in said
    assert "Check the user and the secret" in said
    assert "UNAVAILABLE" in said
    assert said.count(" ok ") == 1
    assert "wrong" not in said.replace("went wrong", "")


def counted(said: str) -> dict[str, str]:
    """What came, by back office and read."""
    rows = [[cell.strip() for cell in line.split("│")[1:-1]] for line in said.splitlines() if line.startswith("│")]
    return {f"{row[0]} {row[1]}": f"{row[2]}: {row[3]}" for row in rows}


def test_check_reads_a_customers_sections_and_counts_what_comes(kabinet: Kabinet, shop: Path) -> None:
    said = kabinet("check", "--customer", "c-1001", cwd=shop, env=SECRETS).stdout
    assert said.isascii() or not re.search("[А-я]", said), "nothing of the customer's own"
    came = counted(said)
    assert came["erp profiles"] == "ok: a profile"
    assert re.fullmatch(r"ok: an order of \d+ lines? and \d+ stages?", came["erp latest_orders"])
    assert came["erp orders"] == came["erp latest_orders"]
    assert came["loyalty bonus_accounts"] == "ok: an account"
    assert came["loyalty pending_bonuses"] == "ok: pending points"
    assert came["loyalty bonus_expirations"] == "ok: 4 lots"
    assert came["cms favorites"] == "ok: 14 products"
    assert re.match(r"ok: \d+ products", came["cms products"])
    assert re.match(r"ok: \d+ offer", came["cms promotions"])
    assert re.match(r"ok: 1 offer without ", came["loyalty personal_offers"])


def test_check_of_a_customer_with_nothing_says_so(kabinet: Kabinet, shop: Path) -> None:
    came = counted(kabinet("check", "--customer", "c-1002", cwd=shop, env=SECRETS).stdout)
    assert came["erp latest_orders"] == "ok: no order"
    came = counted(kabinet("check", "--customer", "c-1004", cwd=shop, env=SECRETS).stdout)
    assert came["erp latest_orders"].endswith("of a status that the mapping does not know")
    assert came["loyalty bonus_accounts"] == "ok: no account"


def test_check_of_a_customer_finds_what_is_mapped_from_the_wrong_place(kabinet: Kabinet, shop: Path) -> None:
    for file, right, wrong in (
        ("erp.toml", 'phone = "Телефон"', 'phone = "Ид"'),
        ("erp.toml", 'placed_at = "Дата"', 'placed_at = "Номер"'),
        ("cms.toml", 'entries = "products"', 'entries = "goods"'),
    ):
        text = (shop / file).read_text()
        assert right in text
        (shop / file).write_text(text.replace(right, wrong))
    (shop / "cms.toml").write_text((shop / "cms.toml").read_text().replace('url = "url"', 'url = "link"'))
    said = kabinet("check", "--customer", "c-1001", cwd=shop, code=1, env=SECRETS).stdout
    came = counted(said)
    assert came["erp latest_orders"].startswith("FAILED: BAD_REPLY: erp: latest_orders: placed_at: ")
    assert came["cms favorites"].startswith("FAILED: BAD_REPLY: cms: ")
    assert "without url" in came["cms promotions"]
    assert came["erp profiles"].startswith("ok: ")
    assert "Compare the mapping file" in said


def test_check_of_a_customer_whom_nobody_knows_fails(kabinet: Kabinet, shop: Path) -> None:
    said = kabinet("check", "--customer", "c-nobody", cwd=shop, code=1, env=SECRETS).stdout
    assert counted(said)["erp profiles"].startswith("FAILED: NOT_FOUND: erp: ")
    assert "Do all back offices use the same customer ids?" in said


def test_an_empty_host_is_refused_and_listens_nowhere(kabinet: Kabinet, shop: Path) -> None:
    said = kabinet("serve", cwd=shop, code=2, env={**SECRETS, "KABINET__SERVER__HOST": ""}).stderr
    assert "server.host: is empty" in said
    assert "server.host: is empty" in kabinet("serve", "--host", "", cwd=shop, code=2, env=SECRETS).stderr


def test_faults_of_settings_files_and_sections_come_in_one_round(kabinet: Kabinet, shop: Path) -> None:
    for file, right, wrong in (
        ("kabinet.toml", 'issuer = "kabinet-demo"', 'issuer = ""'),
        ("kabinet.toml", 'profile = "erp"', 'profile = "errp"'),
        ("kabinet.toml", 'adapter = "rest"', ""),
        ("erp.toml", 'phone = "Телефон"', 'telephone = "Телефон"'),
    ):
        (shop / file).write_text((shop / file).read_text().replace(right, wrong))
    wrong_ones = {**SECRETS, "KABINET__SERVER__PORT": "many", "KABINET__SERVRE__PORT": "1"}
    for command in ("serve", "check"):
        said = kabinet(command, cwd=shop, code=2, env=wrong_ones).stderr
        assert "(6 found)" in said
        for start in (
            "KABINET__SERVRE__PORT: there is no such setting",
            "server.port: ",
            "identity.issuer: ",
            "back_offices.erp: erp.toml: reads.profiles.reply.fields.telephone: there is no such field",
            "back_offices.cms.adapter: is missing; installed: onec_soap, rest, retailcrm",
            "sections.profile: there is no back office 'errp'; configured: cms, erp, loyalty",
        ):
            assert f"  - {start}" in said


def test_favorites_without_a_catalogue_stop_the_start(kabinet: Kabinet, shop: Path) -> None:
    mapping = (shop / "cms.toml").read_text()
    reads = re.split(r"(?m)^(?=\[reads\.)", mapping)
    (shop / "cms.toml").write_text("".join(part for part in reads if not part.startswith("[reads.products")))
    said = kabinet("serve", cwd=shop, code=2, env=SECRETS).stderr
    assert "(1 found)" in said
    assert "sections.favorites: no back office serves products" in said
    assert "set sections.products" in said
    kabinet("check", cwd=shop, env={**SECRETS, "KABINET__SECTIONS__FAVORITES": ""})


def test_all_wrong_settings_are_listed_at_once(kabinet: Kabinet, shop: Path) -> None:
    file = shop / "kabinet.toml"
    text = file.read_text()
    text = text.replace('adapter = "rest"', 'adapter = "restt"').replace('bonuses = "loyalty"', 'bonuses = "cms"')
    text = re.sub(r'address = "http://127.0.0.1:\d+/shop', 'address = "ftp://1c/shop', text)
    file.write_text(text + '\n[back_offices.other]\nadapter = "retailcrm"\naddress = "https://crm.example.test"\n')
    said = kabinet("serve", cwd=shop, code=2, env=SECRETS).stderr
    assert "there is no adapter 'restt'; installed: onec_soap, rest, retailcrm" in said
    assert "back_offices.erp" in said
    assert "write https://host/path" in said
    assert "back_offices.other.api_key" in said
    assert "KABINET__BACK_OFFICES__OTHER__API_KEY" in said


def test_a_section_whose_back_office_lacks_the_port_stops_the_start(kabinet: Kabinet, shop: Path) -> None:
    file = shop / "kabinet.toml"
    file.write_text(file.read_text().replace('bonuses = "loyalty"', 'bonuses = "cms"').replace('"erp"\no', '"errp"\no'))
    said = kabinet("serve", cwd=shop, code=2, env=SECRETS).stderr
    assert (
        "sections.bonuses: back office 'cms' lacks the port bonuses; it serves favorites, products, promotions" in said
    )
    assert "sections.profile: there is no back office 'errp'; configured: cms, erp, loyalty" in said


def test_a_missing_file_is_said_in_a_line(kabinet: Kabinet, tmp_path: Path) -> None:
    assert "cannot be read" in kabinet("serve", cwd=tmp_path, code=2).stderr


def test_config_show_says_where_values_come_from_and_hides_secrets(kabinet: Kabinet, shop: Path) -> None:
    said = kabinet("config", "show", cwd=shop, env={**SECRETS, "KABINET__SERVER__PORT": "8100"}).stdout
    assert re.search(r"server\.port\W+8100\W+environment", said)
    assert re.search(r"back_offices\.erp\.user\W+cabinet\W+kabinet\.toml", said)
    assert re.search(r"back_offices\.erp\.timeout_ms\W+1200\W+default", said)
    assert re.search(r"back_offices\.erp\.password\W+\(secret\)\W+environment", said)
    assert re.search(r"sections\.offers\W+loyalty, cms\W+kabinet\.toml", said)
    assert SECRET not in said


def test_tables_are_never_cut(kabinet: Kabinet, shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    env = {**SECRETS, "COLUMNS": "60"}
    name = "back_offices.cms.guard.breaker_window_seconds"
    assert f"│ {name} " in kabinet("config", "show", cwd=shop, env=env).stdout, "whole, where nobody looks"
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    said = re.sub(r"\x1b\[\d*m", "", kabinet("config", "show", cwd=shop, env=env).stdout)
    assert "…" not in said
    assert [line for line in said.splitlines() if len(line) > 60] == []
    first = "".join(line.split("│")[1].strip() for line in said.splitlines() if line.startswith("│"))
    assert name in first


def test_config_show_hides_what_it_cannot_tell(kabinet: Kabinet, shop: Path) -> None:
    file = shop / "kabinet.toml"
    file.write_text(file.read_text().replace('adapter = "retailcrm"', 'adapter = "retailcrmm"\napi_key = "hunter2"'))
    done = kabinet(
        "config", "show", cwd=shop, code=2, env={**SECRETS, "KABINET__BACK_OFFICES__LOYALTY__API_KEY": "hunter3"}
    )
    assert "hunter" not in done.stdout + done.stderr
    assert "back_offices.loyalty.adapter: there is no adapter 'retailcrmm'; installed: " in done.stderr
    assert re.search(r"back_offices\.loyalty\.api_key\W+\(not shown", done.stdout)


def test_config_show_names_every_fault_and_shows_the_rest(kabinet: Kabinet, shop: Path) -> None:
    file = shop / "kabinet.toml"
    file.write_text(file.read_text().replace('issuer = "kabinet-demo"', 'isuer = "x"').replace("pool = 8", "pool = 0"))
    done = kabinet("config", "show", cwd=shop, code=2, env=SECRETS)
    for fault in ("identity.isuer: there is no such setting", "identity.issuer: is missing", "back_offices.erp.pool: "):
        assert f"  - {fault}" in done.stderr
    assert re.search(r"back_offices\.cms\.pool\W+8\W+default", done.stdout)
    assert SECRET not in done.stdout + done.stderr
