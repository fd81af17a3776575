"""The audit log: every event is there, and nobody can be read out of it."""

import json
from collections.abc import MutableMapping
from typing import Any

import pytest
import structlog

from bff.domain import CustomerId
from bff.identity.audit import Audit, Ended
from bff.identity.sessions import Mode, Session
from bff.telemetry import configure_logging
from tests.identity.sign_in.door import ANNA, BORIS, HOME, Door, access, refresh, wrong

Logs = list[MutableMapping[str, Any]]


@pytest.mark.anyio
async def test_a_day_of_a_customer(door: Door, logs: Logs) -> None:
    code = await door.code(BORIS)
    await door.ask(BORIS)
    await door.enter(wrong(code), BORIS)
    ticket = (await door.enter(code, BORIS)).ticket
    session = await door.sign_in.register(ticket, "Борис", "Орлов", HOME, Mode.TOKENS)
    assert isinstance(session, Session)
    await door.sign_in.refresh(refresh(session))
    door.later(30)
    await door.sign_in.request_second_factor(session.principal, HOME, "ru")
    await door.sign_in.close()
    second = door.last_code(BORIS)
    await door.sign_in.confirm_second_factor(session.principal, second, HOME)
    await door.sign_in.sign_out(session.principal)

    # Refreshing is a debug line: whether it is there is for how the process logs to say.
    lines = [line for line in logs if line.get("log") == "audit" and line["event"] != "session refreshed"]
    assert [(line["event"], line.get("why")) for line in lines] == [
        ("code requested", None),
        ("code refused", "limit: codes of contact"),
        ("code refused", "wrong"),
        ("registered", None),
        ("signed in", None),
        ("code requested", None),
        ("second factor confirmed", None),
        ("session ended", "signed out"),
    ]
    # The same one has the same hash, so that lines can be put together.
    assert len({line["contact"] for line in lines if "contact" in line}) == 1
    assert len({line["customer"] for line in lines if "customer" in line}) == 1
    assert len({line["network"] for line in lines if "network" in line}) == 1
    assert len({line["session"] for line in lines if "session" in line}) == 1
    everything = str(logs)
    secrets = (code, second, ticket, access(session), refresh(session))
    for text in (*secrets, BORIS.value[1:], "c-new-1", HOME, "Борис", "Орлов", session.principal.session or ""):
        assert text not in everything


def test_what_others_will_write(logs: Logs) -> None:
    audit = Audit(b"k" * 32)
    audit.staff_read(CustomerId("c-7"), CustomerId("c-1"), "orders")
    audit.session_ended(CustomerId("c-7"), None, Ended.EVERYWHERE)
    read, ended = logs
    assert (read["event"], read["what"]) == ("staff read", "orders")
    assert read["customer"] != read["staff"] == ended["customer"]
    assert "session" not in ended


def test_hashes_need_the_key(logs: Logs) -> None:
    for key in (b"k" * 32, b"l" * 32):
        Audit(key).code_requested(ANNA, HOME, "sign-in")
    first, second = logs
    assert first["contact"] != second["contact"]
    assert first["network"] != second["network"]
    assert len(first["contact"]) == 16


def test_refreshes_are_not_in_the_log_as_it_is_set_up(capsys: pytest.CaptureFixture[str]) -> None:
    configuration = structlog.get_config()
    configure_logging("json")
    try:
        audit = Audit(b"k" * 32)
        audit.session_refreshed(CustomerId("c-1"), "s")
        audit.session_ended(CustomerId("c-1"), "s", Ended.SIGNED_OUT)
    finally:
        structlog.configure(**configuration)
    (line,) = capsys.readouterr().err.splitlines()
    written = json.loads(line)
    assert (written["event"], written["log"]) == ("session ended", "audit")
