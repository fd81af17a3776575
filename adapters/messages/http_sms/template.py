"""
Templates: texts with `{phone}`, `{digits}`, `{text}`, `{secret}` in them; `{{` and `}}` are braces.

What is put in is put in once and never read again: a message that says `{secret}` stays what it is. Escaping for
JSON, forms and queries comes after, whole values at a time, so no value can leave its place.
"""

from collections.abc import Iterator, Mapping
from string import Formatter
from typing import Final, TypeAlias

from pydantic import JsonValue

PHONE: Final = "phone"
"""`+79160000001`"""
DIGITS: Final = "digits"
"""`79160000001`"""
TEXT: Final = "text"
SECRET: Final = "secret"  # noqa: S105 - the placeholder's name

Values: TypeAlias = Mapping[str, str]

_PARSER: Final = Formatter()


def placeholders(template: str, *, known: frozenset[str]) -> Iterator[str]:
    """Yield the names in a template, in order. `ValueError` says what is wrong with it."""
    try:
        parts = list(_PARSER.parse(template))
    except ValueError:
        raise ValueError("a brace has no other half; write {{ and }} for braces that are sent") from None
    for _, name, form, conversion in parts:
        if name is None:
            continue
        if name not in known or form or conversion:
            allowed = ", ".join(f"{{{each}}}" for each in sorted(known))
            raise ValueError(f"only {allowed} may stand in braces here")
        yield name


def fill(template: str, values: Values) -> str:
    """Put values in."""
    return "".join(literal + (values[name] if name else "") for literal, name, _, _ in _PARSER.parse(template))


def texts(tree: JsonValue, place: str) -> Iterator[tuple[str, str]]:
    """Yield every text of a JSON value, with its place; names of members are no templates."""
    match tree:
        case str():
            yield place, tree
        case dict():
            for name, below in tree.items():
                yield from texts(below, f"{place}.{name}")
        case list():
            for number, below in enumerate(tree):
                yield from texts(below, f"{place}.{number}")


def fill_tree(tree: JsonValue, values: Values) -> JsonValue:
    """Put values into every text of a JSON value."""
    match tree:
        case str():
            return fill(tree, values)
        case dict():
            return {name: fill_tree(below, values) for name, below in tree.items()}
        case list():
            return [fill_tree(below, values) for below in tree]
    return tree
