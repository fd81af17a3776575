"""`kabinet cache drop`: a running service forgets, and who calls it is told what is missing."""

from collections.abc import Callable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import httpx2
import pytest

import bff.demo
from bff.app import assemble
from bff.config import load_settings
from bff.demo.launch import DemoOffice, demo_office
from bff.demo.run import serving
from bff.identity import sign_token
from tests.cli.commands import SECRET, Kabinet
from tests.patience import PATIENCE_SECONDS, PATIENT, PATIENT_MS

MAPPING = Path(bff.demo.__file__).parent / "shop" / "cms.toml"
HOOK_SECRET = "the webhooks' secret of this test, long enough"
ENV = {
    "KABINET__IDENTITY__SECRET": SECRET,
    "KABINET__BACK_OFFICES__CMS__TOKEN": "demo",
    "KABINET__BACK_OFFICES__CMS__HOOK_SECRET": HOOK_SECRET,
}
WITHOUT = {name: value for name, value in ENV.items() if "HOOK" not in name}
SETTINGS = """
[server]
host = "0.0.0.0"
port = {port}
[identity]
issuer = "shop"
audience = "cabinet"
[back_offices.other]
adapter = "rest"
address = "http://127.0.0.1:1"
mapping = "cms.toml"
[back_offices.cms]
adapter = "rest"
address = "{address}"
mapping = "cms.toml"
[sections]
favorites = "cms"
"""


@pytest.fixture(scope="module")
def cms() -> Iterator[DemoOffice]:
    with demo_office("cms") as office:
        yield office


@pytest.fixture
def shop(tmp_path: Path, cms: DemoOffice, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A running service; the working directory has its settings. Gives its address."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "cms.toml").write_bytes(MAPPING.read_bytes())
    write_settings(cms)
    flags = {
        "identity": {"secret": SECRET},
        "server": {"dashboard_ms": PATIENT_MS},
        "back_offices": {"cms": {"token": "demo", "hook_secret": HOOK_SECRET, **PATIENT}},
    }
    with serving(assemble(load_settings(Path("kabinet.toml"), flags=flags, environment=False))) as address:
        write_settings(cms, int(address.rpartition(":")[2]))
        yield address


def write_settings(cms: DemoOffice, port: int = 0) -> None:
    Path("kabinet.toml").write_text(SETTINGS.format(port=port, address=cms.address), encoding="utf-8")


@pytest.fixture
def calls(shop: str, cms: DemoOffice) -> Callable[[], Mapping[str, int]]:
    """Asks for two customers' favorites; gives what the CMS was asked for."""

    def ask() -> Mapping[str, int]:
        cms.reset()
        for customer in ("c-1001", "c-1003"):
            token = sign_token(SECRET, customer, issuer="shop", audience="cabinet")
            answer = httpx2.post(
                f"{shop}/graphql",
                json={"query": "{ dashboard { favorites { totalCount } } }"},
                headers={"Authorization": f"Bearer {token}"},
                timeout=2 * PATIENCE_SECONDS,
            ).json()
            assert "errors" not in answer
        return cms.calls()

    assert ask() == {"favorites": 2}
    assert ask() == {}
    return ask


def test_a_customer_is_asked_for_anew(kabinet: Kabinet, calls: Callable[[], Mapping[str, int]]) -> None:
    said = kabinet("cache", "drop", "--customer", "c-1001", "--customer", "c-7", env=ENV).output
    assert said.endswith("dropped: 2 customer(s), 0 tag(s)\n")
    assert calls() == {"favorites": 1}
    # Twice in one second is no replay.
    for _ in range(2):
        kabinet("cache", "drop", "--customer", "c-1001", env=ENV)


def test_tags_are_dropped_as_they_are(kabinet: Kabinet, calls: Callable[[], Mapping[str, int]]) -> None:
    said = kabinet("cache", "drop", "--tag", "favorites:c-1001", "--tag", "favorites:c-1003", env=ENV).output
    assert said.endswith("dropped: 0 customer(s), 2 tag(s)\n")
    assert calls() == {"favorites": 2}


def test_the_address_goes_over_the_settings(kabinet: Kabinet, shop: str, cms: DemoOffice) -> None:
    write_settings(cms)
    said = kabinet("cache", "drop", "--tag", "offers", code=2, env=ENV).output
    assert "say which with --address" in said
    kabinet("cache", "drop", "--tag", "offers", "--address", shop, "--config", "kabinet.toml", env=ENV)
    assert "write https://" in kabinet("cache", "drop", "--tag", "x", "--address", "shop", code=2, env=ENV).output


def test_nothing_named_is_said(kabinet: Kabinet) -> None:
    assert "say --customer ID or --tag TAG" in kabinet("cache", "drop", code=2).output


def test_without_a_secret_it_says_what_to_set(kabinet: Kabinet, shop: str) -> None:
    said = kabinet("cache", "drop", "--tag", "offers", code=2, env=WITHOUT).output
    assert "KABINET__BACK_OFFICES__OTHER__HOOK_SECRET" in said
    short = {**ENV, "KABINET__BACK_OFFICES__CMS__HOOK_SECRET": "hunter2"}
    said = kabinet("cache", "drop", "--tag", "offers", code=2, env=short).output
    assert "back_offices.cms.hook_secret: the secret is shorter than 32 bytes" in said
    assert "hunter2" not in said


def test_another_secret_is_said(kabinet: Kabinet, shop: str) -> None:
    wrong = {**ENV, "KABINET__BACK_OFFICES__CMS__HOOK_SECRET": "another secret than the service's, long enough"}
    said = kabinet("cache", "drop", "--tag", "offers", code=1, env=wrong).output
    assert "another back_offices.cms.hook_secret" in said
    assert "long enough" not in said
    unheard = {**WITHOUT, "KABINET__BACK_OFFICES__OTHER__HOOK_SECRET": HOOK_SECRET}
    said = kabinet("cache", "drop", "--tag", "offers", code=1, env=unheard).output
    assert "has no hook 'other': start it anew" in said


def test_what_the_service_refuses_is_said(kabinet: Kabinet, shop: str) -> None:
    assert "length <= 200" in kabinet("cache", "drop", "--tag", "x" * 201, code=1, env=ENV).output
    many = [word for number in range(400) for word in ("--tag", f"{number:0200}")]
    assert "send several" in kabinet("cache", "drop", *many, code=1, env=ENV).output


def test_nobody_there_is_said(kabinet: Kabinet, shop: str) -> None:
    said = kabinet("cache", "drop", "--tag", "offers", "--address", "http://127.0.0.1:1", code=1, env=ENV).output
    assert "does it run there? --address says where else" in said
    assert "Traceback" not in said


@pytest.mark.parametrize(("status", "said"), [(200, "HTTP 200: is that a kabinet?"), (400, "HTTP 400")])
def test_a_stranger_on_the_port_is_said(kabinet: Kabinet, shop: str, status: int, said: str) -> None:
    class Stranger(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(status)
            self.end_headers()

    with HTTPServer(("127.0.0.1", 0), Stranger) as stranger:
        thread = Thread(target=stranger.handle_request, daemon=True)
        thread.start()
        address = f"http://127.0.0.1:{stranger.server_port}"
        assert said in kabinet("cache", "drop", "--tag", "offers", "--address", address, code=1, env=ENV).output
        thread.join()


def test_the_help_names_it(kabinet: Kabinet) -> None:
    assert "drop" in kabinet("cache", "--help").output
