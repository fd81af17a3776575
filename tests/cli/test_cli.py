"""The command line, as its users call it."""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
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
            for console in (cli.out, cli.err):
                context.setattr(console, "_width", 200)
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
    (tmp_path / "cabinet.wsdl").write_bytes((SHOP / "cabinet.wsdl").read_bytes())
    folder = tmp_path / "shop"
    folder.mkdir()
    for name in ("erp.toml", "cms.toml"):
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
    process = subprocess.Popen([*KABINET, "demo", "--port", "0"], stderr=subprocess.PIPE, text=True)
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
        process.send_signal(signal.SIGINT)
        process.wait(timeout=20)
        rest = process.stderr.read()
        process.stderr.close()
    assert "Traceback" not in rest


def test_a_taken_port_is_said_in_a_line(kabinet: Kabinet, offices: DemoOffices) -> None:
    done = kabinet("demo", "--port", str(offices.cms.port), code=1)
    assert "choose another with --port" in done.stderr


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


def test_config_show_hides_what_it_cannot_tell(kabinet: Kabinet, shop: Path) -> None:
    file = shop / "kabinet.toml"
    file.write_text(file.read_text().replace('adapter = "retailcrm"', 'adapter = "retailcrmm"\napi_key = "hunter2"'))
    done = kabinet(
        "config", "show", cwd=shop, code=2, env={**SECRETS, "KABINET__BACK_OFFICES__LOYALTY__API_KEY": "hunter3"}
    )
    assert "hunter" not in done.stdout + done.stderr


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
