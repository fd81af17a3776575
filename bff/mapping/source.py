"""
A decoder's source: what a person would write who has one shape to read by one mapping. Python compiles it at start.

A loop over lists of fields does the same in half as much time again: in answers of many records the loop itself is
what costs. Nothing of a mapping file gets into the source but as a quoted text.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from xml.etree.ElementTree import Element

from bff.errors import BadReply
from bff.mapping.paths import NIL, TRUE, Absent, LocalNames, Misfit, Node, Scalar, Several, by_name, is_leaf, leaf
from bff.mapping.values import Converter


@dataclass(frozen=True, slots=True)
class Step:
    """A field: its name, and where it stands."""

    name: str
    find: Scalar
    convert: Converter | None
    """What is made of what stands there; None where it is taken as it is."""
    required: bool


@dataclass(frozen=True, slots=True)
class ListStep:
    """A list inside an object: its name, where its items stand, and what decodes one of them."""

    name: str
    find: Several
    decode: Callable[[Node], Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A decoder as it is written: its `text`, and the `things` that are named in it."""

    text: str
    things: Mapping[str, Any]

    def compile(self) -> Any:
        """Make the decoder. It takes a node, and by name what is known without it."""
        namespace = dict(self.things)
        exec(compile(self.text, "<a decoder>", "exec"), namespace)  # noqa: S102 - our own words, and names that are quoted
        return namespace["decode"]


def write_source(
    read: str,
    steps: Sequence[Step],
    lists: Sequence[ListStep],
    *,
    known: frozenset[str],
    blank: Mapping[str, Any],
    build: Callable[[Mapping[str, Any]], Any],
) -> Source:
    """
    Write a decoder that gives `build` a value for every name in `blank`: what stands there is for names without a step.

    `known` names the fields that take what is known where the node has nothing. Errors are `BadReply`: they name the
    field, never the value.
    """
    every: list[Step | ListStep] = [*steps, *lists]
    firsts = [step.find.first for step in every if step.find.first is not None]
    things: dict[str, Any] = {
        "Absent": Absent,
        "Element": Element,
        "Misfit": Misfit,
        "blank": blank,
        "build": build,
        "by_name": by_name,
        "failure": _failure_of(read),
        "leaf": leaf,
        "nil": NIL,
        "local_names": LocalNames(firsts),
        "nothing": {},
        "true": TRUE,
    }
    lines: list[str] = []
    if firsts:
        lines += [
            "found = {}",
            "for child in node:",
            "    found[local_names[child.tag]] = child",
            "if len(found) < len(node):",
            "    found = by_name(node, local_names)",
        ]
    for step in steps:
        things |= {f"find_{step.name}": step.find.below, f"convert_{step.name}": step.convert}
        lines += _field(step, is_known=step.name in known)
    for each in lists:
        things |= {f"find_{each.name}": each.find.below, f"decode_{each.name}": each.decode}
        lines += [
            f"at = {each.name!r}",
            f"its_{each.name} = tuple([decode_{each.name}(item) for item in find_{each.name}({_place(each.find)})])",
        ]
    written = {step.name for step in every}
    values = [f"{name!r}: {f'its_{name}' if name in written else _blank(name, known)}" for name in blank]
    lines += [f"return build({{{', '.join(values)}}})"]
    return Source(text=_DECODER.format(body="\n        ".join(lines)), things=things)


_DECODER = """\
def decode(node, known=nothing):
    at = ""
    try:
        {body}
    except (Absent, Misfit, ValueError, ArithmeticError) as error:
        raise failure(at, error) from None
"""


def _field(step: Step, *, is_known: bool) -> list[str]:
    name, value = step.name, f"its_{step.name}"
    if is_leaf(step.find):
        lines = _leaf(step)
    elif step.convert is None:
        lines = [f"{value} = find_{name}({_place(step.find)})"]
    else:
        lines = [f"{value} = convert_{name}(find_{name}({_place(step.find)}))"]
    if is_known:
        lines += [f"if {value} is None:", f"    {value} = {_blank(name, frozenset({name}))}"]
    if step.required:
        lines += [f"if {value} is None:", "    raise Misfit('is missing')"]
    return [f"at = {name!r}", *lines]


def _leaf(step: Step) -> list[str]:
    """Write `leaf` out for an element that is there, once, and has no children: a call less for each value."""
    value = f"its_{step.name}"
    typed = "" if step.convert is None else f"convert_{step.name}"
    return [
        f"{value} = {_place(step.find)}",
        f"if {value}.__class__ is not Element or len({value}):",
        f"    {value} = {typed}(leaf({value}))",
        f"elif {value}.get(nil) in true or not ({value} := {value}.text):",
        f"    {value} = None",
        f"elif {value} := {value}.strip():",
        f"    {value} = {typed}({value})",
        "else:",
        f"    {value} = None",
    ]


def _place(path: Scalar | Several) -> str:
    return "node" if path.first is None else f"found.get({path.first!r})"


def _blank(name: str, known: frozenset[str]) -> str:
    return f"known.get({name!r}, blank[{name!r}])" if name in known else f"blank[{name!r}]"


def _failure_of(read: str) -> Callable[[str, Exception], BadReply]:
    def failure(at: str, error: Exception) -> BadReply:
        if isinstance(error, Absent):
            return BadReply(f"{read}: {at}: the container {error.args[0]!r} is missing")
        if isinstance(error, Misfit):
            return BadReply(f"{read}: {at}: {error}")
        # A date at the end of time has no next zone; whatever else a value cannot become. The text of such an error
        # may hold the value.
        return BadReply(f"{read}: {at}: the value is out of range")

    return failure
