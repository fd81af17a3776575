"""The door by which back offices say what has changed, and hooks signed by hand."""

import hashlib
import hmac
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2

from tests.patience import PATIENCE_SECONDS, PATIENT

ERP_SECRET = "the ERP's secret for its webhooks, long enough"

CMS_SECRET = "the CMS's own secret for its webhooks, long enough"


# Everything stays fresh for as long as the tests' clock is moved; what goes, goes by a hook.
LASTING = {"fresh_seconds": 86_400, "stale_seconds": 86_400, "on_error_seconds": 86_400}


WARM: dict[str, Any] = {
    "freshness": dict.fromkeys(("profile", "orders", "bonuses", "favorites", "offers", "products"), LASTING),
    "back_offices": {
        "erp": {"hook_secret": ERP_SECRET, **PATIENT},
        "cms": {"hook_secret": CMS_SECRET, **PATIENT},
        "loyalty": PATIENT,
    },
}


@dataclass
class Time:
    """The service's clock: it stands still until it is moved. It is ahead, for tokens are signed by the machine's."""

    now: datetime = field(default_factory=lambda: datetime.now(UTC).replace(microsecond=0) + timedelta(minutes=1))

    def __call__(self) -> datetime:
        return self.now


@dataclass(frozen=True)
class Door:
    """Sends hooks to a running cabinet, signed by hand."""

    address: str
    time: Time
    numbers: Iterator[int] = field(default_factory=lambda: iter(range(1_000_000)))

    def post(
        self, body: bytes, back_office: str = "erp", *, headers: Mapping[str, str | None] = {}, **more: str
    ) -> httpx2.Response:
        """Send a hook. `timestamp` and `signature`, in `headers` or as they are, go over the right ones; None: none."""
        headers = {**headers, **more}
        timestamp = headers.get("timestamp") or str(int(self.time.now.timestamp()))
        secret = {"erp": ERP_SECRET, "cms": CMS_SECRET}.get(back_office, ERP_SECRET)
        signed = {"timestamp": timestamp, "signature": signature(secret, timestamp, body), **headers}
        sent = {f"X-Kabinet-{name}": value for name, value in signed.items() if value is not None}
        return httpx2.post(f"{self.address}/hooks/{back_office}", content=body, headers=sent, timeout=PATIENCE_SECONDS)

    def say(self, back_office: str = "erp", /, **changed: list[str]) -> None:
        """Send a hook that is heard."""
        # Two hooks of one second are the same to the service, unless something in them differs.
        answer = self.post(json.dumps({**changed, "id": str(next(self.numbers))}).encode(), back_office)
        assert answer.status_code == 204, answer.text
        assert answer.content == b""
        assert "no-store" in answer.headers["cache-control"]


def signature(secret: str, timestamp: str, body: bytes) -> str:
    return "sha256=" + hmac.new(secret.encode(), timestamp.encode() + b"." + body, hashlib.sha256).hexdigest()


GOOD = b'{"customers": ["c-1001"], "sections": ["favorites"]}'


def refused(answer: httpx2.Response) -> tuple[int, str]:
    assert "no-store" in answer.headers["cache-control"]
    return answer.status_code, answer.json()["code"]
