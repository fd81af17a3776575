"""What commands say of signing in: senders, the store, identity providers."""

import asyncio
import re
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from bff.identity.store import SqliteStore
from tests.cli.commands import SECRETS, Kabinet
from tests.fakes.mail_server import MailServer, mail_server
from tests.identity.oidc.canaille import Canaille, running
from tests.patience import PATIENT_MS
from tests.resilience.loop_thread import LoopThread

SIGN_IN_SECRETS = {
    **SECRETS,
    "KABINET__SESSIONS__SECRET": "a-secret-of-sessions-in-this-test-32-bytes",
    "KABINET__SENDERS__PHONE__SECRET": "hunter2",
    "KABINET__PROVIDERS__PASS__CLIENT_SECRET": "hunter3",
}
SIGN_IN = f"""
[sessions]
[store]
path = "kabinet.sqlite"
[senders.phone]
adapter = "http_sms"
address = "https://sms.example.test/send"
form = {{ to = "{{digits}}", text = "{{text}}", key = "{{secret}}" }}
[senders.email]
adapter = "smtp"
host = "127.0.0.1"
port = PORT
security = "none"
timeout_ms = {PATIENT_MS}
connect_timeout_ms = {PATIENT_MS}
from_address = "no-reply@shop.example"
[providers.pass]
issuer = "ISSUER"
client_id = "cabinet"
"""


@pytest.fixture(scope="module")
def canaille() -> Iterator[Canaille]:
    with running() as made:
        yield made


@pytest.fixture
def mail() -> Iterator[MailServer]:
    loop = LoopThread("mail")
    context = mail_server()
    try:
        yield loop.do(context.__aenter__())
    finally:
        loop.do(context.__aexit__(None, None, None))
        loop.stop()


def write(shop: Path, *, port: int, issuer: str) -> None:
    """Let customers sign in at this shop, and believe its provider's tokens, whose keys are fetched."""
    file = shop / "kabinet.toml"
    text = file.read_text().replace('issuer = "kabinet-demo"', f'issuer = "{issuer}"\ndiscovery = true')
    text = text.replace("[server]", '[server]\npublic_address = "https://cabinet.shop.example"')
    file.write_text(text + SIGN_IN.replace("PORT", str(port)).replace("ISSUER", issuer))


async def make(file: Path) -> None:
    """Make a store's file, as the service does."""
    store = SqliteStore(file)
    await store.open()
    await store.close()


WITHOUT = {name: value for name, value in SIGN_IN_SECRETS.items() if "IDENTITY" not in name}


def rows(said: str) -> dict[str, list[str]]:
    """Rows of the printed tables, by their first cell."""
    cells = [[cell.strip() for cell in line.split("│")[1:-1]] for line in said.splitlines() if line.startswith("│")]
    return {row[0]: row[1:] for row in cells}


def test_check_has_a_line_for_everything_that_signing_in_needs(
    kabinet: Kabinet, shop: Path, canaille: Canaille, mail: MailServer
) -> None:
    write(shop, port=mail.port, issuer=canaille.issuer)
    said = kabinet("check", cwd=shop, env=WITHOUT).stdout
    came = rows(said)
    assert {name: row[1] for name, row in came.items()} == dict.fromkeys(
        ("erp", "loyalty", "cms", "senders.phone", "senders.email", "store", "identity", "providers.pass"), "ok"
    )
    assert came["senders.phone"][0] == "http_sms"
    assert came["senders.phone"][2].startswith("nothing was sent; a code would be POST with form (to, text, key)")
    assert came["senders.email"][2] == "the mail server answered over no TLS and asked for no sign-in"
    assert came["store"][::2][:2] == ["sqlite", "not there yet; the service makes it"]
    assert came["identity"][::2][:2] == ["discovery", "1 key"]
    assert came["providers.pass"][2].startswith(
        "1 key; redirect URI to register there: https://cabinet.shop.example/auth/callback/pass"
    )
    assert "hunter" not in said
    assert mail.envelopes == []
    assert not (shop / "kabinet.sqlite").exists(), "it would be the file of who asks, and not the service's"

    asyncio.run(make(shop / "kabinet.sqlite"))
    assert rows(kabinet("check", cwd=shop, env=WITHOUT).stdout)["store"][:3] == ["sqlite", "ok", "opened"]


def test_check_says_what_to_do_about_what_signing_in_lacks(
    kabinet: Kabinet, shop: Path, canaille: Canaille, mail: MailServer
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        nobody = taken.getsockname()[1]
    write(shop, port=nobody, issuer=canaille.issuer)
    (shop / "kabinet.sqlite").write_text("no database of ours")
    text = (shop / "kabinet.toml").read_text()
    # Without its last slash, or with one too many, an issuer is another.
    (shop / "kabinet.toml").write_text(text.replace(f'"{canaille.issuer}"', f'"{canaille.issuer}/"'))
    came = rows(kabinet("check", cwd=shop, code=1, env=WITHOUT).stdout)
    assert {name: row[1] for name, row in came.items() if row[1] != "ok"} == dict.fromkeys(
        ("senders.email", "store", "identity", "providers.pass"), "FAILED"
    )
    assert came["senders.email"][2].startswith("UNAVAILABLE: senders.email: ")
    assert came["senders.email"][4].startswith("Is it running")
    assert came["store"][2].startswith("UNAVAILABLE: the store ")
    for part in ("identity", "providers.pass"):
        assert came[part][2].endswith("its metadata names another issuer")
        assert came[part][4].startswith("Compare the settings with what it publishes")


def test_check_finds_keys_by_their_address(kabinet: Kabinet, shop: Path, canaille: Canaille) -> None:
    file = shop / "kabinet.toml"
    keys = f'audience = "kabinet"\njwks_url = "{canaille.issuer}/oauth/jwks.json"'
    file.write_text(file.read_text().replace('audience = "kabinet"', keys))
    without = {name: value for name, value in SECRETS.items() if "IDENTITY" not in name}
    came = rows(kabinet("check", cwd=shop, env=without).stdout)
    assert came["identity"][:3] == ["jwks_url", "ok", "1 key"]


def test_config_show_knows_the_secrets_of_senders_and_providers(kabinet: Kabinet, shop: Path) -> None:
    write(shop, port=25, issuer="https://pass.example.test")
    said = kabinet("config", "show", cwd=shop, env=WITHOUT).stdout
    assert re.search(r"senders\.phone\.secret\W+\(secret\)\W+environment", said)
    assert re.search(r"senders\.phone\.form\.text\W+\{text\}\W+kabinet\.toml", said)
    assert re.search(r"senders\.email\.timeout_ms\W+30000\W+kabinet\.toml", said)
    assert re.search(r"providers\.pass\.client_secret\W+\(secret\)\W+environment", said)
    assert re.search(r"providers\.pass\.scopes\W+openid, phone, email\W+default", said)
    assert re.search(r"sessions\.secret\W+\(secret\)\W+environment", said)
    assert re.search(r"sign_in\.resend_seconds\W+30, 60, 120\W+default", said)
    assert re.search(r"identity\.discovery\W+true\W+kabinet\.toml", said)
    assert "hunter" not in said


def test_config_show_hides_a_sender_that_it_does_not_know(kabinet: Kabinet, shop: Path) -> None:
    write(shop, port=25, issuer="https://pass.example.test")
    file = shop / "kabinet.toml"
    file.write_text(file.read_text().replace('"http_sms"', '"http_sm"').replace('client_id = "cabinet"', ""))
    done = kabinet("config", "show", cwd=shop, code=2, env=WITHOUT)
    assert "  - senders.phone.adapter: there is no adapter 'http_sm'; installed: http_sms, log, smtp" in done.stderr
    assert "  - providers.pass.client_id: is missing" in done.stderr
    assert re.search(r"senders\.phone\.secret\W+\(not shown", done.stdout)
    assert re.search(r"providers\.pass\.client_secret\W+\(not shown", done.stdout)
    assert "hunter" not in done.stdout + done.stderr


def test_codes_are_printed_by_the_demo_alone(kabinet: Kabinet, shop: Path) -> None:
    write(shop, port=25, issuer="https://pass.example.test")
    file = shop / "kabinet.toml"
    text = re.sub(r'adapter = "http_sms"\n.*\n.*\n', 'adapter = "log"\n', file.read_text())
    file.write_text(text.replace('path = "kabinet.sqlite"', ""))
    without = {name: value for name, value in WITHOUT.items() if "SENDERS" not in name}
    for command in ("serve", "check"):
        said = kabinet(command, cwd=shop, code=2, env=without).stderr
        assert "(2 found)" in said
        assert "  - senders.phone.adapter: 'log' is for the demo" in said
        assert "  - store: set path, a file that outlives restarts, or redis_url" in said


def test_adapters_list_names_senders_too(kabinet: Kabinet) -> None:
    came = rows(kabinet("adapters", "list").stdout)
    assert came["http_sms"][0] == "phone"
    assert came["smtp"][0] == "email"
    assert came["log"][0] == "email, phone"


def test_a_token_cannot_be_signed_where_customers_sign_in(kabinet: Kabinet, shop: Path) -> None:
    file = shop / "kabinet.toml"
    text = re.sub(r"\[identity\][^[]*", "", file.read_text())
    file.write_text(text + SIGN_IN.partition("[providers")[0].replace("PORT", "25"))
    without = {name: value for name, value in WITHOUT.items() if "PROVIDERS" not in name}
    said = kabinet("token", "--customer", "c-1001", "--config", "kabinet.toml", cwd=shop, code=1, env=without).stderr
    assert "only who holds the keys can sign tokens" in said
