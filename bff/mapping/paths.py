"""
Paths: `return/Клиент/Ид`, compiled once into functions that walk a document.

Segments stand between slashes. In XML a segment is an element's local name in any namespace, and `@name` an
attribute; in JSON it is a member's name. `.` is the place itself.
"""

from collections.abc import Callable, Iterable
from decimal import Decimal
from itertools import pairwise
from typing import Any, Generic, TypeAlias, TypeVar

from bff.mapping.documents import Dialect

Node: TypeAlias = Any
"""An element of the standard library's, or what `json` gives."""

Raw: TypeAlias = str | int | Decimal | bool | None
"""What stands at a path before it is given a type: a text, or JSON's own kinds; None for absent, null and nil."""

T = TypeVar("T")


class Path(Generic[T]):
    """
    A compiled path: called with a node, it gives what stands there.

    One that starts with a child element has the child's name in `first`, and `below` takes what is found under that
    name: None, the element or, where there are several, a list (as `by_name` has it). So a whole shape is read in one
    pass over a node's children. For others `first` is None, and `below` takes the node itself.
    """

    __slots__ = ("_find", "below", "first")

    def __init__(self, first: str | None, below: Callable[[Any], T]) -> None:
        self.first = first
        self.below = below
        self._find = _itself if first is None else _named(first)

    def __call__(self, node: Node) -> T:
        return self.below(self._find(node))


Scalar: TypeAlias = Path[Raw]
Several: TypeAlias = Path[list[Node]]

NIL = "{http://www.w3.org/2001/XMLSchema-instance}nil"
TRUE = frozenset({"true", "1"})


class PathError(ValueError):
    """A path in a mapping file that is not one."""


class Absent(Exception):
    """A container on the way is not there: that is not the same as an empty one."""


class Misfit(Exception):
    """What stands at a path is not of the kind that was expected there. The text never holds the value."""


def _segments(path: str, dialect: Dialect) -> tuple[str, ...]:
    if path == ".":
        return ()
    segments = tuple(path.split("/"))
    for segment in segments:
        name = segment.removeprefix("@") if dialect is Dialect.XML else segment
        if not name or (dialect is Dialect.XML and any(char in name for char in "{}[]@:*. ")):
            raise PathError(f"{path!r}: {segment!r} is not a name; write names between slashes, as in return/Клиент")
    if any(segment.startswith("@") for segment in segments[:-1]) and dialect is Dialect.XML:
        raise PathError(f"{path!r}: an attribute can only stand at the end")
    return segments


def scalar(path: str, dialect: Dialect) -> Scalar:
    """Compile a path to one value. It raises `Misfit` where a container or a second value stands there."""
    segments = _segments(path, dialect)
    return Path(None, _json_scalar(segments)) if dialect is Dialect.JSON else _xml_scalar(segments)


def several(path: str, dialect: Dialect, *, optional: bool = False) -> Several:
    """
    Compile a path to a list of nodes.

    It raises `Absent` where a container on the way is missing (unless `optional`): a renamed container must
    not look like an empty list. nil and null are empty. In JSON one object is taken for a list of one.
    """
    segments = _segments(path, dialect)
    if segments and segments[-1].startswith("@") and dialect is Dialect.XML:
        raise PathError(f"{path!r}: an attribute is not a list")
    walk = Path(None, _json_several(segments)) if dialect is Dialect.JSON else _xml_several(segments)
    if not optional:
        return walk

    def walk_or_nothing(below: Any) -> list[Node]:
        try:
            return walk.below(below)
        except Absent:
            return []

    return Path(walk.first, walk_or_nothing)


class LocalNames(dict[str, str]):
    """From whole tags, as they are met, to the local names that are wanted; another tag stands for itself."""

    def __init__(self, wanted: Iterable[str]) -> None:
        super().__init__()
        self._wanted = frozenset(wanted)

    def __missing__(self, tag: str) -> str:
        local_name = tag.rpartition("}")[2]
        name = local_name if local_name in self._wanted else tag
        # A back office that makes up names must not fill the memory.
        if len(self) < _MOST_TAGS and len(tag) < _LONGEST_TAG:
            self[tag] = name
        return name


_MOST_TAGS = 1_000
_LONGEST_TAG = 1_000


def by_name(node: Node, local_names: LocalNames) -> dict[str, Any]:
    """Find an element's children: the element where there is one of a name, a list where there are several."""
    found: dict[str, list[Node]] = {}
    for child in node:
        found.setdefault(local_names[child.tag], []).append(child)
    return {name: nodes if len(nodes) > 1 else nodes[0] for name, nodes in found.items()}


def _named(name: str) -> Callable[[Node], Any]:
    """Compile a search for the children of one name: the element, a list of several, or None."""
    local_names = LocalNames([name])

    def find(node: Node) -> Any:
        found = [child for child in node if local_names[child.tag] == name]
        return found if len(found) > 1 else found[0] if found else None

    return find


def _itself(node: Node) -> Node:
    return node


def _is_nil(node: Node) -> bool:
    return node.get(NIL) in TRUE


def _only(found: Any) -> Node | None:
    if isinstance(found, list):
        raise Misfit("one value was expected, and several are there")
    return found


_NOT_A_VALUE = "a value was expected, and an element with children is there"


def _xml_scalar(segments: tuple[str, ...]) -> Scalar:
    attribute = segments[-1][1:] if segments and segments[-1].startswith("@") else None
    elements = segments[:-1] if attribute else segments

    def value(node: Node) -> Raw:
        if attribute:
            found: str | None = node.get(attribute)
            return (found.strip() or None) if found else None
        if len(node):
            raise Misfit(_NOT_A_VALUE)
        text: str | None = node.text
        return (text.strip() or None) if text else None

    if not elements:
        return Path(None, value)
    further = [_named(name) for name in elements[1:]]

    def below(found: Any) -> Raw:
        node = _only(found)
        if node is None or _is_nil(node):
            return None
        for find in further:
            node = _only(find(node))
            if node is None or _is_nil(node):
                return None
        return value(node)

    return Path(elements[0], leaf if segments == elements[:1] else below)


def is_leaf(path: Scalar) -> bool:
    """Say whether `leaf` is what the path does below its first element."""
    return path.below is leaf


def leaf(found: Any) -> Raw:
    """Do what `below` does for paths of one segment, as most are; without calls it takes half the time."""
    if found is None or found.__class__ is list:
        return _only(found)
    if found.get(NIL) in TRUE:
        return None
    if len(found):
        raise Misfit(_NOT_A_VALUE)
    text: str | None = found.text
    return (text.strip() or None) if text else None


def _xml_several(segments: tuple[str, ...]) -> Several:
    if not segments:
        return Path(None, lambda node: [node])
    further = [(container, _named(name)) for container, name in pairwise(segments)]

    def below(found: Any) -> list[Node]:
        for container, find in further:
            node = _only(found)
            if node is None:
                raise Absent(container)
            if _is_nil(node):
                return []
            found = find(node)
        if found is None:
            return []
        return [child for child in (found if found.__class__ is list else [found]) if child.get(NIL) not in TRUE]

    return Path(segments[0], below)


def _json_scalar(segments: tuple[str, ...]) -> Callable[[Node], Raw]:
    def read(node: Node) -> Raw:
        for name in segments:
            if node is None:
                return None
            if not isinstance(node, dict):
                raise Misfit("an object was expected on the way")
            node = node.get(name)
        if isinstance(node, dict | list):
            raise Misfit("a value was expected, and a container is there")
        value: Raw = node.strip() or None if isinstance(node, str) else node
        return value

    return read


def _json_several(segments: tuple[str, ...]) -> Callable[[Node], list[Node]]:
    def read(node: Node) -> list[Node]:
        for name in segments:
            if node is None:
                return []
            if not isinstance(node, dict):
                raise Misfit("an object was expected on the way")
            if name not in node:
                raise Absent(name)
            node = node[name]
        if node is None:
            return []
        return node if isinstance(node, list) else [node]

    return read
