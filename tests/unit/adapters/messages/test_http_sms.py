"""SMS: what a gateway gets, and what becomes of its answers, over real connections."""

import base64
import json
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from pydantic import ValidationError

from bff.domain import Contact, ContactKind
from bff.errors import (
    BackOfficeError,
    BadReply,
    Busy,
    ConnectionLost,
    Refused,
    SignInRefused,
    TimedOut,
    TooLarge,
    Unavailable,
    Upstream,
)
from bff.senders import Sender
from tests.fakes.http_server import Asked, ScriptedServer, answers, hangs, head, repeats, scripted, sends
from tests.patience import PATIENT_MS
from tests.unit.adapters.messages.conftest import MAIL, PHONE, Open

pytestmark = pytest.mark.anyio

TEXT = 'Ваш код: 735194, "{secret}" {phone} & Co'
FORM = {"form": {"to": "{digits}", "msg": "{text}"}}


@pytest.fixture
async def gateway() -> AsyncIterator[ScriptedServer]:
    async with scripted(answers(b"{}")) as server:
        yield server


def sms(open_as: Open, address: str, **more: Any) -> Sender:
    return open_as(ContactKind.PHONE, adapter="http_sms", address=address, **more)


def form_of(asked: Asked) -> dict[str, str]:
    assert asked.headers["content-type"] == "application/x-www-form-urlencoded"
    return dict(parse_qsl(asked.body.decode("ascii"), keep_blank_values=True, strict_parsing=True))


async def failure(sender: Sender, to: Contact = PHONE) -> BackOfficeError:
    with pytest.raises(BackOfficeError) as caught:
        await sender.send(to, TEXT)
    error = caught.value
    said = f"{error} {error!r} {error.__cause__!r}"
    assert error.back_office == "senders.phone"
    for secret in ("735194", "9160000001", "key-77"):
        assert secret not in said
    return error


async def test_a_form(gateway: ScriptedServer, open_as: Open) -> None:
    form = {"to": "{digits}", "msg": "Код: {text} {{!}}", "api_id": "{secret}", "json": "1"}
    await sms(open_as, gateway.address + "/send", form=form, secret="key-77").send(PHONE, TEXT)
    (asked,) = gateway.asked
    assert (asked.method, asked.target) == ("POST", "/send")
    assert form_of(asked) == {"to": "79160000001", "msg": f"Код: {TEXT} {{!}}", "api_id": "key-77", "json": "1"}


async def test_a_query(gateway: ScriptedServer, open_as: Open) -> None:
    query = {"phones": "{phone}", "mes": "{text}", "psw": "{secret}"}
    await sms(open_as, gateway.address, method="GET", query=query, secret="key-77&x=1").send(PHONE, TEXT)
    (asked,) = gateway.asked
    assert (asked.method, asked.body) == ("GET", b"")
    sent = parse_qsl(urlsplit(asked.target).query, strict_parsing=True)
    assert sent == [("phones", "+79160000001"), ("mes", TEXT), ("psw", "key-77&x=1")]


async def test_json_is_built_and_not_pasted(gateway: ScriptedServer, open_as: Open) -> None:
    tree = {"messages": [{"to": ["{phone}"], "text": "{text}"}], "{digits}": 1, "flash": False, "ttl": 1.5}
    text = '"}], "to": "+79990000000", "x": "\\'
    headers = {"X-Key": "{secret}", "X-To": "{digits}"}
    await sms(open_as, gateway.address, json_body=tree, headers=headers, secret="key-77").send(PHONE, text)
    (asked,) = gateway.asked
    assert json.loads(asked.body) == {
        "messages": [{"to": ["+79160000001"], "text": text}],
        "{digits}": 1,
        "flash": False,
        "ttl": 1.5,
    }
    assert asked.headers["content-type"] == "application/json"
    assert (asked.headers["x-key"], asked.headers["x-to"]) == ("key-77", "79160000001")


async def test_basic_authorization(gateway: ScriptedServer, open_as: Open) -> None:
    await sms(open_as, gateway.address, **FORM, user="me@shop.test", secret="key-77").send(PHONE, TEXT)
    scheme, _, credentials = gateway.asked[0].headers["authorization"].partition(" ")
    assert (scheme, base64.b64decode(credentials)) == ("Basic", b"me@shop.test:key-77")


async def test_a_slash_at_the_end_of_the_address_stays(gateway: ScriptedServer, open_as: Open) -> None:
    await sms(open_as, gateway.address + "/rest/send/", **FORM).send(PHONE, TEXT)
    assert gateway.asked[0].target == "/rest/send/"


async def test_the_check_sends_nothing_and_shows_no_secret(gateway: ScriptedServer, open_as: Open) -> None:
    more = {"form": {"to": "{digits}", "msg": "{text}", "key": "{secret}"}, "success": {"path": "id"}}
    said = await sms(open_as, gateway.address, secret="key-77", **more).check()
    assert said == "nothing was sent; a code would be POST with form (to, msg, key), taken where id is there"
    assert gateway.connections == 0


@pytest.mark.parametrize(
    ("success", "said"),
    [
        ({}, "the status is 2xx"),
        ({"path": "sms/{digits}/code", "equals": 100}, "sms/{digits}/code is 100"),
        ({"pattern": "^OK"}, "the answer has ^OK"),
    ],
)
async def test_the_check_says_what_counts(success: dict[str, Any], said: str, open_as: Open) -> None:
    sender = sms(open_as, "https://sms.test", method="GET", query={"a": "{phone} {text}"}, success=success)
    assert await sender.check() == f"nothing was sent; a code would be GET with query (a), taken where {said}"


async def test_only_phones(gateway: ScriptedServer, open_as: Open) -> None:
    with pytest.raises(Refused):
        await sms(open_as, gateway.address, **FORM).send(MAIL, TEXT)
    assert gateway.connections == 0


@pytest.mark.parametrize(
    ("success", "body"),
    [
        ({}, b""),
        ({}, b"ERROR"),
        ({"path": "status", "equals": "OK"}, b'{"status": "OK"}'),
        ({"path": "sms/{digits}/code", "equals": 100}, b'{"sms": {"79160000001": {"code": 100}}}'),
        ({"path": "{phone}", "equals": 100}, b'{"+79160000001": "100"}'),
        ({"path": "0/ok", "equals": True}, b'[{"ok": true}]'),
        ({"path": "id"}, b'{"id": 0}'),
        ({"path": "id"}, b'\xef\xbb\xbf{"id": {"deep": []}}'),
        ({"pattern": "^OK"}, b"OK - 1 SMS, ID - 12"),
        ({"pattern": "приня"}, "Сообщение принято".encode()),
    ],
)
async def test_success(success: dict[str, Any], body: bytes, gateway: ScriptedServer, open_as: Open) -> None:
    gateway.script = answers(body)
    await sms(open_as, gateway.address, **FORM, success=success).send(PHONE, TEXT)


@pytest.mark.parametrize(
    ("success", "body", "kind", "said"),
    [
        ({"path": "code", "equals": 100}, b'{"code": 207}', Upstream, "code is 207"),
        ({"path": "code", "equals": 100}, b'{"code": "735194"}', Upstream, "something else"),
        ({"path": "code", "equals": 100}, b'{"code": 79160000001}', Upstream, "something else"),
        ({"path": "code", "equals": 1}, b'{"code": true}', Upstream, "code is true"),
        ({"path": "ok", "equals": True}, b'{"ok": 1}', Upstream, "ok is 1"),
        ({"path": "sms/{digits}/code", "equals": 100}, b'{"sms": {"79990000000": {"code": 100}}}', Upstream, "absent"),
        ({"path": "id"}, b'{"id": null}', Upstream, "id is absent"),
        ({"path": "id"}, b"[]", Upstream, "absent"),
        ({"path": "5"}, b"[1]", Upstream, "absent"),
        ({"path": "a/b"}, b'{"a": "b"}', Upstream, "absent"),
        ({"path": "id"}, b"<html>735194", BadReply, "JSON"),
        ({"path": "id"}, b"[" * 50_000, BadReply, "JSON"),
        ({"path": "id"}, b"\xff", BadReply, "JSON"),
        ({"pattern": "^OK"}, b"ERROR = 2", Upstream, "success.pattern"),
        ({"pattern": "OK"}, b"x" * 4_000 + b"OK", Upstream, "success.pattern"),
    ],
)
async def test_what_is_no_success(  # noqa: PLR0917
    success: dict[str, Any],
    body: bytes,
    kind: type[BackOfficeError],
    said: str,
    gateway: ScriptedServer,
    open_as: Open,
) -> None:
    gateway.script = answers(body)
    error = await failure(sms(open_as, gateway.address, **FORM, success=success))
    assert type(error) is kind
    assert said in str(error)


@pytest.mark.parametrize(
    ("script", "kind"),
    [
        (answers(b"735194", 500), Upstream),
        (answers(b"735194", 400), Upstream),
        (answers(b"", 401), SignInRefused),
        (answers(b"", 429, Retry_After="7"), Busy),
        (answers(b"", 302, Location="http://127.0.0.1:1/"), BadReply),
        (hangs(), TimedOut),
        (hangs(head(Content_Length="10")), TimedOut),
        (repeats(head(Content_Length="100000"), b"x", pause=0.02), TimedOut),
        (repeats(head(), b"x" * 10_000), TooLarge),
        (sends(), ConnectionLost),
        (sends(head(Content_Length="10"), b"1"), BadReply),
    ],
)
async def test_failures(script: Any, kind: type[BackOfficeError], gateway: ScriptedServer, open_as: Open) -> None:
    gateway.script = script
    limit = 700 if kind is TimedOut else PATIENT_MS
    sender = sms(open_as, gateway.address, form={**FORM["form"], "k": "{secret}"}, secret="key-77", timeout_ms=limit)
    assert type(await failure(sender)) is kind
    assert len(gateway.asked) == 1  # a message costs money: nothing is sent a second time


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_nothing_is_sent_twice_on_a_kept_connection(method: str, gateway: ScriptedServer, open_as: Open) -> None:
    more = {"query": {"to": "{digits}", "msg": "{text}"}, "method": method}
    sender = sms(open_as, gateway.address, **more)
    await sender.send(PHONE, "first")
    gateway.script = sends()
    assert isinstance(await failure(sender), Unavailable)
    assert len(gateway.asked) == 2


@pytest.mark.parametrize(
    ("more", "fault"),
    [
        ({"address": "http://sms.test"}, "use https"),
        ({"address": "https://me:key-77@sms.test"}, "settings of their own"),
        ({"address": "https://sms.test/?to={phone}"}, "no ?"),
        ({"address": "https://sms.test/{phone}"}, "nothing is put into it"),
        ({"method": "GET"}, "a GET has no body"),
        ({"method": "PUT"}, "method"),
        ({"json_body": {}}, "one body"),
        ({"form": {"to": "{digits}"}}, "no template has {text}"),
        ({"form": {"msg": "{text}"}}, "nobody would get"),
        ({"form": {"to": "{to}", "msg": "{text}"}}, "form.to: only {digits}, {phone}, {secret}, {text}"),
        ({"form": {"to": "{digits}", "msg": "{text.__class__}"}}, "form.msg: only"),
        ({"form": {"to": "{digits}", "msg": "{text!r}"}}, "form.msg: only"),
        ({"form": {"to": "{digits:>20}", "msg": "{text}"}}, "form.to: only"),
        ({"form": {"to": "{digits}", "msg": "{}{text}"}}, "form.msg: only"),
        ({"form": {"to": "{digits}", "msg": "{text}}"}}, "form.msg: a brace"),
        ({"form": {}, "json_body": {"a": [{"b": "{text} {x}"}]}}, "json_body.a.0.b: only"),
        ({"headers": {"X-Code": "{text}"}}, "headers.X-Code: only {digits}, {phone}, {secret}"),
        ({"headers": {"X-A": "a\r\nX-B: c"}}, "headers.X-A: a header is"),
        ({"headers": {"X A": "a"}}, "headers.X A"),
        ({"headers": {"X-Key": "{secret}"}}, "secret: is missing"),
        ({"secret": "key-77"}, "secret: is not used"),
        ({"user": "me"}, "goes with a secret"),
        ({"user": "me:x", "secret": "key-77"}, "no colon"),
        ({"user": "me", "secret": "key-77", "headers": {"authorization": "x"}}, "is made of user and secret"),
        ({"secret": "key-77\r\nX: y"}, "printable ASCII"),
        ({"success": {"path": "a", "pattern": "b"}}, "set one of them"),
        ({"success": {"equals": 1}}, "equals needs a path"),
        ({"success": {"path": "a//b"}}, "names between slashes"),
        ({"success": {"path": "{text}"}}, "only {digits}, {phone}"),
        ({"success": {"pattern": "("}}, "pattern"),
        ({"surprise": 1}, "surprise"),
    ],
)
async def test_settings_that_make_no_sense(more: dict[str, Any], fault: str, open_as: Open) -> None:
    raw = {"address": "https://sms.test/send", **FORM, **more}
    with pytest.raises(ValidationError) as caught:
        sms(open_as, **raw)
    assert fault in str(caught.value)
    assert "key-77" not in str(caught.value)


async def test_all_faults_are_listed_at_once(open_as: Open) -> None:
    with pytest.raises(ValidationError) as caught:
        sms(open_as, "ftp://sms.test", query={"a": "{b}"}, user="me")
    for part in ("address: ", "query.a: ", "no template has {text}", "nobody would get", "user: goes with"):
        assert part in str(caught.value)
