"""Requests: an envelope written once, at start, and filled for every call: with keys, or with a write's arguments."""

import re
from collections.abc import Mapping, Sequence
from copy import deepcopy
from itertools import pairwise
from secrets import token_hex
from typing import Literal, TypeAlias

from lxml import etree

KEY_MARK = "kabinet:key"
"""Stands in a template where the key goes."""

Absence: TypeAlias = Literal["left out", "nil", "empty"]
"""How an element says that there is no value."""

_NIL = "{http://www.w3.org/2001/XMLSchema-instance}nil"

_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What cannot stand in a document, not even escaped (XML 1.0, 2.2): control characters, halves of characters."""


def can_be_asked(key: str, joined: str | None) -> bool:
    """
    Say whether a key can be written into a request and still be that one key.

    No back office knows a key that cannot: it is left out, and so it is unknown. An empty key is among them because
    many services read it as "no condition" and answer with everybody.
    """
    return bool(key.strip()) and not _NOT_XML.search(key) and not (joined and joined in key)


class Envelope:
    """
    A template to be filled.

    `repeated_up` says how many levels above the key stands the element that comes once a key; None where one
    element takes all keys, `joined` by that text, or takes just one. Without `KEY_MARK` in it, it takes no keys.
    """

    def __init__(self, template: etree._Element, *, repeated_up: int | None = None, joined: str | None = None) -> None:
        self._joined = joined or ""
        self._repeats = repeated_up is not None
        # Written once with marks that stand nowhere else; a request has its keys in their place.
        marks = [token_hex(), token_hex()] if self._repeats else [token_hex()]
        whole = _written(template, marks, repeated_up or 0)
        self._head, _, rest = whole.partition(marks[0].encode())
        self._takes_keys = self._head != whole
        self._between, _, tail = rest.partition(marks[-1].encode())
        self._tail = tail if self._repeats else rest

    def fill(self, keys: Sequence[str]) -> bytes:
        """Write the request for these keys, in UTF-8. Raises `ValueError` for one that is not XML."""
        if not self._takes_keys:
            return self._head
        if not self._repeats:
            return self._head + _escaped(self._joined.join(keys)) + self._tail
        if not keys:
            raise ValueError("an element without a key may mean everybody: there must be one")
        return self._head + self._between.join(map(_escaped, keys)) + self._tail


def _written(template: etree._Element, texts: Sequence[str], repeated_up: int) -> bytes:
    """Write the template with an element for each text in the place of the one with `KEY_MARK`."""
    envelope = deepcopy(template)
    leaf = next((element for element in envelope.iter() if element.text == KEY_MARK), None)
    if leaf is not None:
        repeated = [leaf, *leaf.iterancestors()][repeated_up]
        leaf_path = etree.ElementTree(repeated).getelementpath(leaf)
        elements = [repeated, *(deepcopy(repeated) for _ in texts[1:])]
        for element, text in zip(elements, texts, strict=True):
            next(element.iterfind(leaf_path)).text = text
        for before, element in pairwise(elements):
            before.addnext(element)
    return etree.tostring(envelope, encoding="utf-8", xml_declaration=True)


def _escaped(text: str) -> bytes:
    """Write a text as lxml does. Raises `ValueError` for one that is not XML."""
    if _NOT_XML.search(text):
        raise ValueError("not a text that XML can hold")
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return text.replace("\r", "&#13;").encode()


def argument_mark(argument: str) -> str:
    """What stands in a template where an argument of a write goes."""
    return f"kabinet:argument:{argument}"


class Form:
    """A template of a write. `absences` names its arguments, and says how each is written where it has no value."""

    def __init__(self, template: etree._Element, absences: Mapping[str, Absence]) -> None:
        self._template = template
        self._absences = absences
        tree = template.getroottree()
        arguments = {argument_mark(argument): argument for argument in absences}
        self._paths = {
            arguments[element.text]: tree.getelementpath(element)
            for element in template.iter()
            if element.text in arguments
        }

    def fill(self, arguments: Mapping[str, str | None]) -> bytes:
        """
        Write the request, in UTF-8. What the template has no place for is left out.

        lxml escapes the values; `ValueError` for one that is not XML.
        """
        envelope = deepcopy(self._template)
        # All are found before the first is taken out: paths count the elements that stand before.
        elements = {argument: next(envelope.iterfind(path)) for argument, path in self._paths.items()}
        for argument, element in elements.items():
            value = arguments.get(argument)
            element.text = value
            if value is not None:
                continue
            if self._absences[argument] == "nil":
                element.set(_NIL, "true")
            elif self._absences[argument] == "left out":
                parent = element.getparent()
                if parent is not None:
                    parent.remove(element)
        return etree.tostring(envelope, encoding="utf-8", xml_declaration=True)
