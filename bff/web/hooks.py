"""
The door for back offices: `POST /hooks/<back office>` says what has changed there, and what is kept of it goes.

`X-Kabinet-Signature` is HMAC-SHA256 over the timestamp, a dot and the body, by the back office's `hook_secret`. A
signature is good for five minutes either way, and once. docs/webhooks.md says it to those who send.
"""

import asyncio
import hmac
import re
from collections.abc import Mapping
from typing import Annotated, Final

import msgspec
import structlog
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response

from bff.domain.clock import Clock
from bff.errors import Code
from bff.plugins import Secret
from bff.sources import Cache, Sections
from bff.sources.tier import Place
from bff.web.request import BODY_IS_LATE

log = structlog.get_logger("kabinet.hooks")

MAX_BODY_BYTES: Final = 65_536
BODY_SECONDS: Final = 10.0

TOLERANCE_SECONDS: Final = 300
"""How far a timestamp may be from our clock, either way. A used signature is remembered twice as long."""

TIMESTAMP: Final = "X-Kabinet-Timestamp"
SIGNATURE: Final = "X-Kabinet-Signature"

KNOWN: Final = tuple(sorted(Sections.model_fields.keys() - {"customers"}))
"""A hook may name any section: an ERP may know of bonuses. Of who has which contact nothing is kept."""

SHARED: Final = frozenset({"offers", "products"})
"""Sections of which something is everybody's, under the section's own name as its tag."""

NOBODYS: Final = frozenset({"products"})
"""Sections of which nothing is one customer's."""

_Id = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]


class _Changed(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A hook's body."""

    customers: tuple[_Id, ...] = ()
    sections: tuple[_Id, ...] = ()
    products: tuple[_Id, ...] = ()
    tags: tuple[_Id, ...] = ()
    """As the cache has them, for who knows what he does."""
    id: str = ""
    """Whatever makes a hook differ from another one with the same content in the same second."""


_decode = msgspec.json.Decoder(_Changed).decode


class _Refused(Exception):
    """The hook is not done. The text is for the sender; `reason` is for the log, and holds nothing of the body."""

    def __init__(self, status: int, code: Code, message: str, reason: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.reason = reason


class _Unsigned(_Refused):
    """One answer for all: who guesses learns nothing from it."""

    def __init__(self, reason: str) -> None:
        super().__init__(401, Code.UNAUTHENTICATED, "the signature is missing, wrong, too old, or used before", reason)


def sign(secret: str, timestamp: str, body: bytes) -> str:
    """What stands in `X-Kabinet-Signature`. `timestamp` is in seconds since 1970, as it stands in its own header."""
    return "sha256=" + _digest(secret, timestamp, body).hex()


class Hooks:
    """Hears hooks. `secrets` are by back office; one without has no hook. Without a cache nothing needs to go."""

    def __init__(self, secrets: Mapping[str, Secret], *, cache: Cache | None, clock: Clock) -> None:
        self._secrets = secrets
        self._cache = cache
        self._clock = clock

    async def __call__(self, request: Request) -> Response:
        """Answer one hook: 204 when what it names has gone."""
        back_office = request.path_params["back_office"]
        secret = self._secrets.get(back_office)
        if secret is None:
            # The name is whoever's who asks: it is not logged.
            return _answer(404, Code.NOT_FOUND, "there is no such hook")
        try:
            changed = await self._heard(request, secret.get_secret_value())
        except _Refused as refused:
            log.info("hook refused", back_office=back_office, status=refused.status, reason=refused.reason)
            return _answer(refused.status, refused.code, str(refused))
        except ClientDisconnect:
            return Response(status_code=400)
        log.info(
            "hook",
            back_office=back_office,
            customers=len(changed.customers),
            sections=len(changed.sections),
            products=len(changed.products),
            tags=len(changed.tags),
        )
        return Response(status_code=204)

    async def _heard(self, request: Request, secret: str) -> _Changed:
        timestamp, signature = self._signed(request)
        body = await _body(request)
        digest = _digest(secret, timestamp, body)
        if not hmac.compare_digest(digest, signature):
            raise _Unsigned("the signature is wrong")
        changed = _read(body)
        tags = _tags(changed)
        if self._cache is not None:
            # Asked for last: what could not be read may be sent again, and is refused as what it is.
            if not await self._cache.lease(Place(f"hook:{digest.hex()}", ()), 2 * TOLERANCE_SECONDS):
                raise _Unsigned("the signature was used before")
            await self._cache.drop(tags)
        return changed

    def _signed(self, request: Request) -> tuple[str, bytes]:
        """The timestamp and the signature as they were sent; neither is true yet."""
        timestamps, signatures = (request.headers.getlist(name) for name in (TIMESTAMP, SIGNATURE))
        if len(timestamps) != 1 or not re.fullmatch("[0-9]{1,12}", timestamps[0]):
            raise _Unsigned("no timestamp")
        # 1C writes hexadecimal digits in capitals.
        if len(signatures) != 1 or not re.fullmatch("sha256=[0-9A-Fa-f]{64}", signatures[0]):
            raise _Unsigned("no signature")
        # At the tolerance itself it is over: a signature from the future must not outlive the memory of its use.
        if abs(self._clock().timestamp() - int(timestamps[0])) >= TOLERANCE_SECONDS:
            raise _Unsigned("the timestamp is not within five minutes of our clock")
        return timestamps[0], bytes.fromhex(signatures[0].removeprefix("sha256="))


def _digest(secret: str, timestamp: str, body: bytes) -> bytes:
    return hmac.digest(secret.encode(), timestamp.encode() + b"." + body, "sha256")


async def _body(request: Request) -> bytes:
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_SECONDS):
            async for chunk in request.stream():
                if BODY_IS_LATE in request.scope.get("extensions", ()):
                    raise _late_body()
                body += chunk
                if len(body) > MAX_BODY_BYTES:
                    message = f"the body is larger than {MAX_BODY_BYTES} bytes; send several hooks"
                    raise _Refused(413, Code.TOO_LARGE, message, "the body is too large")
    except TimeoutError:
        raise _late_body() from None
    return bytes(body)


def _late_body() -> _Refused:
    return _malformed("the body did not come in time")


def _read(body: bytes) -> _Changed:
    try:
        return _decode(body)
    except msgspec.ValidationError as error:
        # Its texts name kinds and places, and no value.
        raise _malformed(str(error)) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise _malformed("the body is not JSON") from None


def _tags(changed: _Changed) -> list[str]:
    """What a hook drops; `_Refused` for what would drop nothing, since its sender would never know."""
    sections = changed.sections
    known = ", ".join(KNOWN)
    for name in sections:
        if name not in KNOWN:
            raise _malformed(f"there is no section {name[:40]!r}; there are {known}")
        if changed.customers and name in NOBODYS:
            raise _malformed(f"{name} are nobody's own; name them in products, or the section without customers")
        if not changed.customers and name not in SHARED:
            raise _malformed(f"{name} belong to customers; name the customers, too")
    tags = [f"products:{product}" for product in changed.products] + list(changed.tags)
    if not changed.customers:
        tags += sections
    elif not sections:
        tags += [f"customer:{customer}" for customer in changed.customers]
    else:
        tags += [f"{section}:{customer}" for section in sections for customer in changed.customers]
    if not tags:
        raise _malformed("nothing is named; name customers, sections or products")
    return list(dict.fromkeys(tags))


def _malformed(message: str) -> _Refused:
    return _Refused(400, Code.BAD_USER_INPUT, message, "the body is malformed")


def _answer(status: int, code: Code, message: str) -> Response:
    return JSONResponse({"code": code.value, "message": message}, status_code=status)
