"""GraphiQL in a real Chromium, with the network closed to all but the service."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from bff.app import assemble
from bff.demo.launch import demo_offices
from bff.demo.run import demo_headers, demo_settings, serving
from bff.web.graphiql_page import BUILD
from tests.browser.chromium import chromium, require
from tests.patience import patient

SCREENSHOT = os.environ.get("KABINET_SCREENSHOT")
"""Where `scripts/screenshot` wants the README's picture."""

RESPONSE = "__MONACO.editor.getModels().find(model => model.uri.path.endsWith('response.json')).getValue()"
"""The page shows only the lines that are in view; the editor's model has all of them."""

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module", autouse=True)
def _needs() -> None:
    require([] if (BUILD / "graphiql.js").is_file() else ["our GraphiQL build (scripts/graphiql, needs npm)"])


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with (
        demo_offices() as offices,
        serving(assemble(demo_settings(offices, over=patient())), graphiql_headers=demo_headers) as address,
    ):
        yield address


@pytest.fixture(scope="module")
def browser(_needs: None) -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1440, "height": 900}, locale="ru-RU")
    page = context.new_page()
    yield page
    context.close()


def test_the_ready_query_runs_and_nothing_leaves_the_machine(page: Page, address: str, tmp_path: Path) -> None:
    asked: list[str] = []
    complaints: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))

    page.goto(f"{address}/graphql")
    page.wait_for_selector(".graphiql-query-editor .view-line")
    page.get_by_role("button", name="Execute query").click()
    expect(page.get_by_role("region", name="Result Window")).to_contain_text("Анна Соколова")
    answer = page.evaluate(f"JSON.parse({RESPONSE})")

    assert "errors" not in answer
    assert set(answer["data"]["dashboard"]) == {"profile", "lastOrder", "bonuses", "favorites", "offers"}
    page.screenshot(path=SCREENSHOT or tmp_path / "graphiql.png")
    assert all(url.startswith((address, "data:", "blob:")) for url in asked), asked
    assert complaints == []


def test_the_schema_can_be_read_in_the_page(page: Page, address: str) -> None:
    page.goto(f"{address}/graphql")
    page.wait_for_selector(".graphiql-query-editor .view-line")
    page.get_by_role("button", name="Show Documentation Explorer").click()
    explorer = page.locator(".graphiql-doc-explorer")
    explorer.get_by_text("Query", exact=True).first.click()
    expect(explorer).to_contain_text("dashboard")
    expect(explorer).to_contain_text("The main screen of the customer whose token it is.")
