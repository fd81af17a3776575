"""What the service says to any request at all: never its own fault, always JSON, always with codes, nothing bare."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Self

import httpx2
import orjson

from bff.errors import Code

CODES = {code.value for code in Code} - {Code.INTERNAL.value}
"""What a front end may see where nothing is broken."""

TYPES = {"application/json", "application/graphql-response+json"}

ABOUT_THE_REQUEST = {Code.BAD_USER_INPUT.value}

NAME = r"(?<![\w.])(?!Traceback\b)(?=[A-Za-z_]\w*(?![\w.]))%s(?!\w)"
"""A word of its own that is a name, and none of those that only Python says."""

UNMASKED = re.compile(
    r"""
    Traceback | File\s" | \.py\b | site-packages | line\s\d+,\sin\b     # where our code stands
    | <(class|function|coroutine|module|bound\smethod|[\w.]+\sobject)\b | \bat\s0x[0-9a-f]+   # how Python shows things
    | \b[A-Z]\w*(Error|Exception|Warning)\b | \b(Assertion|Recursion|Timeout)\w*:             # what it raises
    | \bNoneType\b | \b(str|dict|tuple|bytes)\b\sobject | \bself\b | \b__\w+__\b
    | \b(bff|adapters|strawberry|starlette|uvicorn|asyncio|aiohttp|orjson|lxml|zeep|redis|sqlite3?|graphql-core)\b
    | 127\.0\.0\.1 | localhost | \bBearer\s | eyJ[\w-]{10,}                                  # addresses, tokens
    """,
    re.VERBOSE,
)
"""
Words in an error that no front end should read: Python's, our modules', our machines'.

Not None, True and False: graphql-core says them of what the client itself sent, where that is null, true or false.
"""


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer over HTTP, and what was asked, for whoever has to find out."""

    asked: object
    status: int
    headers: Mapping[str, str]
    body: bytes

    @classmethod
    def of(cls, asked: object, response: httpx2.Response) -> Self:
        """Take what matters of a response."""
        return cls(asked, response.status_code, dict(response.headers), response.content)

    @property
    def answer(self) -> Any:
        """The body's JSON. Raises ValueError where it is none."""
        return orjson.loads(self.body)

    @property
    def codes(self) -> set[str]:
        """The codes of its errors."""
        return {error["extensions"]["code"] for error in self.answer.get("errors", ())}

    def faults(self) -> list[str]:
        """What is wrong with it, whatever was asked; empty where nothing is."""
        found = []
        if not 200 <= self.status < 500:
            found.append(f"status {self.status}")
        if "no-store" not in self.headers.get("cache-control", ""):
            found.append("somebody may keep it")
        if self.headers.get("content-type", "").partition(";")[0] not in TYPES:
            found.append(f"content type {self.headers.get('content-type')!r}")
        return [*found, *self._faults_of_body()]

    def _faults_of_body(self) -> Iterator[str]:
        try:
            answer = self.answer
        except ValueError:
            answer = None
        if not isinstance(answer, dict):
            yield f"not a map in JSON: {self.body[:200]!r}"
            return
        sent = self.asked.decode(errors="replace") if isinstance(self.asked, bytes) else str(self.asked)
        errors = answer.get("errors", [])
        if self.status >= 400 and not errors:
            yield "refused without an error"
        for error in errors:
            if error.get("extensions", {}).get("code") not in CODES:
                yield f"no code, or none that a front end may see: {error!r}"
            if not error.get("message"):
                yield f"an error without a text: {error!r}"
            for bare in UNMASKED.finditer(orjson.dumps(error).decode()):
                # A name that the client itself sent may be said back to it where the request is found wanting:
                # Hypothesis sends names that stand in our sources.
                if error["extensions"]["code"] not in ABOUT_THE_REQUEST or not re.search(NAME % bare[0], sent):
                    yield f"unmasked {bare[0]!r} in {error!r}"
