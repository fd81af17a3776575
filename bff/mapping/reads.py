"""Every read of a mapping file, compiled: what is sent (the adapter's own table) and how the reply is read."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, ValidationError

from bff.mapping.documents import Dialect
from bff.mapping.file import MappingFile
from bff.mapping.reading import Reading, compile_reading
from bff.plugins import SettingsFault

R = TypeVar("R", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class MappedRead(Generic[R]):
    """One read: its request, checked, and its reply, compiled."""

    request: R
    reading: Reading


def compile_reads(
    mapping: MappingFile, dialect: Dialect, request: type[R], *, file: str = "mapping"
) -> Mapping[str, MappedRead[R]]:
    """
    Compile all that stands under `[reads]`, by the name of the port's method.

    `request` is the adapter's model of a `[reads.*.request]` table; it is validated with the context
    `{"read": <name>}`. Raises `SettingsFault` with the faults of all reads together, each after the `file`'s name.
    """
    faults: list[str] = []
    compiled: dict[str, MappedRead[R]] = {}
    for name, table in mapping.reads.items():
        asked = checked_request(request, table.request, "read", name, faults)
        try:
            reading = compile_reading(name, mapping, dialect)
        except SettingsFault as fault:
            faults.extend(fault.faults)
            continue
        if asked is not None:
            compiled[name] = MappedRead(asked, reading)
    for name, other in (("orders", "latest_orders"), ("latest_orders", "orders")):
        if name in mapping.reads and other not in mapping.reads:
            faults.append(f"reads.{other}: is missing: orders are served by {name} and {other} together")
    if faults:
        raise SettingsFault([f"{file}: {fault}" for fault in faults])
    return compiled


def checked_request(model: type[R], table: Mapping[str, Any], kind: str, name: str, faults: list[str]) -> R | None:
    """Validate a request's table with the context `{kind: name}`; None where it is wrong: `faults` say how."""
    try:
        return model.model_validate(table, context={kind: name})
    except ValidationError as error:
        for finding in error.errors(include_url=False, include_input=False):
            where = ".".join([f"{kind}s", name, "request", *(str(part) for part in finding["loc"])])
            faults.append(f"{where}: {finding['msg'].removeprefix('Value error, ')}")
        return None
