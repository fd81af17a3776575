"""`OutageLog`: one line when a back office goes, one when it is back."""

import pytest
from structlog.testing import capture_logs

from bff.errors import (
    BackOfficeError,
    BadReply,
    Busy,
    Code,
    Refused,
    TimedOut,
    Unavailable,
    Unknown,
)
from bff.sources import OutageLog

GONE = "back office failing"
BACK = "back office answers again"


def test_one_line_when_it_goes_and_one_when_it_is_back() -> None:
    outages = OutageLog()
    with capture_logs() as logs:
        outages.answered("erp", "profiles")
        for _ in range(3):
            outages.failed("erp", "profiles", Unavailable("no answer", back_office="erp"))
        outages.answered("erp", "profiles")
        outages.answered("erp", "profiles")
    assert [(line["event"], line["back_office"]) for line in logs] == [(GONE, "erp"), (BACK, "erp")]
    assert (logs[0]["read"], logs[0]["code"]) == ("profiles", "UNAVAILABLE")
    assert logs[1]["failed_calls"] == 3


def test_a_read_that_always_fails_beside_one_that_never_does_is_one_outage() -> None:
    outages = OutageLog()
    with capture_logs() as logs:
        for _ in range(5):
            outages.failed("loyalty", "pending_bonuses", BadReply("no field"))
            outages.answered("loyalty", "bonus_accounts")
        outages.answered("loyalty", "pending_bonuses")
    assert [line["event"] for line in logs] == [GONE, BACK]


def test_it_is_back_when_all_that_failed_has_been_answered() -> None:
    outages = OutageLog()
    with capture_logs() as logs:
        outages.failed("erp", "profiles", TimedOut("slow"))
        outages.failed("erp", "latest_orders", TimedOut("slow"))
        outages.answered("erp", "profiles")
    assert [line["event"] for line in logs] == [GONE]
    with capture_logs() as logs:
        outages.answered("erp", "latest_orders")
        outages.failed("erp", "profiles", TimedOut("slow"))
    assert [line["event"] for line in logs] == [BACK, GONE]


def test_back_offices_go_one_by_one() -> None:
    outages = OutageLog()
    with capture_logs() as logs:
        outages.failed("erp", "profiles", Busy("slow down"))
        outages.failed("cms", "favorites", Busy("slow down"))
        outages.answered("cms", "favorites")
    assert [(line["event"], line["back_office"]) for line in logs] == [(GONE, "erp"), (GONE, "cms"), (BACK, "cms")]


@pytest.mark.parametrize("error", [Unknown("no such customer"), Refused("blocked", refusal=Code.FORBIDDEN)])
def test_what_says_nothing_of_the_back_offices_health_is_no_outage(error: BackOfficeError) -> None:
    with capture_logs() as logs:
        OutageLog().failed("erp", "profiles", error)
    assert logs == []
