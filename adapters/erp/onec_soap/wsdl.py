"""
The service as its WSDL describes it. The only file that touches zeep, and only at start.

zeep reads the description and writes one envelope an operation, from which `envelope` makes all later ones. It is not
let near the network or near an answer: see "zeep's traps" in the docs on back offices.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeAlias, cast

from lxml import etree
from zeep import xsd
from zeep.settings import Settings
from zeep.wsdl import Document
from zeep.wsdl.bindings import Soap11Binding, Soap12Binding

from adapters.erp.onec_soap.envelope import Absence
from bff.plugins import SettingsFault

Constant: TypeAlias = str | int | float | bool
"""A value of TOML that a request may hold."""

_BINDINGS = {"1.1": Soap11Binding, "1.2": Soap12Binding}
_DEEPEST = 5
"""Levels of a request that are listed to the author of a mapping: types may hold themselves."""


class PathFault(ValueError):
    """A path or a value of a mapping that does not fit the operation's type. The text says what would."""


class _FilesBeside:
    """zeep's "transport": files of the WSDL's own folder, and nothing else; no network, no `file:///etc/passwd`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder.resolve()

    def load(self, location: str) -> bytes:
        path = Path(location).resolve()
        if "://" in location or not path.is_relative_to(self._folder):
            raise PermissionError(f"it imports {location[:200]!r}, which is not a file beside it")
        return path.read_bytes()


@dataclass(frozen=True, slots=True)
class Place:
    """Where a value goes in a request: elements from the wrapper's child to the leaf."""

    names: tuple[str, ...]
    repeatable: tuple[bool, ...]

    @property
    def steps_up_to_repeated(self) -> int | None:
        """How far above the leaf stands the element that may come many times; None where none may."""
        return next((up for up, many in enumerate(reversed(self.repeatable)) if many), None)


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation: what it is called by, and what its answer is called."""

    name: str
    action: str
    reply_name: str
    """Local name of the element that holds the answer: `<name>Response` in 1C."""


@dataclass(frozen=True, slots=True)
class Described:
    """
    An operation with what its request may hold; for the start only.

    Behind it stands all that zeep has made of the WSDL: who keeps it keeps that. `operation` is what calls need.
    """

    operation: Operation
    _described: Any = field(repr=False)

    def paths(self) -> list[str]:
        """List every path in the request at which a value can stand."""
        return list(_leaves(self._described.input.body, ()))

    def place(self, path: str) -> Place:
        """Find a path in the request. Raises `PathFault`."""
        return Place(*zip(*((step.name, step.accepts_multiple) for step in self._walk(path)), strict=True))

    def absence(self, path: str) -> Absence:
        """Say how the element at a path is written that has no value. Raises `PathFault`."""
        leaf = self._walk(path)[-1]
        return "nil" if leaf.nillable else "left out" if leaf.is_optional else "empty"

    def template(self, values: Mapping[str, Constant]) -> etree._Element:
        """Write a whole envelope with these values, by path. Raises `PathFault`, naming what is missing."""
        content: dict[str, Any] = {}
        for path, value in values.items():
            leaf = self._walk(path)[-1]
            _check_constant(path, leaf.type, value)
            *way, name = path.split("/")
            inner = content
            for step in way:
                inner = inner.setdefault(step, {})
            inner[name] = value
        try:
            envelope: etree._Element = self._described.create(**content).content
        except Exception as error:  # noqa: BLE001 - zeep raises whatever comes to hand
            raise PathFault(
                f"the request cannot be written with these values ({_brief(error)}); its paths are {self._offer()}"
            ) from None
        return envelope

    def _walk(self, path: str) -> list[Any]:
        steps: list[Any] = []
        here = self._described.input.body
        for name in path.split("/"):
            here = next((child for child in _children(here) if child.name == name), None)
            if here is None:
                raise PathFault(f"{path!r}: {self.operation.name} has no {name!r} there; its paths are {self._offer()}")
            steps.append(here)
        if list(_children(here)):
            raise PathFault(f"{path!r}: has elements inside; the paths of {self.operation.name} are {self._offer()}")
        return steps

    def _offer(self) -> str:
        return ", ".join(self.paths()) or "none: it takes no values"


@dataclass(frozen=True, slots=True)
class Service:
    """A service's operations by name."""

    operations: Mapping[str, Described]


def read_service(path: Path, soap: Literal["1.1", "1.2"], service: str | None, port: str | None) -> Service:
    """
    Read a WSDL file and the XSDs beside it, offline.

    Raises `SettingsFault`: it cannot be read, or has not exactly one port of that version of SOAP under these names.
    """
    where = path.name
    try:
        document: Any = Document(
            str(path.resolve()),
            cast("Any", _FilesBeside(path.parent)),
            settings=Settings(strict=True, forbid_dtd=True, forbid_entities=True, forbid_external=True),
        )
    except Exception as error:  # noqa: BLE001 - zeep raises whatever comes to hand
        raise SettingsFault([f"{where}: the WSDL cannot be read ({_brief(error)})"]) from None
    ports: dict[tuple[str, str], Any] = {
        (each.name, name): each_port.binding
        for each in document.services.values()
        for name, each_port in each.ports.items()
        if isinstance(each_port.binding, _BINDINGS[soap])
    }
    chosen = [binding for names, binding in ports.items() if service in (None, names[0]) and port in (None, names[1])]
    if len(chosen) != 1:
        found = ", ".join(f"{name} of {owner}" for owner, name in ports) or "none"
        raise SettingsFault([f"{where}: name one by service and port; ports that speak SOAP {soap}: {found}"])
    return Service({name: _operation(each) for name, each in chosen[0].all().items()})


def _operation(described: Any) -> Described:
    answer = getattr(described.output, "body", None)
    reply_name = answer.name if answer is not None else f"{described.name}Response"
    return Described(Operation(described.name, described.soapaction or "", reply_name), described)


def _children(element: Any) -> Iterator[Any]:
    for _, child in getattr(getattr(element, "type", None), "elements", ()):
        if isinstance(child, xsd.Element):
            yield child


def _leaves(element: Any, way: tuple[str, ...]) -> Iterator[str]:
    children = list(_children(element))
    if way and not children:
        yield "/".join(way)
    elif len(way) < _DEEPEST:
        for child in children:
            yield from _leaves(child, (*way, child.name))


def _check_constant(path: str, kind: Any, value: Constant) -> None:
    if isinstance(value, bool) != isinstance(kind, xsd.Boolean):
        raise PathFault(f"{path!r}: true and false are for xs:boolean, and only they are")
    try:
        kind.pythonvalue(kind.xmlvalue(value))
    except Exception:  # noqa: BLE001 - each of zeep's types fails in its own way
        raise PathFault(f"{path!r}: the value does not fit the type {kind.name or 'of that element'}") from None


def _brief(error: Exception) -> str:
    return f"{type(error).__name__}: {str(error)[:200]}"
