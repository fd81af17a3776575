"""Nothing of a body, a query or a credential is in an error or a log of `bff.http`."""

import logging
from collections.abc import Iterator

import pytest
import structlog

from bff.errors import BackOfficeError
from bff.telemetry import configure_logging
from tests.fakes.http_server import Script, answers, hangs, head, scripted, sends
from tests.unit.core.http_clients import Open, ask

pytestmark = pytest.mark.anyio


@pytest.fixture
def quiet_logs(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    """Logs as the service sets them up, with every record of the standard library's kept."""
    kept = structlog.get_config()
    levels = {name: logging.getLogger(name).level for name in ("aiohttp", "httpx", "zeep")}
    configure_logging("json")
    caplog.set_level(logging.DEBUG)
    yield caplog
    structlog.configure(**kept)
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)


@pytest.mark.parametrize(
    "script",
    [
        hangs(),
        sends(),
        sends(b"HTTP/1.1 sec-ret-body\r\n\r\n"),
        sends(head(Content_Length="99") + b"sec-ret-body"),
        answers(b"sec-ret-body" * 1000),
        answers(b"sec-ret-body", Content_Encoding="gzip"),
        answers(b"sec-ret-body", Content_Encoding="br"),
        answers(b"sec-ret-body", status=500),
        answers(b"sec-ret-body", status=302, Location="https://x/?sec-ret-location"),
        answers(b"sec-ret-body", status=401),
    ],
)
async def test_no_secret_no_query_and_no_body_is_in_an_error_or_a_log(
    client: Open, script: Script, quiet_logs: pytest.LogCaptureFixture
) -> None:
    async with scripted(script) as server:
        made = client(server.address, headers={"X-Key": "sec-ret-key"}, total_seconds=0.3, max_reply_bytes=1000)

        async def call() -> None:
            reply = await made.request("GET", "/x", params=[("customer", "sec-ret-id")], headers={"X-2": "sec-ret-2"})
            reply.refuse_errors()

        with pytest.raises(BackOfficeError) as caught:
            await call()
    shown = [*told(caught.value), repr(vars(caught.value)), repr(made), quiet_logs.text]
    assert "sec-ret" not in "".join(shown)


def told(error: BaseException | None) -> Iterator[str]:
    """What a traceback in a log tells of an error and of those behind it."""
    while error is not None:
        yield from (str(error), repr(error))
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


async def test_a_reply_prints_without_its_body_and_headers(client: Open) -> None:
    reply = await ask(client, answers(b"sec-ret", Set_Cookie="ibsession=sec-ret"))
    assert "sec-ret" not in f"{reply!r} {reply}"
    assert "status=200" in repr(reply)
