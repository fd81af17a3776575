"""A browser as far as signing in needs one: it keeps cookies by host, and goes where it is sent, step by step."""

import asyncio
import http.client
from dataclasses import dataclass, field
from http.cookies import SimpleCookie
from urllib.parse import urlencode, urljoin, urlsplit


@dataclass(frozen=True, slots=True)
class Page:
    """An answer; `location` is whole."""

    url: str
    status: int
    headers: list[tuple[str, str]]
    text: str

    @property
    def location(self) -> str:
        """Where it sends the browser."""
        return urljoin(self.url, dict(self.headers).get("Location") or dict(self.headers)["location"])


@dataclass(slots=True)
class Browser:
    """Cookies by origin, as browsers have it for the prefix `__Host-`; one whose `Max-Age` is 0 goes."""

    cookies: dict[str, dict[str, str]] = field(default_factory=dict)
    language: str = "en"

    async def get(self, url: str) -> Page:
        """Look at a page."""
        return await asyncio.to_thread(self._ask, "GET", url, None)

    async def post(self, url: str, **fields: str) -> Page:
        """Send a form."""
        return await asyncio.to_thread(self._ask, "POST", url, urlencode(fields))

    def _ask(self, method: str, url: str, form: str | None) -> Page:
        parts = urlsplit(url)
        jar = self.cookies.setdefault(parts.netloc, {})
        headers = {"Accept-Language": self.language}
        if jar:
            headers["Cookie"] = "; ".join(f"{name}={value}" for name, value in jar.items())
        if form is not None:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        connection = http.client.HTTPConnection(parts.netloc, timeout=60)
        try:
            connection.request(method, parts._replace(scheme="", netloc="", fragment="").geturl(), form, headers)
            answer = connection.getresponse()
            text = answer.read().decode(errors="replace")
        finally:
            connection.close()
        found = answer.getheaders()
        for name, value in found:
            if name.lower() == "set-cookie":
                for cookie, morsel in SimpleCookie(value).items():
                    jar.pop(cookie, None)
                    if morsel["max-age"] != "0":
                        jar[cookie] = morsel.value
        return Page(url, answer.status, found, text)
