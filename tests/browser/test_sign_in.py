"""Signing in, in a real Chromium: the page of a shop, other pages, and a real identity provider."""

import re
from collections.abc import Iterator, MutableMapping
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect
from structlog.testing import capture_logs

from bff.app import assemble
from bff.demo.launch import DemoOffices, demo_offices
from bff.demo.run import demo_settings, serving
from tests.browser.chromium import chromium, require
from tests.browser.site import Site, site
from tests.identity.oidc.canaille import PASSWORD, Canaille, running
from tests.patience import patient, until

pytestmark = pytest.mark.browser

COOKIE = "__Host-kabinet"
FOREIGN = "foreign.test"
"""A host that is of another site."""

Logs = list[MutableMapping[str, Any]]


@pytest.fixture(scope="module", autouse=True)
def _needs() -> None:
    require([])


@pytest.fixture(scope="module")
def browser(_needs: None) -> Iterator[Browser]:
    with chromium(resolve=f"MAP {FOREIGN} 127.0.0.1, ") as browser:
        yield browser


@pytest.fixture(scope="module")
def offices() -> Iterator[DemoOffices]:
    with demo_offices() as offices:
        yield offices


@pytest.fixture
def logs() -> Iterator[Logs]:
    with capture_logs() as captured:
        yield captured


@pytest.fixture
def home() -> Iterator[Site]:
    with site() as made:
        yield made


@pytest.fixture
def stranger() -> Iterator[Site]:
    """Another site's server: another port is another origin."""
    with site() as made:
        yield made


@pytest.fixture(params=["one origin", "two origins"])
def shop(request: pytest.FixtureRequest, offices: DemoOffices, home: Site, logs: Logs) -> Iterator[Site]:
    """The shop's site, before the service or beside it."""
    assert logs == []
    beside = request.param == "two origins"
    over = patient(server={"origins": [home.address]} if beside else {})
    with serving(assemble(demo_settings(offices, over=over))) as address:
        home.service = address
        if beside:
            home.endpoint = address.replace("127.0.0.1", "localhost") + "/graphql"
        yield home


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    context = browser.new_context(viewport={"width": 720, "height": 480}, locale="ru-RU")
    yield context
    context.close()


@pytest.fixture
def page(context: BrowserContext) -> Page:
    """A page of that context."""
    return context.new_page()


def code(logs: Logs, number: int = 1) -> str:
    """The code of the message of that number, as the demo prints it."""

    def texts() -> list[str]:
        return [each["text"] for each in [*logs] if each["event"].startswith("message not sent")]

    until(lambda: len(texts()) >= number, "the code does not come")
    found = re.search(r"\d{6}", texts()[number - 1])
    assert found is not None
    return found[0]


def ended(logs: Logs) -> list[str]:
    """Why sessions ended."""
    return [each["why"] for each in [*logs] if each["event"] == "session ended"]


def sign_in(page: Page, shop: Site, logs: Logs) -> None:
    """As Anna does."""
    page.goto(shop.address)
    page.get_by_label("Телефон").fill("8 (900) 000-10-01")
    page.get_by_role("button", name="Получить код").click()
    page.get_by_label("Код").fill(code(logs))
    page.get_by_role("button", name="Войти").click()
    expect(page.get_by_role("heading")).to_have_text("Анна Соколова")


def test_a_customer_signs_in_stays_and_signs_out(
    page: Page, context: BrowserContext, shop: Site, logs: Logs, tmp_path: Path
) -> None:
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(shop.address)
    page.get_by_label("Телефон").fill("8 (900) 000-10-01")
    page.get_by_role("button", name="Получить код").click()
    right = code(logs)
    page.get_by_label("Код").fill("12345")
    page.get_by_role("button", name="Войти").click()
    expect(page.locator("#error")).to_have_text("Код не подошёл. Запросите новый.")
    assert context.cookies() == []
    page.get_by_label("Код").fill(right)
    page.get_by_role("button", name="Войти").click()
    expect(page.get_by_role("heading")).to_have_text("Анна Соколова")
    expect(page.locator("#order")).to_have_text("КБ00-000023")
    page.screenshot(path=tmp_path / "cabinet.png")

    [cookie] = context.cookies()
    assert (cookie["name"], cookie["domain"], cookie["path"]) == (COOKIE, "localhost", "/")
    assert (cookie["httpOnly"], cookie["secure"], cookie["sameSite"]) == (True, True, "Lax")
    kept = page.evaluate("[document.cookie, JSON.stringify(localStorage), JSON.stringify(sessionStorage)]")
    assert kept == ["", "{}", "{}"], "no script can read what the session is"

    page.reload()
    expect(page.get_by_role("heading")).to_have_text("Анна Соколова")
    page.get_by_role("button", name="Выйти").click()
    expect(page.get_by_label("Телефон")).to_be_visible()
    assert context.cookies() == []
    assert ended(logs) == ["signed out"]

    # Who kept the cookie has nothing.
    context.add_cookies([{"name": COOKIE, "value": cookie["value"], "url": "https://localhost", "secure": True}])
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.all_headers().get("cookie") or ""))
    page.reload()
    expect(page.get_by_label("Телефон")).to_be_visible()
    assert any(cookie["value"] in sent for sent in asked)
    assert complaints == []


ATTACKS = """
async ([url, query]) => {
  const body = JSON.stringify({ query });
  const ways = [
    { mode: "no-cors", headers: { "Content-Type": "text/plain" } },
    { headers: { "Content-Type": "application/json", "X-Kabinet-CSRF": "1" } },
    { headers: { "Content-Type": "text/plain" } },
    { mode: "no-cors", headers: { "Content-Type": "application/x-www-form-urlencoded" } },
  ];
  const came = [];
  for (const way of ways) {
    try {
      const reply = await fetch(url, { method: "POST", credentials: "include", body, ...way });
      came.push(reply.type === "opaque" ? "nothing to read" : await reply.text());
    } catch { came.push("refused"); }
  }
  return came;
}
"""
FORM = """
([url, query]) => {
  const form = document.createElement("form");
  Object.assign(form, { method: "POST", action: url, enctype: "text/plain" });
  const field = document.createElement("input");
  // As it is sent, it is JSON.
  field.name = JSON.stringify({ query }).slice(0, -1) + ',"rest":"';
  field.value = '"}';
  form.append(field);
  document.body.append(form);
  form.submit();
}
"""


@pytest.mark.parametrize("host", ["localhost", FOREIGN], ids=["of the same site", "of another site"])
def test_a_foreign_page_has_no_effect_and_reads_nothing(
    page: Page, shop: Site, stranger: Site, logs: Logs, host: str
) -> None:
    """One of the same site (another port, or host below the domain) is sent the cookie along with; it is of no use."""
    sign_in(page, shop, logs)
    url = shop.endpoint if "://" in shop.endpoint else shop.address + shop.endpoint
    foreign = page.context.new_page()
    sent: list[bool] = []
    foreign.on("request", lambda request: sent.append(COOKIE in (request.all_headers().get("cookie") or "")))
    mutations = (
        "mutation { signOut { signedOut } }",
        'mutation { requestSignInCode(input: {contact: {phone: "+79000001003"}}) { resendAfter } }',
        "{ dashboard { profile { displayName } } }",
    )
    for query in mutations:
        foreign.goto(f"http://{host}:{stranger.port}/")
        expect(foreign.get_by_label("Телефон")).to_be_visible()
        came = foreign.evaluate(ATTACKS, [url, query])
        assert came == ["nothing to read", "refused", "refused", "nothing to read"]
        with foreign.expect_navigation():
            foreign.evaluate(FORM, [url, query])
        assert "Анна" not in foreign.content()
        assert re.search(r"BAD_USER_INPUT|FORBIDDEN", foreign.content())
        foreign.goto(f"{url}?query={query}")
        assert "Анна" not in foreign.content()

    page.reload()
    expect(page.get_by_role("heading")).to_have_text("Анна Соколова")
    assert ended(logs) == []
    events = [each["event"] for each in logs]
    assert events.count("code requested") == 1, "the one that Anna asked for"
    assert any(sent) or host == FOREIGN


@pytest.fixture(scope="module")
def canaille() -> Iterator[Canaille]:
    with running() as made:
        yield made


@pytest.fixture
def shop_with_provider(offices: DemoOffices, home: Site, canaille: Canaille, logs: Logs) -> Iterator[Site]:
    """A site whose customers may sign in at a real provider."""
    assert logs == []
    client = canaille.register(f"{home.address}/auth/callback/pass")
    over = patient(server={"public_address": home.address}, providers={"pass": client})
    with serving(assemble(demo_settings(offices, over=over))) as address:
        home.service = address
        yield home


def at_provider(page: Page, user: str) -> None:
    """Sign in there, in its own pages."""
    page.locator("input[name=login]").fill(user)
    page.locator("input[name=login]").press("Enter")
    page.locator("input[name=password]").fill(PASSWORD)
    page.locator("input[name=password]").press("Enter")


def test_somebody_new_comes_from_a_provider_registers_and_is_known(
    page: Page, shop_with_provider: Site, canaille: Canaille, logs: Logs, tmp_path: Path
) -> None:
    shop, context = shop_with_provider, page.context
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(shop.address)
    page.get_by_role("link", name="Войти через Pass").click()
    page.wait_for_url(f"{canaille.issuer}/**")
    at_provider(page, "boris")
    # The ticket is on the address that the browser was sent back to, and gone from the one that it shows.
    expect(page.get_by_label("Ваше имя")).to_be_visible()
    assert page.url == f"{shop.address}/?from=pass"
    [back] = [url for url in asked if "registration_ticket=" in url]
    assert back.startswith(f"{shop.address}/?from=pass&registration_ticket=")
    assert COOKIE not in {cookie["name"] for cookie in context.cookies(shop.address)}
    page.screenshot(path=tmp_path / "name.png")
    page.get_by_label("Ваше имя").fill("Борис")
    page.get_by_role("button", name="Зарегистрироваться").click()
    expect(page.get_by_role("heading")).to_have_text("Борис")

    page.get_by_role("button", name="Выйти").click()
    expect(page.get_by_label("Телефон")).to_be_visible()
    page.get_by_role("link", name="Войти через Pass").click()  # where Boris is still signed in
    expect(page.get_by_role("heading")).to_have_text("Борис")
    assert page.url == f"{shop.address}/?from=pass"
    [cookie] = [cookie for cookie in context.cookies(shop.address) if cookie["name"].startswith("__Host-kabinet")]
    assert (cookie["name"], cookie["httpOnly"], cookie["sameSite"]) == (COOKIE, True, "Lax")
    ways = [each["way"] for each in logs if each["event"] == "signed in"]
    assert ways == ["registration", "pass"]


def test_whom_the_provider_vouches_for_with_nothing_is_told(
    page: Page, context: BrowserContext, shop_with_provider: Site
) -> None:
    """Eve has Anna's phone in her profile, and the provider has not verified it."""
    shop = shop_with_provider
    page.goto(shop.address)
    page.get_by_role("link", name="Войти через Pass").click()
    at_provider(page, "eve")
    expect(page.locator("#error")).to_have_text("no_contact")
    assert page.url == f"{shop.address}/?from=pass&sign_in_error=no_contact"
    assert COOKIE not in {cookie["name"] for cookie in context.cookies(shop.address)}
