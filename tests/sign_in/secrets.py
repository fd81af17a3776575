"""What must not be found in any log: it is collected while tests run, and looked for at the end."""

import re
from collections.abc import Iterable
from threading import Lock


class Secrets:
    """Phones, mail addresses, names, codes, tokens, tickets and cookies that were used."""

    def __init__(self) -> None:
        self._known: set[str] = set()
        self._lock = Lock()

    def add(self, *texts: str | None) -> None:
        """Note some."""
        with self._lock:
            self._known.update(text for text in texts if text)

    def in_text(self, text: str) -> list[str]:
        """Those that stand in a text; short ones as words of their own, as six digits may be part of something else."""
        with self._lock:
            known = sorted(self._known)
        short = [each for each in known if len(each) <= 12]
        words = set(re.findall(r"\w+", text))
        found = [each for each in short if each in words or (not each.isalnum() and each in text)]
        return found + [each for each in known if len(each) > 12 and each in text]

    def in_lines(self, lines: Iterable[object]) -> list[str]:
        """Those that stand in what was logged."""
        return self.in_text("\n".join(map(repr, lines)))
