"""The mapping file's side of the adapter: what each read sends, checked against the WSDL before anybody asks."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, model_validator

from adapters.erp.onec_soap.envelope import KEY_MARK, Envelope
from adapters.erp.onec_soap.settings import OneCSettings
from adapters.erp.onec_soap.wsdl import Constant, Operation, PathFault, Service, read_service
from bff.mapping import Dialect, MappedRead, MappingFile, compile_reads, load_mapping
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


@dataclass(frozen=True, slots=True)
class Read:
    """A read, ready to be made."""

    operation: Operation
    envelope: Envelope
    joined: str | None
    batch: int
    """The most keys in one call."""
    decode: Callable[[Any], Any]
    """From the element that holds the answer to what the port's method returns."""


def load_reads(settings: OneCSettings) -> tuple[MappingFile, dict[str, Read]]:
    """
    Read mapping and WSDL, check them against each other, and compile every read.

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
    reads: dict[str, Read] = {}
    if mapping is not None:
        reads = _compile(settings, mapping, service, faults)
    if mapping is None or faults:
        raise SettingsFault(faults)
    return mapping, reads


def _compile(
    settings: OneCSettings, mapping: MappingFile, service: Service | None, faults: list[str]
) -> dict[str, Read]:
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
            reads[name] = Read(operation, envelope, request.joined, batch, compiled[name].reading.decode)
    return reads


def _request(request: RequestTable, service: Service) -> tuple[Operation, Envelope]:
    """Check one request against the WSDL, and write its envelope. Raises `PathFault`."""
    operation = service.operations.get(request.operation)
    if operation is None:
        known = ", ".join(sorted(service.operations)) or "none"
        raise PathFault(f"the WSDL has no operation {request.operation!r}; it has {known}")
    values = dict(request.values)
    repeated_up = None
    if request.keys is not None:
        values[request.keys] = KEY_MARK
        place = operation.place(request.keys)
        if not request.single and request.joined is None:
            repeated_up = place.steps_up_to_repeated
            if repeated_up is None:
                raise PathFault(
                    f'{request.keys!r}: comes only once by the WSDL; set joined = "," where it takes a list as a '
                    "text, or single = true where the operation takes one key a call"
                )
    return operation, Envelope(operation.template(values), repeated_up=repeated_up, joined=request.joined)
