"""From the names in a mapping file to functions that build domain objects. Every fault in the file is collected."""

from collections.abc import Mapping
from typing import Any, Protocol

from bff.mapping.documents import Dialect
from bff.mapping.file import FieldTable, ListTable
from bff.mapping.paths import Misfit, Node, Path, PathError, Scalar, Several, scalar, several
from bff.mapping.shapes import DEFAULT_CURRENCY, Shape
from bff.mapping.source import ListStep, Step, write_source
from bff.mapping.values import Converter, Kind, Wording, text

FieldTables = Mapping[str, str | FieldTable | ListTable]

_NOTHING: Mapping[str, Any] = {}


class Decode(Protocol):
    """Builds a domain object from a node and what is known already; `BadReply` names the field, never the value."""

    def __call__(self, node: Node, known: Mapping[str, Any] = _NOTHING, /) -> Any: ...


class Compiler:
    """Compiles the paths and shapes of one read; look at `faults` when all is done."""

    def __init__(self, read: str, dialect: Dialect, wording: Wording, currency: str) -> None:
        self.read = read
        self.dialect = dialect
        self.wording = wording
        self.currency = currency
        self.faults: list[str] = []

    def scalar(self, path: str, where: str, dialect: Dialect | None = None) -> Scalar:
        """Compile a path to one value."""
        try:
            return scalar(path, dialect or self.dialect)
        except PathError as error:
            self.faults.append(f"{where}: {error}")
            return Path(None, lambda _: None)

    def several(self, path: str, where: str, *, optional: bool = False) -> Several:
        """Compile a path to a list."""
        try:
            return several(path, self.dialect, optional=optional)
        except PathError as error:
            self.faults.append(f"{where}: {error}")
            return Path(None, lambda _: [])

    def field(self, table: str | FieldTable, kind: Kind, where: str) -> tuple[Scalar, Converter]:
        """Compile a field: how it is found, and how it is given its type."""
        convert = self.wording.converter(kind)
        spec = FieldTable(path=table) if isinstance(table, str) else table
        if (spec.path is None) == (spec.value is None):
            self.faults.append(f"{where}: give either a path or a value")
            return Path(None, lambda _: None), convert
        if spec.path is not None:
            return self.scalar(spec.path, where), convert
        try:
            constant = convert(spec.value)
        except Misfit as error:
            self.faults.append(f"{where}: {error}")
            constant = None
        return Path(None, lambda _: None), (lambda _: constant)

    def shape(self, shape: Shape, tables: FieldTables, where: str, *, known: frozenset[str] = frozenset()) -> Decode:
        """Compile a shape; `known` names the fields that are given beside the node and may stand in it too."""
        steps: list[Step] = []
        lists: list[ListStep] = []
        for name, table in tables.items():
            here = f"{where}.{name}"
            if name in shape.fields and not isinstance(table, ListTable):
                field = shape.fields[name]
                find, convert = self.field(table, field.kind, here)
                steps.append(Step(name, find, self._further(convert), field.required and name not in known))
            elif name in shape.lists and isinstance(table, ListTable):
                decode_item = self.shape(shape.lists[name], table.fields, f"{here}.fields")
                lists.append(ListStep(name, self.several(table.items, here, optional=table.optional), decode_item))
            elif name in shape.fields:
                self.faults.append(f"{here}: is one value, not a list")
            elif name in shape.lists:
                self.faults.append(f"{here}: is a list: give its items and fields")
            else:
                names = ", ".join([*shape.fields, *shape.lists])
                self.faults.append(f"{here}: there is no such field; there are {names}")
        self.faults.extend(
            f"{where}.{name}: is required"
            for name, field in shape.fields.items()
            if field.required and name not in tables and name not in known
        )
        blank = {
            **dict.fromkeys([*shape.fields, *shape.lists]),
            DEFAULT_CURRENCY: self.currency,
        }
        source = write_source(self.read, steps, lists, known=known, blank=blank, build=shape.build)
        decode: Decode = source.compile()
        return decode

    def _further(self, convert: Converter) -> Converter | None:
        # An XML document's texts are whole characters without NUL already: its parser has seen to that.
        return None if convert is text and self.dialect is Dialect.XML else convert
