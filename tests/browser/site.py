"""
The site of a shop, and a proxy: its page signs customers in with the module of docs/sign-in/front-end.md.

`/graphql` and `/auth/…` go to the service, as behind one proxy; or the module is told to go there by itself.
"""

import http.client
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

from tests.docs.blocks import ROOT, blocks
from tests.patience import PATIENCE_SECONDS

PAGE = (Path(__file__).parent / "shop" / "index.html").read_text(encoding="utf-8")
[MODULE] = [block.text for block in blocks(ROOT / "docs/sign-in/front-end.md") if "browser" in block.options]
WRITTEN = "https://cabinet.shop.example.ru/graphql"
HOP_BY_HOP = {"connection", "transfer-encoding", "keep-alive", "content-length"}


@dataclass(slots=True)
class Site:
    """A site that runs. `service` is where it passes requests on to; `endpoint` is what its page asks."""

    port: int
    service: str = ""
    endpoint: str = "/graphql"

    @property
    def address(self) -> str:
        """Its origin. Chromium trusts the name localhost as it trusts HTTPS: a Secure cookie is kept."""
        return f"http://localhost:{self.port}"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    site: Site

    def do_GET(self) -> None:
        path = urlsplit(self.path).path
        if path == "/":
            self._say("text/html", PAGE)
        elif path == "/session.js":
            assert WRITTEN in MODULE
            self._say("text/javascript", MODULE.replace(WRITTEN, self.site.endpoint))
        elif path.startswith(("/auth/", "/graphql")):
            self._pass_on()
        else:
            self._say("text/plain", "", 404)

    def do_POST(self) -> None:
        self._pass_on()

    def do_OPTIONS(self) -> None:
        self._pass_on()

    def _pass_on(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        connection = http.client.HTTPConnection(urlsplit(self.site.service).netloc, timeout=PATIENCE_SECONDS)
        try:
            connection.request(self.command, self.path, body, dict(self.headers.items()))
            answer = connection.getresponse()
            content = answer.read()
            self.send_response(answer.status)
            for name, value in answer.getheaders():
                if name.lower() not in HOP_BY_HOP:
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)
        finally:
            connection.close()

    def _say(self, kind: str, text: str, status: int = 200) -> None:
        content = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", f"{kind}; charset=utf-8")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def site() -> Iterator[Site]:
    """Run one for as long as the context lasts."""
    handler = type("Handler", (_Handler,), {})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        made = Site(server.server_address[1])
        handler.site = made  # type: ignore[attr-defined]
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield made
        finally:
            server.shutdown()
            thread.join(PATIENCE_SECONDS)
