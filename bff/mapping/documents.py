"""Replies as documents: parsed so that nothing in them can reach out, blow up or be half there."""

import json
import re
from collections.abc import Iterator
from decimal import Decimal, InvalidOperation
from enum import Enum
from itertools import chain
from typing import Any, NoReturn
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from lxml import etree

from bff.errors import BadReply


class Dialect(Enum):
    """What kind of document a path walks through."""

    XML = "xml"
    JSON = "json"


_MAX_DEPTH = 256
"""Elements within one another. libxml2 ends there, too."""

_MOST_UNJUDGED_BYTES = 100_000
"""What is larger, lxml parses first: it stops where nesting gets too deep, before that has filled the memory."""

_PLAIN_START = re.compile(
    rb"""(?!<\?xml)|<\?xml\s+version=["']1\.0["']\s*(encoding=["']utf-8["']\s*)?(standalone=["']\w+["']\s*)?\?>""",
    re.IGNORECASE,
)
"""How documents in UTF-8 begin: with no declaration, or with this one."""


def _judge() -> etree.XMLParser[etree._Element]:
    # No DTD, no entities, no network, no huge trees: depth ends at 256 and a text at 10 MB, by libxml2's own limits.
    return etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False, remove_comments=True, remove_pis=True
    )


def parse_xml(body: bytes) -> Element:
    """
    Parse a whole XML document; a byte-order mark and white space before it are let pass, as 1C sends them.

    Raises `BadReply`, whose text holds nothing of the body: not XML, cut short, too deep, with a document type (DTD).
    """
    body = body.removeprefix(b"\xef\xbb\xbf").lstrip()
    whole = body if _is_plain(body) and len(body) <= _MOST_UNJUDGED_BYTES else _judged(body)
    # Of the standard library's elements each is made once, and what is in it is at hand; lxml makes an object of a
    # node anew at every step, which costs more than all the rest of reading a large answer.
    parser = ElementTree.XMLParser()  # noqa: S314 - a document type never comes here, and so no entities do
    try:
        parser.feed(whole)
        root: Element = parser.close()
    except (ElementTree.ParseError, ValueError):
        raise BadReply(f"the answer of {len(body)} bytes is not whole XML") from None
    if _is_too_deep(root):
        raise BadReply(f"the answer of {len(body)} bytes is nested too deeply")
    return root


def _is_plain(body: bytes) -> bool:
    """
    Say whether a document is one in UTF-8 without a document type, as nearly all are.

    It may be in UTF-16, too, where there is a NUL in it: every mark-up there has some.
    """
    return b"<!DOCTYPE" not in body and b"\0" not in body and _PLAIN_START.match(body) is not None


def _judged(body: bytes) -> bytes:
    """Let lxml refuse what has to be, and write anew in UTF-8 what is not plain. Raises `BadReply`."""
    if b"<!DOCTYPE" in body[:4_096]:
        raise BadReply("the XML has a document type (DTD), which is refused")
    try:
        root = etree.fromstring(body, _judge())
    except (etree.XMLSyntaxError, ValueError):
        raise BadReply(f"the answer of {len(body)} bytes is not whole XML") from None
    if root.getroottree().docinfo.doctype:
        raise BadReply("the XML has a document type (DTD), which is refused")
    return body if _is_plain(body) else etree.tostring(root, encoding="utf-8")


def _is_too_deep(root: Element) -> bool:
    level = [root]
    for _ in range(_MAX_DEPTH):
        parents: Iterator[Element] = filter(len, level)
        level = list(chain.from_iterable(parents))
        if not level:
            return False
    return True


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(name)


def parse_json(body: bytes | str) -> Any:
    """
    Parse a whole JSON document; numbers with a fraction come as `Decimal`, from their own text.

    Raises `BadReply`, whose text holds nothing of the body: not JSON, cut short, too deep, or with NaN.
    """
    try:
        text = body.decode() if isinstance(body, bytes) else body
        return json.loads(text.removeprefix("\ufeff"), parse_float=Decimal, parse_constant=_refuse_constant)
    except (ValueError, RecursionError, InvalidOperation):
        raise BadReply(f"the answer of {len(body)} bytes is not whole JSON") from None
