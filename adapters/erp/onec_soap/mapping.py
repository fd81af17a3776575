"""The mapping file's side of the adapter: what each call sends, checked against the WSDL before anybody asks."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, model_validator

from adapters.erp.onec_soap.envelope import KEY_MARK, Envelope, Form, argument_mark
from adapters.erp.onec_soap.settings import OneCSettings
from adapters.erp.onec_soap.wsdl import Constant, Described, Operation, PathFault, Service, read_service
from bff.mapping import (
    WRITES,
    Dialect,
    MappedRead,
    MappedWrite,
    MappingFile,
    compile_reads,
    compile_writes,
    load_mapping,
)
from bff.plugins import SettingsFault

_KEYLESS = frozenset({"promotions"})
"""Reads that are asked for nobody in particular."""


class RequestTable(BaseModel):
    """`[reads.<name>.request]`: which operation is called, and where in its request the keys and constants go."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, hide_input_in_errors=True)

    operation: str
    keys: str | None = None
    """Path of the element that holds a key: it, or one above it, comes once a key."""
    joined: str | None = Field(default=None, min_length=1, max_length=3)
    """The element at `keys` is one text with all keys, and this between them."""
    single: bool = False
    """The operation takes one key a call."""
    values: dict[str, Constant] = {}
    """Constants by path."""

    @model_validator(mode="after")
    def _is_whole(self, info: ValidationInfo) -> "RequestTable":
        if (info.context or {}).get("read") in _KEYLESS:
            if self.keys is not None or self.joined is not None or self.single:
                raise ValueError("this read is for everybody: leave out keys, joined and single")
        elif self.keys is None:
            raise ValueError("keys is missing: the path at which the ids go")
        if self.single and self.joined is not None:
            raise ValueError("joined and single exclude each other")
        if self.keys in self.values:
            raise ValueError("the path in keys has a constant too")
        return self


class WriteRequestTable(BaseModel):
    """`[writes.<name>.request]`: which operation is called, and where in its request each argument goes."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, hide_input_in_errors=True)

    operation: str
    arguments: dict[str, str]
    """Paths by the argument's name."""
    values: dict[str, Constant] = {}
    """Constants by path."""

    @model_validator(mode="after")
    def _is_whole(self, info: ValidationInfo) -> "WriteRequestTable":
        known = WRITES.get((info.context or {}).get("write", ""), {})
        faults = [
            f"arguments.{name}: there is no such argument; there are {', '.join(known)}"
            for name in self.arguments
            if name not in known
        ]
        faults += [
            f"arguments.{name}: is required" for name, needed in known.items() if needed and name not in self.arguments
        ]
        paths = [*self.arguments.values(), *self.values]
        faults += [f"{path!r}: is named twice" for path in dict.fromkeys(paths) if paths.count(path) > 1]
        if known and faults:
            raise ValueError("; ".join(faults))
        return self


@dataclass(frozen=True, slots=True)
class Call:
    """What every call has."""

    operation: Operation
    decode: Callable[[Any], Any]
    """From the element that holds the answer to what the port's method makes its own of."""


@dataclass(frozen=True, slots=True)
class Read(Call):
    """A read, ready to be made."""

    envelope: Envelope
    joined: str | None
    batch: int
    """The most keys in one call."""


@dataclass(frozen=True, slots=True)
class Write(Call):
    """A write, ready to be made."""

    form: Form


@dataclass(frozen=True, slots=True)
class Calls:
    """What a mapping file describes, by the names of the ports' methods."""

    reads: Mapping[str, Read] = field(default_factory=dict)
    writes: Mapping[str, Write] = field(default_factory=dict)


def load_calls(settings: OneCSettings) -> tuple[MappingFile, Calls]:
    """
    Read mapping and WSDL, check them against each other, and compile every read and write.

    Raises `SettingsFault` with every fault of both files: what is wrong in the one is told together with the other.
    """
    faults: list[str] = []
    mapping, service = None, None
    try:
        mapping = load_mapping(settings.mapping)
    except SettingsFault as fault:
        faults += fault.faults
    try:
        service = read_service(settings.wsdl, settings.soap, settings.service, settings.port)
    except SettingsFault as fault:
        faults += fault.faults
    calls = Calls()
    if mapping is not None:
        calls = Calls(_reads(settings, mapping, service, faults), _writes(settings, mapping, service, faults))
    if mapping is None or faults:
        raise SettingsFault(faults)
    return mapping, calls


def _reads(settings: OneCSettings, mapping: MappingFile, service: Service | None, faults: list[str]) -> dict[str, Read]:
    file = settings.mapping.name
    compiled: Mapping[str, MappedRead[RequestTable]] = {}
    try:
        compiled = compile_reads(mapping, Dialect.XML, RequestTable, file=file)
    except SettingsFault as fault:
        faults += fault.faults
    reads: dict[str, Read] = {}
    for name, table in mapping.reads.items():
        if service is None:
            break
        try:
            request = RequestTable.model_validate(table.request, context={"read": name})
            operation, envelope = _request(request, service)
        except ValidationError:
            continue  # compile_reads has told
        except PathFault as fault:
            faults.append(f"{file}: reads.{name}.request: {fault}")
            continue
        if name in compiled:
            batch = 1 if request.single else settings.batch
            reads[name] = Read(operation, compiled[name].reading.decode, envelope, request.joined, batch)
    return reads


def _writes(
    settings: OneCSettings, mapping: MappingFile, service: Service | None, faults: list[str]
) -> dict[str, Write]:
    file = settings.mapping.name
    compiled: Mapping[str, MappedWrite[WriteRequestTable]] = {}
    try:
        compiled = compile_writes(mapping, Dialect.XML, WriteRequestTable, file=file)
    except SettingsFault as fault:
        faults += fault.faults
    writes: dict[str, Write] = {}
    for name, mapped in compiled.items():
        if service is None:
            break
        try:
            operation, form = _form(mapped.request, service)
        except PathFault as fault:
            faults.append(f"{file}: writes.{name}.request: {fault}")
            continue
        writes[name] = Write(operation, mapped.reading.decode, form)
    return writes


def _form(request: WriteRequestTable, service: Service) -> tuple[Operation, Form]:
    """Check a write's request against the WSDL, and write its template. Raises `PathFault`."""
    described = _described(request.operation, service)
    absences = {argument: described.absence(path) for argument, path in request.arguments.items()}
    marks = {path: argument_mark(argument) for argument, path in request.arguments.items()}
    return described.operation, Form(described.template({**request.values, **marks}), absences)


def _described(name: str, service: Service) -> Described:
    described = service.operations.get(name)
    if described is None:
        known = ", ".join(sorted(service.operations)) or "none"
        raise PathFault(f"the WSDL has no operation {name!r}; it has {known}")
    return described


def _request(request: RequestTable, service: Service) -> tuple[Operation, Envelope]:
    """Check one request against the WSDL, and write its envelope. Raises `PathFault`."""
    described = _described(request.operation, service)
    values = dict(request.values)
    repeated_up = None
    if request.keys is not None:
        values[request.keys] = KEY_MARK
        place = described.place(request.keys)
        if not request.single and request.joined is None:
            repeated_up = place.steps_up_to_repeated
            if repeated_up is None:
                raise PathFault(
                    f'{request.keys!r}: comes only once by the WSDL; set joined = "," where it takes a list as a '
                    "text, or single = true where the operation takes one key a call"
                )
    return described.operation, Envelope(described.template(values), repeated_up=repeated_up, joined=request.joined)
