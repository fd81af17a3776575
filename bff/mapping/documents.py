"""Replies as documents: parsed so that nothing in them can reach out, blow up or be half there."""

import json
from decimal import Decimal, InvalidOperation
from enum import Enum
from typing import Any, NoReturn

from lxml import etree

from bff.errors import BadReply


class Dialect(Enum):
    """What kind of document a path walks through."""

    XML = "xml"
    JSON = "json"


def _parser() -> etree.XMLParser[etree._Element]:
    # No DTD, no entities, no network, no huge trees: depth ends at 256 and a text at 10 MB, by libxml2's own limits.
    return etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False, remove_comments=True, remove_pis=True
    )


def parse_xml(body: bytes) -> etree._Element:
    """
    Parse a whole XML document; a byte-order mark and white space before it are let pass, as 1C sends them.

    Raises `BadReply`, whose text holds nothing of the body: not XML, cut short, or with a document type (DTD).
    """
    body = body.removeprefix(b"\xef\xbb\xbf").lstrip()
    if b"<!DOCTYPE" in body[:4_096]:
        raise BadReply("the XML has a document type (DTD), which is refused")
    try:
        root = etree.fromstring(body, _parser())
    except (etree.XMLSyntaxError, ValueError):
        raise BadReply(f"the answer of {len(body)} bytes is not whole XML") from None
    if root.getroottree().docinfo.doctype:
        raise BadReply("the XML has a document type (DTD), which is refused")
    return root


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
