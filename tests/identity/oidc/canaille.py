"""Starts a real OpenID provider, Canaille, and walks through its pages as a customer does."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest

from tests.identity.oidc.browser import Browser, Page
from tests.identity.oidc.publisher import be_patient

ROOT = Path(__file__).resolve().parents[3]
PASSWORD = "correct horse battery staple"

USERS = [
    {"user_name": "anna", "emails": ["Anna@shop.test"], "phone_numbers": ["+79160000001"]},
    {"user_name": "boris", "emails": ["boris@shop.test"]},
    {"user_name": "eve", "emails": ["anna@shop.test"], "phone_numbers": ["+79160000001"]},
]
"""Eve writes into her profile what is Anna's; the provider has verified nothing of it."""

CLAIMS = {
    "PHONE_NUMBER_VERIFIED": "{{ 'true' if user.user_name != 'eve' else 'false' }}",
    "EMAIL_VERIFIED": "{{ 'true' if user.user_name != 'eve' else 'false' }}",
}


@dataclass(frozen=True, slots=True)
class Canaille:
    """A provider that runs."""

    issuer: str

    def register(self, redirect_uri: str, method: str = "client_secret_basic") -> dict[str, str]:
        """Make a client (RFC 7591); gives what the settings of a provider need. `to_thread` it."""
        asked = {
            "client_name": "cabinet",
            "client_uri": "https://shop.test",
            "redirect_uris": [redirect_uri],
            "grant_types": ["authorization_code"],
            "response_types": ["code"],
            "scope": "openid profile email phone",
            "token_endpoint_auth_method": method,
        }
        headers = {"Content-Type": "application/json"}
        request = Request(f"{self.issuer}/oauth/register", json.dumps(asked).encode(), headers)  # noqa: S310 (http)
        with urlopen(request, timeout=60) as answer:  # noqa: S310 (the same)
            made: dict[str, Any] = json.load(answer)
        return {"issuer": self.issuer, "client_id": made["client_id"], "client_secret": made["client_secret"]}

    async def sign_in(self, browser: Browser, address: str, user: str) -> Page:
        """Go to the address that the service sent the browser to, and sign in; gives the way back, not yet gone."""
        page = await browser.get(address)
        if page.location.startswith(self.issuer):
            assert (await browser.post(page.location, login=user)).status == 302
            page = await browser.post(f"{self.issuer}/auth/password", password=PASSWORD)
            page = await browser.get(page.location)
        return page


@contextmanager
def running() -> Iterator[Canaille]:
    """Run the provider for as long as the context lasts."""
    process = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-m", "tests.identity.oidc.canaille_process"],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    with process, process.stdin, process.stdout, pytest.MonkeyPatch.context() as patch:
        be_patient(patch)
        try:
            json.dump({"users": [{**user, "password": PASSWORD} for user in USERS], "claims": CLAIMS}, process.stdin)
            process.stdin.close()
            issuer = process.stdout.readline().strip()
            assert issuer, "the provider did not start"
            yield Canaille(issuer)
        finally:
            process.kill()
