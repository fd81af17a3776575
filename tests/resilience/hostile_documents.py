"""Hostile answers that HTTP finds nothing wrong with: other documents, statuses, attacks on parsers. See `WAYS`."""

import json
from functools import partial
from itertools import pairwise

from tests.resilience.documents import Dialect, Shape
from tests.resilience.hostilities import CANARY, Case, Hostility, Reply, answer, only, placed

_XML, _JSON = only(Dialect.XML), only(Dialect.JSON)
_XML_TYPE = (("Content-Type", "text/xml; charset=utf-8"),)
_JSON_TYPE = (("Content-Type", "application/json"),)
_HTML_TYPE = (("Content-Type", "text/html; charset=utf-8"),)
_TECHNICAL = f"Неизвестная ошибка. {{WebСервис.Модуль(25)}}: {CANARY}"
_BUSINESS = f"Клиент не найден: {CANARY}"
DEPTH = 100_000


def _fixed(reply: Reply) -> "partial[Reply]":
    return partial(lambda fixed, _: fixed, reply)


def _page(status: int) -> Reply:
    return Reply(status, f"<!DOCTYPE html><html><body><h1>{CANARY}</h1></body></html>".encode(), _HTML_TYPE)


def _plain(status: int, text: str = CANARY, *headers: tuple[str, str]) -> Reply:
    return Reply(status, text.encode(), (("Content-Type", "text/plain; charset=utf-8"), *headers))


def _fault(text: str, status: int, case: Case) -> Reply:
    if case.shape.dialect is Dialect.JSON:
        return Reply(status, json.dumps({"success": False, "errorMsg": text, "error": text}).encode(), _JSON_TYPE)
    fault = (
        '<soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/"><soap:Body><soap:Fault>'
        f"<faultcode>soap:Server</faultcode><faultstring>{text}</faultstring><detail/>"
        "</soap:Fault></soap:Body></soap:Envelope>"
    )
    return Reply(status, fault.encode(), _XML_TYPE)


def _other(case: Case) -> Reply:
    if case.shape.dialect is Dialect.JSON:
        return Reply(200, f'{{"{CANARY}": ["{CANARY}"]}}'.encode(), _JSON_TYPE)
    return Reply(200, f'<?xml version="1.0"?><{CANARY}>{CANARY}</{CANARY}>'.encode(), _XML_TYPE)


answer(Hostility.EMPTY_BODY, _fixed(Reply(200, b"")))
answer(Hostility.OTHER_DOCUMENT, _other)
answer(Hostility.HTML_200, _fixed(_page(200)))
answer(Hostility.TECHNICAL_FAULT_200, partial(_fault, _TECHNICAL, 200))
answer(Hostility.TECHNICAL_FAULT_500, partial(_fault, _TECHNICAL, 500))
answer(Hostility.BUSINESS_FAULT, partial(_fault, _BUSINESS, 500), _XML)

answer(Hostility.HTML_502, _fixed(_page(502)), asks=False)
answer(Hostility.BUSY_503, _fixed(_plain(503, CANARY, ("Retry-After", "1"))), asks=False)
answer(Hostility.BUSY_429, _fixed(_plain(429, CANARY, ("Retry-After", "1"))), asks=False)
answer(Hostility.REFUSED_401, _fixed(_plain(401, CANARY, ("WWW-Authenticate", f'Basic realm="{CANARY}"'))), asks=False)
answer(Hostility.REFUSED_403, _fixed(_plain(403)), asks=False)
answer(Hostility.SESSION_400, _fixed(_plain(400, "Сеанс отсутствует или удален")), _XML, asks=False)
answer(Hostility.SESSION_406, _fixed(_plain(406, "Не удалось получить сеанс")), _XML, asks=False)
answer(
    Hostility.REDIRECT,
    lambda case: _plain(307, CANARY, ("Location", f"{case.traps.address}/elsewhere")),
    asks=False,
)


def _with_type(declaration: str, case: Case, reference: str = "&x;") -> bytes:
    """The healthy document behind a document type, with a reference to its entity in a text."""
    return f"<!DOCTYPE any [{declaration}]>".encode() + placed(case, case.shape.label, reference.encode())


def _laughs(case: Case) -> bytes:
    """Ten to the ninth times `lol`, in a kilobyte."""
    names = "xabcdefghi"
    entities = "".join(f'<!ENTITY {name} "{f"&{below};" * 10}">' for name, below in pairwise(names))
    return _with_type(f'{entities}<!ENTITY {names[-1]} "lol">', case)


def _entity(where: str, case: Case) -> Reply:
    address = case.traps.file.as_uri() if where == "file" else f"{case.traps.address}/entity"
    # Both kinds: a general entity is fetched where it is used, a parameter entity even where nothing is.
    entities = f'<!ENTITY x SYSTEM "{address}"><!ENTITY % p SYSTEM "{address}">%p;'
    return case.with_body(_with_type(entities, case))


def _laughs_late(case: Case) -> Reply:
    padding = b"<!--" + b" " * 10_000 + b"-->"
    return case.with_body(padding + _laughs(case))


def _laughs_utf16(case: Case) -> Reply:
    return case.with_body(
        '<?xml version="1.0" encoding="UTF-16"?>'.encode("utf-16") + _laughs(case).decode().encode("utf-16-le")
    )


def _deep(case: Case) -> Reply:
    opening, closing = (b"[", b"]") if case.shape.dialect is Dialect.JSON else (b"<d>", b"</d>")
    return case.with_body(placed(case, case.shape.label, opening * DEPTH + closing * DEPTH))


answer(Hostility.DTD, lambda case: case.with_body(_with_type(f'<!ENTITY x "{CANARY}">', case)), _XML)
answer(Hostility.ENTITY_FILE, partial(_entity, "file"), _XML)
answer(Hostility.ENTITY_HTTP, partial(_entity, "http"), _XML)
answer(Hostility.BILLION_LAUGHS, lambda case: case.with_body(_laughs(case)), _XML)
answer(Hostility.LAUGHS_UTF16, _laughs_utf16, _XML)
answer(Hostility.LAUGHS_LATE, _laughs_late, _XML)
answer(Hostility.DEEP, _deep)


def _has_label(shape: Shape) -> bool:
    return shape.label is not None


def _bad_charset(case: Case) -> Reply:
    # "Привет" in windows-1251, where everything says UTF-8.
    quotes = b'"' if case.shape.dialect is Dialect.JSON else b""
    return case.with_body(placed(case, case.shape.label, quotes + "Привет".encode("cp1251") + quotes))


def _declared_cp1251(case: Case) -> Reply:
    body = '<?xml version="1.0" encoding="windows-1251"?>' + case.reply.body.decode()
    return case.with_body(body.encode("cp1251", "xmlcharrefreplace"))


answer(Hostility.BOM, lambda case: case.with_body(b"\xef\xbb\xbf" + case.reply.body))
answer(Hostility.BAD_CHARSET, _bad_charset, _has_label)
answer(Hostility.DECLARED_CP1251, _declared_cp1251, _XML)
answer(Hostility.CUT_RIGHT_LENGTH, lambda case: case.with_body(case.reply.body[: len(case.reply.body) // 2]))
