"""The command line, as its users call it."""

import json
import os
import re
import signal
import socket
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from pathlib import Path
from typing import Any

import httpx2
import pytest

from bff.demo.launch import DemoOffices
from bff.demo.run import demo_token
from tests.cli.commands import KABINET, LIMITS, SECRETS, Kabinet, serving
from tests.patience import PATIENCE_SECONDS, until


def post(url: str, token: str, query: str) -> httpx2.Response:
    """Ask for something with a token."""
    headers = {"Authorization": f"Bearer {token}"}
    return httpx2.post(url, json={"query": query}, headers=headers, timeout=2 * PATIENCE_SECONDS)


def test_demo_once_prints_the_five_sections(kabinet: Kabinet) -> None:
    answer: dict[str, Any] = {}

    def is_whole() -> bool:
        # It has its users' limits, which a busy machine may pass.
        answer.update(json.loads(kabinet("demo", "--once", code=None).stdout))
        return all(answer["data"]["dashboard"].values())

    until(is_whole)
    assert answer["data"]["dashboard"]["profile"]["displayName"] == "Анна Соколова"


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
        page = httpx2.get(found[1], headers={"Accept": "text/html"}, timeout=PATIENCE_SECONDS)
        assert page.status_code == 200
        assert "Bearer" in page.text
        assert "default-src 'none'" in page.headers["content-security-policy"]
        token = demo_token()
        profile: dict[str, str] = {}

        def is_there() -> bool:
            answer = post(found[1], token, "{ dashboard { profile { displayName } } }").json()
            profile.update(answer["data"]["dashboard"]["profile"] or {})
            return bool(profile)

        until(is_there)
        assert profile["displayName"] == "Анна Соколова"
    finally:
        # As a terminal does it: to every process of the session; and twice, for who is in a hurry.
        for _ in range(2):
            os.killpg(process.pid, signal.SIGINT)
            time.sleep(0.02)
        status = process.wait(timeout=PATIENCE_SECONDS)
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
        assert httpx2.get(f"{address}/healthz", timeout=PATIENCE_SECONDS).json() == {"status": "alive"}
        assert httpx2.get(f"{address}/readyz", timeout=PATIENCE_SECONDS).json()["back_offices"] == [
            "cms",
            "erp",
            "loyalty",
        ]
        answer = post(f"{address}/graphql", token, "{ dashboard { profile { displayName } } }").json()
        assert answer["data"]["dashboard"]["profile"]["displayName"] == "Анна Соколова"
        demo = post(f"{address}/graphql", demo_token(), "{ __typename }")
        assert demo.status_code == 401, "the demo's tokens open nothing else"


def test_sigterm_lets_requests_under_way_finish(kabinet: Kabinet, shop: Path, offices: DemoOffices) -> None:
    token = kabinet("token", "--customer", "c-1001", "--config", "kabinet.toml", cwd=shop, env=SECRETS).stdout.strip()
    offices.cms.faults(latency_ms=500)
    offices.cms.reset()
    try:
        with serving(shop) as (process, address), ThreadPoolExecutor(1) as pool:
            asked = pool.submit(post, f"{address}/graphql", token, "{ dashboard { favorites { totalCount } } }")
            until(offices.cms.calls)
            process.terminate()
            assert asked.result().json() == {"data": {"dashboard": {"favorites": {"totalCount": 14}}}}
            assert process.wait(timeout=PATIENCE_SECONDS) in {0, -signal.SIGTERM}
    finally:
        offices.cms.faults()


def test_sessions_at_1c_are_ended_on_the_way_out(kabinet: Kabinet, shop: Path, offices: DemoOffices) -> None:
    token = kabinet("token", "--customer", "c-1001", "--config", "kabinet.toml", cwd=shop, env=SECRETS).stdout.strip()

    def are_ended() -> bool:
        before = offices.erp.stats()["sessions"]
        with serving(shop) as (_, address):
            post(f"{address}/graphql", token, "{ dashboard { profile { phone } lastOrder { number } } }")
            assert offices.erp.stats()["sessions"] > before
        return offices.erp.stats()["sessions"] <= before

    # Farewells have a second, which a busy machine may take once.
    assert any(are_ended() for _ in range(3))


def test_serve_speaks_json_and_nothing_else(kabinet: Kabinet, shop: Path) -> None:
    token = kabinet("token", "--customer", "c-1001", "--config", "kabinet.toml", cwd=shop, env=SECRETS).stdout.strip()
    process = subprocess.Popen(
        [*KABINET, "serve", "--port", "0"],
        cwd=shop,
        env={**os.environ, **SECRETS, **LIMITS, "KABINET__SERVER__LOG_FORMAT": "json"},
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
        post(f"{found[1]}/graphql", token, query)
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(timeout=PATIENCE_SECONDS)
        lines = [first, *process.stderr]
        process.stderr.close()
    events = [json.loads(line) for line in lines]
    assert [event["name"] for event in events if event["event"] == "operation"] == ["Named"]
    assert [event["logger"] for event in events if event["event"].startswith("Invalid HTTP")] == ["uvicorn.error"]


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
        "only who holds the keys can sign"
        in kabinet("token", "--customer", "c-1", "--config", "kabinet.toml", cwd=shop, code=1, env=without).stderr
    )


def test_the_demos_secret_is_kept_for_this_user_alone(kabinet: Kabinet, tmp_path: Path) -> None:
    first = kabinet("token", "--customer", "c-1001", env={"XDG_STATE_HOME": str(tmp_path)}).stdout
    kept = tmp_path / "kabinet" / "demo-secret"
    assert kept.stat().st_mode & 0o077 == 0
    kept.write_text("short")
    assert kabinet("token", "--customer", "c-1001", env={"XDG_STATE_HOME": str(tmp_path)}).stdout != first
    assert len(kept.read_text()) >= 32
