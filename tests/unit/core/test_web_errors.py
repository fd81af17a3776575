"""From exceptions to `errors`: nothing that we did not write ourselves gets out."""

from typing import Any

import pytest
from graphql import GraphQLError
from structlog.testing import capture_logs

from bff.errors import (
    AdapterBroken,
    BadReply,
    BadUserInput,
    Busy,
    Code,
    IntegrityViolation,
    KabinetError,
    NotFound,
    NotSupported,
    Refused,
    SignInRefused,
    TimedOut,
    TooLarge,
    Unauthenticated,
    Unavailable,
    Unknown,
    Upstream,
)
from bff.resolvers.context import Notice
from bff.web.errors import execution_errors, internal_error, request_errors

TEXT = "sec-ret text of a back office"


def entry(cause: Exception | None, path: list[str | int] | None = None) -> dict[str, Any]:
    error = GraphQLError(TEXT, path=path, original_error=cause)
    (found,) = execution_errors([error], [], "en")
    return found


@pytest.mark.parametrize(
    ("cause", "code"),
    [
        (Unavailable(TEXT), "UNAVAILABLE"),
        (TimedOut(TEXT), "TIMEOUT"),
        (Busy(TEXT, retry_after=5), "BUSY"),
        (Upstream(TEXT), "UPSTREAM"),
        (SignInRefused(TEXT), "UPSTREAM_AUTH"),
        (BadReply(TEXT), "BAD_REPLY"),
        (TooLarge(TEXT), "TOO_LARGE"),
        (IntegrityViolation(TEXT), "INTEGRITY"),
        (Unknown(TEXT), "NOT_FOUND"),
        (NotFound(TEXT), "NOT_FOUND"),
        (NotSupported(TEXT), "NOT_SUPPORTED"),
        (Unauthenticated(TEXT), "UNAUTHENTICATED"),
        (Refused(TEXT, refusal=Code.FORBIDDEN), "FORBIDDEN"),
        (Refused(TEXT, refusal=Code.BAD_USER_INPUT), "BAD_USER_INPUT"),
    ],
)
def test_a_known_error_is_its_code_and_our_words(cause: KabinetError, code: str) -> None:
    with capture_logs() as logs:
        found = entry(cause, ["dashboard", "profile"])
    assert found["extensions"] == {"code": code}
    assert found["path"] == ["dashboard", "profile"]
    assert "sec-ret" not in str(found)
    assert logs == []


def test_the_words_of_bad_user_input_are_ours_and_are_shown() -> None:
    assert entry(BadUserInput("first must be between 0 and 100"), ["x"])["message"] == "first must be between 0 and 100"


@pytest.mark.parametrize("cause", [ValueError(TEXT), KabinetError(TEXT), AdapterBroken(TEXT), GraphQLError(TEXT)])
def test_anything_else_is_internal_with_a_reference_that_the_log_knows(cause: Exception) -> None:
    with capture_logs() as logs:
        found = entry(cause, ["dashboard", "profile"])
    assert found["extensions"]["code"] == "INTERNAL"
    assert "sec-ret" not in str(found)
    assert [line["reference"] for line in logs] == [found["extensions"]["reference"]]
    assert logs[0]["exc_info"] is cause


def test_an_error_of_the_library_itself_at_a_field_is_internal() -> None:
    found = entry(None, ["dashboard"])
    assert found["extensions"]["code"] == "INTERNAL"
    assert "sec-ret" not in str(found)


def test_an_error_about_variables_keeps_the_librarys_words() -> None:
    found = entry(None)
    assert (found["message"], found["extensions"]) == (TEXT, {"code": "BAD_USER_INPUT"})


def test_a_notice_is_like_an_error_at_its_path() -> None:
    (found,) = execution_errors([], [Notice(["dashboard", "offers"], TimedOut(TEXT))], "ru")
    assert (found["path"], found["extensions"]) == (["dashboard", "offers"], {"code": "TIMEOUT"})
    assert found["message"] == "Часть данных сейчас недоступна.", "the list is there: it is no section that failed"
    assert "sec-ret" not in str(found)


def test_a_notice_of_a_defect_has_a_reference_too() -> None:
    with capture_logs() as logs:
        (found,) = execution_errors([], [Notice(["dashboard", "offers"], AdapterBroken(TEXT))], "en")
    assert found["path"] == ["dashboard", "offers"]
    assert found["extensions"]["reference"] == logs[0]["reference"]


def test_every_reference_is_another() -> None:
    with capture_logs():
        found = {internal_error(ValueError(), "en")["extensions"]["reference"] for _ in range(50)}
    assert len(found) == 50


def test_errors_about_the_document_keep_their_words() -> None:
    (found,) = request_errors([GraphQLError("Unknown type 'Foo'.")], Code.GRAPHQL_VALIDATION_FAILED)
    assert found == {"message": "Unknown type 'Foo'.", "extensions": {"code": "GRAPHQL_VALIDATION_FAILED"}}
