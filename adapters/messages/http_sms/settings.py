"""Settings of an SMS gateway: where it is, and what its request looks like."""

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field, JsonValue, StringConstraints, model_validator

from adapters.messages.http_sms.success import Success
from adapters.messages.http_sms.template import DIGITS, PHONE, SECRET, TEXT, placeholders, texts
from bff.http import HttpLimits
from bff.plugins import HeaderSecret, Name, address_fault
from bff.senders import RemoteSettings

Parameter = Annotated[str, StringConstraints(min_length=1, max_length=200)]
Header = Annotated[str, StringConstraints(pattern="^[!#$%&'*+.^_`|~0-9A-Za-z-]+$", max_length=200)]

_EVERYWHERE = frozenset({PHONE, DIGITS, TEXT, SECRET})
# A header holds ASCII; and no log of a proxy that keeps headers should hold a code.
_IN_HEADERS = _EVERYWHERE - {TEXT}


class SmsSettings(RemoteSettings):
    """Values of `query`, `form`, `headers` and texts in `json_body` are templates."""

    address: str
    """Where messages go: `https://host/path`."""
    allow_plain_http: bool = False
    """Let an address outside this machine go without TLS: only on a network that you trust."""
    method: Literal["GET", "POST"] = "POST"
    query: dict[Parameter, str] = Field(default={})
    """Parameters behind the `?`. Gateways and proxies log them: with POST, a form is the better place."""
    form: dict[Parameter, str] = Field(default={})
    """The body as `application/x-www-form-urlencoded`, UTF-8."""
    json_body: JsonValue = None
    """The body as `application/json`."""
    headers: dict[Header, str] = Field(default={})
    user: Name | None = None
    """With it, `user` and `secret` go as `Authorization: Basic`."""
    secret: HeaderSecret | None = None
    """What `{secret}` stands for: the key, or the password."""
    success: Success = Success()
    max_reply_bytes: int = Field(default=100_000, ge=1_000)

    @model_validator(mode="after")
    def _is_whole(self) -> "SmsSettings":
        if found := list(self._faults()):
            raise ValueError("; ".join(found))
        return self

    def _faults(self) -> Iterator[str]:
        if fault := address_fault(self.address, allow_plain_http=self.allow_plain_http):
            yield f"address: {fault}"
        elif "{" in self.address or "}" in self.address:
            yield "address: nothing is put into it; use query, form or json_body"
        if self.form and self.json_body is not None:
            yield "a request has one body: form or json_body"
        if self.method == "GET" and (self.form or self.json_body is not None):
            yield 'a GET has no body: use query, or method = "POST"'
        used: set[str] = set()
        for place, template in self._templates():
            known = _IN_HEADERS if place.startswith("headers.") else _EVERYWHERE
            try:
                used.update(placeholders(template, known=known))
            except ValueError as error:
                yield f"{place}: {error}"
            if place.startswith("headers.") and not (template.isascii() and template.isprintable()):
                yield f"{place}: a header is printable ASCII"
        yield from self._faults_of_use(used)

    def _templates(self) -> Iterator[tuple[str, str]]:
        for place in ("query", "form", "headers"):
            for name, template in getattr(self, place).items():
                yield f"{place}.{name}", template
        yield from texts(self.json_body, "json_body")

    def _faults_of_use(self, used: set[str]) -> Iterator[str]:
        if TEXT not in used:
            yield "no template has {text}: the code would not be sent"
        if used.isdisjoint({PHONE, DIGITS}):
            yield "no template has {phone} or {digits}: nobody would get the code"
        if self.user is not None and (":" in self.user or self.secret is None):
            yield "user: goes with a secret, and has no colon"
        if self.user is not None and any(name.lower() == "authorization" for name in self.headers):
            yield "headers.Authorization: is made of user and secret"
        if SECRET in used and self.secret is None:
            yield "secret: is missing, and {secret} is used"
        if self.secret is not None and SECRET not in used and self.user is None:
            yield "secret: is not used; write {secret} where it goes, or set user"

    @property
    def limits(self) -> HttpLimits:
        """The same figures, for `bff.http`."""
        return HttpLimits(
            total_seconds=self.timeout_ms / 1000,
            connect_seconds=self.connect_timeout_ms / 1000,
            max_reply_bytes=self.max_reply_bytes,
            connections=self.pool,
        )
