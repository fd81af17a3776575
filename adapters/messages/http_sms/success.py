"""What counts as "taken" in a gateway's answer: many say no with a status of 200."""

import re
from typing import Any

from pydantic import BaseModel, ConfigDict, StrictBool, StrictInt, StrictStr, model_validator

from adapters.messages.http_sms.template import DIGITS, PHONE, Values, fill, placeholders
from bff.errors import BadReply, Upstream
from bff.http import HttpReply
from bff.mapping import parse_json

_MOST_SEARCHED = 4_000
_LARGEST_CODE = 999_999
"""What is larger may be a phone or an id, and is not shown."""


class Success(BaseModel):
    """Beside a status of 2xx: what stands at a path of a JSON answer, or a pattern in a text; or neither."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    path: str | None = None
    """Names between slashes, numbers in lists: `sms/{digits}/status_code`. Something must stand there, not null."""
    equals: StrictBool | StrictInt | StrictStr | None = None
    """What must stand there; a number and a text with the same digits are the same."""
    pattern: str | None = None
    """A regular expression that is found in the answer's first 4,000 characters."""

    @model_validator(mode="after")
    def _is_whole(self) -> "Success":
        if self.path is not None and self.pattern is not None:
            raise ValueError("path is for JSON answers, pattern for others: set one of them")
        if self.equals is not None and self.path is None:
            raise ValueError("equals needs a path")
        if self.path is not None:
            if not all(self.path.split("/")):
                raise ValueError("path: write names between slashes, as in result/status")
            list(placeholders(self.path, known=frozenset({PHONE, DIGITS})))
        if self.pattern is not None:
            try:
                re.compile(self.pattern)
            except re.error as error:
                raise ValueError(f"pattern: {error}") from None
        return self

    def __str__(self) -> str:
        if self.path is not None:
            return f"{self.path} is there" if self.equals is None else f"{self.path} is {self.equals}"
        return "the status is 2xx" if self.pattern is None else f"the answer has {self.pattern}"

    def require(self, reply: HttpReply, values: Values) -> None:
        """Raise what an answer with a status of 2xx means where it is no success: `Upstream`, `BadReply`."""
        where = reply.back_office
        if self.pattern is not None:
            text = reply.body.decode(errors="replace")[:_MOST_SEARCHED]
            if re.search(self.pattern, text) is None:
                raise Upstream("the answer does not have success.pattern", back_office=where)
        if self.path is None:
            return
        try:
            found: Any = parse_json(reply.body)
        except BadReply as error:
            raise BadReply(str(error), back_office=where) from None
        for segment in self.path.split("/"):
            found = _below(found, fill(segment, values))
        if found is None or (self.equals is not None and not _same(found, self.equals)):
            raise Upstream(f"not taken: {self.path} is {_shown(found)}", back_office=where)


def _below(node: Any, name: str) -> Any:
    match node:
        case dict():
            return node.get(name)
        case list() if name.isascii() and name.isdigit() and len(name) < 4 and int(name) < len(node):
            return node[int(name)]
    return None


def _same(found: Any, expected: bool | int | str) -> bool:
    if isinstance(found, bool) or isinstance(expected, bool):
        return found is expected
    return isinstance(found, int | str) and str(found) == str(expected)


def _shown(found: Any) -> str:
    """Say what came as far as it can be no one's phone and no message."""
    match found:
        case None:
            return "absent"
        case bool():
            return str(found).lower()
        case int() if abs(found) <= _LARGEST_CODE:
            return str(found)
    return "something else"
