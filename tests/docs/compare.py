"""Whether what came is what a document shows. `…` stands for anything; days and instants for any other of them."""

import json
import re
from datetime import date, datetime
from typing import Any, Final

ANYTHING: Final = "…"

_DAY = r"\d{4}-\d\d-\d\d"
_INSTANT = _DAY + r"[T ]\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)?"


def assert_shown(shown: str, came: str, place: str) -> None:
    """Compare a command's output with the one in the document: as JSON where both are, else as text."""
    try:
        pair = json.loads(shown), json.loads(came)
    except ValueError:
        pattern = _pattern(shown.strip())
        assert re.fullmatch(pattern, _squeezed(came)), f"{place}: shown:\n{shown}\ncame:\n{came}"
    else:
        assert_same(*pair, place)


def assert_same(shown: Any, came: Any, place: str) -> None:
    """Compare two values of JSON."""
    fault = _difference(shown, came, "")
    assert fault is None, f"{place}: {fault}; came:\n{json.dumps(came, ensure_ascii=False)}"


def shows(shown: str, came: str) -> bool:
    """Say whether a text begins as it is shown."""
    return re.match(_pattern(shown.strip()), _squeezed(came)) is not None


def _squeezed(text: str) -> str:
    return "\n".join(re.sub(r"[ \t]+", " ", line).strip() for line in text.strip().splitlines())


def _pattern(shown: str) -> str:
    parts = re.split(rf"({ANYTHING}|{_INSTANT}|{_DAY})", _squeezed(shown))
    patterns = []
    for part in parts:
        if part == ANYTHING:
            patterns.append(r"[\s\S]*?")
        elif re.fullmatch(_INSTANT, part):
            patterns.append(_INSTANT)
        elif re.fullmatch(_DAY, part):
            patterns.append(_DAY)
        else:
            patterns.append(re.escape(part))
    return "".join(patterns)


def _difference(shown: Any, came: Any, where: str) -> str | None:
    match shown:
        case "…":
            return None
        case dict():
            return _difference_of_objects(shown, came, where)
        case list():
            return _difference_of_lists(shown, came, where)
        case str() if isinstance(came, str) and (kind := _kind(shown)) is not None and kind is _kind(came):
            return None
        case str() if isinstance(came, str) and ANYTHING in shown:
            return None if re.fullmatch(_pattern(shown), came) else f"{where}: {shown!r} is shown"
    return None if shown == came and type(shown) is type(came) else f"{where}: {shown!r} is shown, {came!r} came"


def _difference_of_objects(shown: dict[str, Any], came: Any, where: str) -> str | None:
    if not isinstance(came, dict):
        return f"{where}: an object is shown"
    names = set(shown) - {ANYTHING}
    if names - set(came) or (ANYTHING not in shown and set(came) - names):
        return f"{where}: {sorted(names)} are shown, {sorted(came)} came"
    return next((fault for name in names if (fault := _difference(shown[name], came[name], f"{where}/{name}"))), None)


def _difference_of_lists(shown: list[Any], came: Any, where: str) -> str | None:
    if not isinstance(came, list):
        return f"{where}: a list is shown"
    is_open = bool(shown) and shown[-1] == ANYTHING
    wanted = shown[:-1] if is_open else shown
    if len(came) < len(wanted) or (not is_open and len(came) > len(wanted)):
        return f"{where}: {len(wanted)} are shown, {len(came)} came"
    pairs = enumerate(zip(wanted, came, strict=False))
    return next((fault for n, (a, b) in pairs if (fault := _difference(a, b, f"{where}/{n}"))), None)


def _kind(text: str) -> type | None:
    for kind in (date, datetime):
        try:
            kind.fromisoformat(text)
        except ValueError:
            continue
        return kind
    return None
