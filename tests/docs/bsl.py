"""
1C's language (BSL), without a 1C.

What can be said of all of it: keywords and brackets come in pairs, texts end. What is only arithmetic can be run: the
functions are translated to Python line by line, and what they call of the platform is written out below.
"""

# ruff: noqa: N802, PLC2401 (the platform's own names)

import hashlib
import re
from types import SimpleNamespace
from typing import Any, Final

_PAIRS: Final = {
    "#область": "#КонецОбласти",
    "для": "КонецЦикла",
    "если": "КонецЕсли",
    "пока": "КонецЦикла",
    "попытка": "КонецПопытки",
    "процедура": "КонецПроцедуры",
    "функция": "КонецФункции",
    "(": ")",
    "[": "]",
}
_ENDS: Final = frozenset(end.lower() for end in _PAIRS.values())
_TOKEN = re.compile(r'//[^\n]*|"(?:[^"\n]|"")*"|#?\w+|[()\[\]"]')


def check(text: str, place: str) -> None:
    """Raise `AssertionError` where a keyword, a bracket or a quotation mark lacks its other half."""
    waiting: list[tuple[str, int]] = []
    for found in _TOKEN.finditer(text):
        word, line = found[0].lower(), text.count("\n", 0, found.start()) + 1
        assert word != '"', f"{place}: line {line}: a text does not end"
        if word in _PAIRS:
            waiting.append((_PAIRS[word], line))
        elif word in _ENDS:
            expected = waiting.pop()[0] if waiting else "nothing"
            assert word == expected.lower(), f"{place}: line {line}: {found[0]} stands where {expected} was expected"
    assert not waiting, f"{place}: line {waiting[-1][1]}: {waiting[-1][0]} is missing"


_TRANSLATION: Final = (
    (r"//.*", ""),
    (r"\bЗнач ", ""),
    (r"^Функция (.*)", r"def \1:"),
    (r"^(\s*)Если (.*) Тогда$", r"\1if \2:"),
    (r"^(\s*)Для (\w+) = (\w+) По (\w+) Цикл$", r"\1for \2 in range(\3, \4 + 1):"),
    (r"\bВозврат ", "return "),
    (r"\bНовый (\w+)(\(?)", lambda found: f"{found[1]}(" if found[2] else f"{found[1]}()"),
    (r"\bЛожь\b", "False"),
    (r"^\s*Конец\w+;?$", ""),
    (r";\s*$", ""),
)


def functions(text: str, *names: str) -> SimpleNamespace:
    """Functions of a module, to be called from Python. Whatever the few rules do not know is a syntax error there."""
    program = []
    for name in names:
        found = re.search(rf"^Функция {name}\(.*?^КонецФункции$", text, re.DOTALL | re.MULTILINE)
        assert found is not None, name
        for line in found[0].splitlines():
            for pattern, python in _TRANSLATION:
                line = re.sub(pattern, python, line)  # noqa: PLW2901
            program.append(line)
    scope = dict(_PLATFORM)
    exec("\n".join(program), scope)  # noqa: S102 (our own document)
    return SimpleNamespace(**{name: scope[name] for name in names})


class Binary:
    """ДвоичныеДанные: cannot be changed; its size is a method."""

    def __init__(self, data: bytes) -> None:
        self.data = data

    def Размер(self) -> int:
        return len(self.data)


class _Buffer(bytearray):
    """БуферДвоичныхДанных: zeros at first; its size is a property."""

    @property
    def Размер(self) -> int:
        return len(self)


class _Array(list[Any]):
    Добавить = list.append


class _Hashing:
    def __init__(self, make: Any) -> None:
        self._hash = make()

    def Добавить(self, data: Binary) -> None:
        self._hash.update(data.data)

    @property
    def ХешСумма(self) -> Binary:
        return Binary(self._hash.digest())


def _encoded(text: str, encoding: str, bom: bool) -> Binary:
    assert not bom
    return Binary(text.encode(encoding))


_PLATFORM: Final[dict[str, Any]] = {
    "БуферДвоичныхДанных": _Buffer,
    "КодировкаТекста": SimpleNamespace(UTF8="utf-8"),
    "Массив": _Array,
    "НРег": str.lower,
    "ПобитовоеИсключительноеИли": int.__xor__,
    "ПолучитьHexСтрокуИзДвоичныхДанных": lambda binary: binary.data.hex().upper(),
    "ПолучитьБуферДвоичныхДанныхИзДвоичныхДанных": lambda binary: _Buffer(binary.data),
    "ПолучитьДвоичныеДанныеИзБуфераДвоичныхДанных": lambda buffer: Binary(bytes(buffer)),
    "ПолучитьДвоичныеДанныеИзСтроки": _encoded,
    "СоединитьДвоичныеДанные": lambda parts: Binary(b"".join(part.data for part in parts)),
    "ХешированиеДанных": _Hashing,
    "ХешФункция": SimpleNamespace(SHA256=hashlib.sha256),
}
