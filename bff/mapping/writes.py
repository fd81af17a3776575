"""Every write of a mapping file, compiled; and what may be written at all."""

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Generic, TypeVar

from pydantic import BaseModel

from bff.errors import BadUserInput
from bff.mapping.documents import Dialect
from bff.mapping.file import MappingFile
from bff.mapping.reading import Reading, compile_reading
from bff.mapping.reads import checked_request
from bff.plugins import SettingsFault

R = TypeVar("R", bound=BaseModel)

WRITES: Mapping[str, Mapping[str, bool]] = MappingProxyType(
    {"register": {"contact": True, "first_name": True, "last_name": False}}
)
"""The arguments of each write, by the name of the port's method, and whether a request must have a place for them."""

MAX_ARGUMENT_LENGTH = 254
"""Characters. A name or a mail address that is longer is none."""

_UNFIT = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
"""Characters that nobody sees, halves of characters, and such as XML has no way to write."""


@dataclass(frozen=True, slots=True)
class MappedWrite(Generic[R]):
    """One write: its request, checked, and its reply, compiled."""

    request: R
    reading: Reading


def compile_writes(
    mapping: MappingFile, dialect: Dialect, request: type[R], *, file: str = "mapping"
) -> Mapping[str, MappedWrite[R]]:
    """
    Compile all that stands under `[writes]`, as `compile_reads` does with `[reads]`.

    `request` is validated with the context `{"write": <name>}`.
    """
    faults: list[str] = []
    compiled: dict[str, MappedWrite[R]] = {}
    for name, table in mapping.writes.items():
        asked = checked_request(request, table.request, "write", name, faults)
        try:
            reading = compile_reading(name, mapping, dialect, is_write=True)
        except SettingsFault as fault:
            faults.extend(fault.faults)
            continue
        if asked is not None:
            compiled[name] = MappedWrite(asked, reading)
    if ("find" in mapping.reads) != ("register" in mapping.writes):
        lacks = "writes.register" if "find" in mapping.reads else "reads.find"
        faults.append(f"{lacks}: is missing: customers are served by reads.find and writes.register together")
    if faults:
        raise SettingsFault([f"{file}: {fault}" for fault in faults])
    return compiled


def fit(write: str, arguments: Mapping[str, str | None]) -> dict[str, str | None]:
    """
    Arguments as they are sent: None where nothing is said, white space around them dropped.

    Raises `BadUserInput` for a text with control characters in it, for one that is too long, and for nothing where
    something is needed. The argument is named, never shown.
    """
    fitting: dict[str, str | None] = {}
    for name, value in arguments.items():
        text = (value or "").strip()
        if any(unicodedata.category(char) in _UNFIT for char in text):
            raise BadUserInput(f"{name}: control characters are not allowed")
        if len(text) > MAX_ARGUMENT_LENGTH:
            raise BadUserInput(f"{name}: is longer than {MAX_ARGUMENT_LENGTH} characters")
        if not text and WRITES[write][name]:
            raise BadUserInput(f"{name}: is empty")
        fitting[name] = text or None
    return fitting
