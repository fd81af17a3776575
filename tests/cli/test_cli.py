"""The command line, as its users call it."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import httpx2
import pytest

from bff import cli
from bff.demo.launch import DemoOffices, demo_offices
from bff.demo.run import demo_token

KABINET = (sys.executable, "-m", "bff.cli")
"""The command as a process."""

SECRET = "a-secret-of-this-test-with-32-bytes-or-more"
SHOP = Path(__file__).parents[2] / "bff" / "demo"


@dataclass(frozen=True, slots=True)
class Said:
    """What a command wrote."""

    stdout: str
    stderr: str


class Kabinet:
    """Runs commands in this process, as the `kabinet` script does; starting one takes a second and more."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self._monkeypatch = monkeypatch
        self._capsys = capsys

    def __call__(self, *words: str, cwd: Path | None = None, code: int = 0, env: Mapping[str, str] = {}) -> Said:
        self._capsys.readouterr()
        with self._monkeypatch.context() as context:
            for name, value in env.items():
                context.setenv(name, value)
            if cwd is not None:
                context.chdir(cwd)
            context.setattr(sys, "argv", ["kabinet", *words])
            with pytest.raises(SystemExit) as ended:
                cli.main()
        wrote = self._capsys.readouterr()
        assert (ended.value.code or 0) == code, wrote.out + wrote.err
        return Said(wrote.out, wrote.err)


@pytest.fixture
def kabinet(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Kabinet:
    return Kabinet(monkeypatch, capsys)


@pytest.fixture(scope="module")
def offices() -> Iterator[DemoOffices]:
    with demo_offices(erp={"pool": 100}) as offices:
        yield offices


@pytest.fixture
def shop(tmp_path: Path, offices: DemoOffices) -> Path:
    """A shop's own folder: the demo's files, with addresses of offices that run, and secrets in the environment."""
    folder = tmp_path / "shop"
    folder.mkdir()
    for name in ("erp.toml", "cms.toml", "cabinet.wsdl"):
        (folder / name).write_bytes((SHOP / "shop" / name).read_bytes())
    text = (SHOP / "shop" / "kabinet.toml").read_text()
    for office, port in zip(offices, (8001, 8002, 8003), strict=True):
        text = text.replace(f":{port}", f":{office.port}")
    (folder / "kabinet.toml").write_text(text)
    return folder


SECRETS = {
    "KABINET__IDENTITY__SECRET": SECRET,
    "KABINET__BACK_OFFICES__ERP__PASSWORD": "demo",
    "KABINET__BACK_OFFICES__LOYALTY__API_KEY": "demo",
    "KABINET__BACK_OFFICES__CMS__TOKEN": "demo",
}


@contextmanager
def serving(folder: Path, **environment: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    process = subprocess.Popen(
        [*KABINET, "serve", "--port", "0"],
        cwd=folder,
        env={**os.environ, **SECRETS, **environment},
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    try:
        for line in process.stderr:
            if found := re.search(r"kabinet serves (http://\S+)/graphql", line):
                yield process, found[1]
                break
        else:
            pytest.fail("it did not start")
    finally:
        process.terminate()
        process.wait(timeout=20)
        process.stderr.close()


def test_demo_once_prints_the_five_sections(kabinet: Kabinet) -> None:
    answer = json.loads(kabinet("demo", "--once").stdout)
    assert answer["data"]["dashboard"]["profile"]["displayName"] == "Анна Соколова"
    assert all(answer["data"]["dashboard"].values())


def test_demo_once_says_by_its_status_that_something_is_missing(kabinet: Kabinet) -> None:
    answer = json.loads(kabinet("demo", "--once", "--customer", "c-nobody", code=1).stdout)
    assert answer["errors"]


def test_demo_serves_until_it_is_told_to_stop() -> None:
    process = subprocess.Popen(
        [*KABINET, "demo", "--port", "0"], stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    assert process.stderr is not None
    try:
        for line in process.stderr:
            if found := re.search(r"open (http://\S+/graphql)", line):
                break
        else:
            pytest.fail("it did not start")
        page = httpx2.get(found[1], headers={"Accept": "text/html"})
        assert page.status_code == 200
        assert "Bearer" in page.text
        assert "default-src 'none'" in page.headers["content-security-policy"]
        token = demo_token()
        answer = httpx2.post(
            found[1],
            json={"query": "{ dashboard { profile { displayName } } }"},
            headers={"Authorization": f"Bearer {token}"},
        ).json()
        assert answer["data"]["dashboard"]["profile"]["displayName"] == "Анна Соколова"
    finally:
        # As a terminal does it: to every process of the session; and twice, for who is in a hurry.
        for _ in range(2):
            os.killpg(process.pid, signal.SIGINT)
            time.sleep(0.02)
        status = process.wait(timeout=20)
        rest = process.stderr.read()
        process.stderr.close()
    assert "kept" in rest, "the banner says what a broken office is hidden by"
    assert "Traceback" not in rest
    assert "error" not in rest
    assert status == 130


@pytest.mark.parametrize("before", [0, 1, 3])
def test_a_taken_port_of_any_of_the_four_is_said_in_a_line(kabinet: Kabinet, before: int) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = kabinet("demo", "--port", str(port - before), code=1)
    # Another program may have one of the others, too: the first of them is said.
    assert re.fullmatch(
        r"cannot listen on 127\.0\.0\.1:\d+ \(Address already in use\); choose another with --port\n", done.stderr
    )


def test_the_version_is_said(kabinet: Kabinet) -> None:
    assert kabinet("--version").stdout == f"kabinet {version('kabinet')}\n"


def test_serve_answers_and_says_when_it_is_ready(kabinet: Kabinet, shop: Path) -> None:
    token = kabinet("token", "--customer", "c-1001", "--config", "kabinet.toml", cwd=shop, env=SECRETS).stdout.strip()
    with serving(shop) as (_, address):
        assert httpx2.get(f"{address}/healthz").json() == {"status": "alive"}
        assert httpx2.get(f"{address}/readyz").json()["back_offices"] == ["cms", "erp", "loyalty"]
        answer = httpx2.post(
            f"{address}/graphql",
            json={"query": "{ dashboard { profile { displayName } } }"},
            headers={"Authorization": f"Bearer {token}"},
        ).json()
        assert answer["data"]["dashboard"]["profile"]["displayName"] == "Анна Соколова"
        demo = httpx2.post(
            f"{address}/graphql", json={"query": "{ __typename }"}, headers={"Authorization": f"Bearer {demo_token()}"}
        )
        assert demo.status_code == 401, "the demo's tokens open nothing else"


def test_sigterm_lets_requests_under_way_finish(kabinet: Kabinet, shop: Path, offices: DemoOffices) -> None:
    token = kabinet("token", "--customer", "c-1001", "--config", "kabinet.toml", cwd=shop, env=SECRETS).stdout.strip()
    offices.cms.faults(latency_ms=500)
    offices.cms.reset()
    try:
        with serving(shop) as (process, address), ThreadPoolExecutor(1) as pool:
            asked = pool.submit(
                httpx2.post,
                f"{address}/graphql",
                json={"query": "{ dashboard { favorites { totalCount } } }"},
                headers={"Authorization": f"Bearer {token}"},
            )
            while not offices.cms.calls():
                assert not asked.done()
            process.terminate()
            assert asked.result().json() == {"data": {"dashboard": {"favorites": {"totalCount": 14}}}}
            assert process.wait(timeout=20) in {0, -signal.SIGTERM}
    finally:
        offices.cms.faults()


def test_sessions_at_1c_are_ended_on_the_way_out(kabinet: Kabinet, shop: Path, offices: DemoOffices) -> None:
    before = offices.erp.stats()["sessions"]
    token = kabinet("token", "--customer", "c-1001", "--config", "kabinet.toml", cwd=shop, env=SECRETS).stdout.strip()
    with serving(shop) as (_, address):
        httpx2.post(
            f"{address}/graphql",
            json={"query": "{ dashboard { profile { phone } lastOrder { number } } }"},
            headers={"Authorization": f"Bearer {token}"},
        )
        assert offices.erp.stats()["sessions"] > before
    assert offices.erp.stats()["sessions"] <= before


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


def test_serve_speaks_json_and_nothing_else(kabinet: Kabinet, shop: Path) -> None:
    token = kabinet("token", "--customer", "c-1001", "--config", "kabinet.toml", cwd=shop, env=SECRETS).stdout.strip()
    process = subprocess.Popen(
        [*KABINET, "serve", "--port", "0"],
        cwd=shop,
        env={**os.environ, **SECRETS, "KABINET__SERVER__LOG_FORMAT": "json"},
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    try:
        first = process.stderr.readline()
        found = re.search(r"kabinet serves (http://\S+)/graphql", first)
        assert found is not None, first
        with socket.create_connection(("127.0.0.1", int(found[1].rpartition(":")[2]))) as odd:
            odd.sendall(b"nonsense\r\n\r\n")  # uvicorn has something to say about it
            assert b" 400 " in odd.recv(4096)
        query = "query Named { dashboard { profile { phone } } }"
        httpx2.post(f"{found[1]}/graphql", json={"query": query}, headers={"Authorization": f"Bearer {token}"})
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(timeout=20)
        lines = [first, *process.stderr]
        process.stderr.close()
    events = [json.loads(line) for line in lines]
    assert [event["name"] for event in events if event["event"] == "operation"] == ["Named"]
    assert [event["logger"] for event in events if event["event"].startswith("Invalid HTTP")] == ["uvicorn.error"]


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


def test_tables_are_never_cut(
    kabinet: Kabinet, shop: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    env = {**SECRETS, "COLUMNS": "60"}
    name = "back_offices.cms.guard.breaker_window_seconds"
    assert f"│ {name} " in kabinet("config", "show", cwd=shop, env=env).stdout, "whole, where nobody looks"
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    said = kabinet("config", "show", cwd=shop, env=env).stdout
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


def test_schema_check_tells_what_differs(kabinet: Kabinet, tmp_path: Path) -> None:
    printed = kabinet("schema", "print").stdout
    (tmp_path / "schema.graphql").write_text(printed)
    kabinet("schema", "check", cwd=tmp_path)
    (tmp_path / "schema.graphql").write_text(printed.replace("displayName: String!", "displayName: String"))
    assert "+  displayName: String!" in kabinet("schema", "check", cwd=tmp_path, code=1).stderr
    assert "cannot be read" in kabinet("schema", "check", "nowhere.graphql", cwd=tmp_path, code=2).stderr


def test_adapters_list_names_the_built_in_ones(kabinet: Kabinet) -> None:
    said = kabinet("adapters", "list").stdout
    assert all(name in said for name in ("onec_soap", "retailcrm", "rest"))


def test_a_token_cannot_be_signed_with_public_keys(kabinet: Kabinet, shop: Path) -> None:
    # A key of nobody: RFC 8037, appendix A.2.
    key = {"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo", "kid": "1"}
    (shop / "jwks.json").write_text(json.dumps({"keys": [key]}))
    file = shop / "kabinet.toml"
    file.write_text(file.read_text().replace('audience = "kabinet"', 'audience = "kabinet"\njwks_file = "jwks.json"'))
    without = {name: value for name, value in SECRETS.items() if "IDENTITY" not in name}
    assert (
        "only their owner can sign"
        in kabinet("token", "--customer", "c-1", "--config", "kabinet.toml", cwd=shop, code=1, env=without).stderr
    )


def test_the_demos_secret_is_kept_for_this_user_alone(kabinet: Kabinet, tmp_path: Path) -> None:
    first = kabinet("token", "--customer", "c-1001", env={"XDG_STATE_HOME": str(tmp_path)}).stdout
    kept = tmp_path / "kabinet" / "demo-secret"
    assert kept.stat().st_mode & 0o077 == 0
    kept.write_text("short")
    assert kabinet("token", "--customer", "c-1001", env={"XDG_STATE_HOME": str(tmp_path)}).stdout != first
    assert len(kept.read_text()) >= 32
