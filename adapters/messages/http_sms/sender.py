"""The sender: one request a message."""

import json
from base64 import b64encode
from urllib.parse import urlencode

from adapters.messages.http_sms.settings import SmsSettings
from adapters.messages.http_sms.template import DIGITS, PHONE, SECRET, TEXT, Values, fill, fill_tree
from bff.domain import Contact, ContactKind
from bff.domain.clock import Clock
from bff.errors import Code, Refused
from bff.http import HttpClient, HttpClients
from bff.senders import Sender


class SmsSender:
    """Asks one gateway to send messages."""

    def __init__(self, name: str, settings: SmsSettings, http: HttpClient) -> None:
        self._name = name
        self._settings = settings
        self._http = http
        # The client takes slashes off the address's end, and to some gateways that is another address.
        self._path = "/" if settings.address.endswith("/") else ""
        self._secret = settings.secret.get_secret_value() if settings.secret is not None else ""

    async def send(self, to: Contact, text: str) -> None:
        """Send a message; it is the gateway's when this returns."""
        if to.kind is not ContactKind.PHONE:
            raise Refused("only phones are written to", refusal=Code.NOT_SUPPORTED, back_office=self._name)
        settings = self._settings
        values: Values = {
            PHONE: to.value,
            DIGITS: to.value.removeprefix("+"),
            TEXT: text,
            SECRET: self._secret,
        }
        headers, body = self._content(values)
        reply = await self._http.request(
            settings.method,
            self._path,
            params=[(name, fill(template, values)) for name, template in settings.query.items()],
            headers=headers,
            body=body,
        )
        reply.refuse_errors()
        settings.success.require(reply, values)

    async def check(self) -> str:
        """Say what would be sent: a gateway cannot be asked without a message that costs money."""
        settings = self._settings
        parts = {"query": settings.query, "form": settings.form, "json": settings.json_body}
        content = ", ".join(
            f"{part} ({', '.join(found) if isinstance(found, dict) else 'a list'})"
            for part, found in parts.items()
            if found
        )
        return f"nothing was sent; a code would be {settings.method} with {content}, taken where {settings.success}"

    async def close(self) -> None:
        """Close every connection."""
        await self._http.close()

    def _content(self, values: Values) -> tuple[dict[str, str], bytes | None]:
        settings = self._settings
        headers = {name.lower(): fill(template, values) for name, template in settings.headers.items()}
        if settings.user is not None:
            headers["authorization"] = "Basic " + b64encode(f"{settings.user}:{self._secret}".encode()).decode()
        if settings.form:
            body = urlencode([(name, fill(template, values)) for name, template in settings.form.items()])
            return {"content-type": "application/x-www-form-urlencoded", **headers}, body.encode()
        if settings.json_body is not None:
            body = json.dumps(fill_tree(settings.json_body, values))
            return {"content-type": "application/json", **headers}, body.encode()
        return headers, None


def build(name: str, settings: SmsSettings, clients: HttpClients, _clock: Clock) -> Sender:
    """Make the sender."""
    http = clients.open(name, settings.address, settings.limits, ca_file=settings.ca_file)
    return SmsSender(name, settings, http)
