"""Which keys carry a tag: the index by which the cache's tier in this process drops what has changed."""

from collections.abc import Collection, Sequence
from typing import TypeAlias

_Keys: TypeAlias = str | dict[str, None]
"""One key as it is, several as a dictionary's: every customer has a handful of tags, most of them on one entry."""


class TagIndex:
    """
    Keys by tag. A tag that no key carries is not in it.

    There are nearly as many tags as entries, so what one takes counts: a set would be some 200 bytes for one key, and
    700 for seven.
    """

    def __init__(self) -> None:
        self._keys: dict[str, _Keys] = {}

    def __len__(self) -> int:
        return len(self._keys)

    def keys(self, tag: str) -> Collection[str]:
        """Who carries the tag now."""
        keys = self._keys.get(tag, ())
        return (keys,) if isinstance(keys, str) else tuple(keys)

    def add(self, key: str, tags: Sequence[str]) -> None:
        """Let the key carry these tags, too."""
        for tag in tags:
            keys = self._keys.setdefault(tag, key)
            if isinstance(keys, dict):
                keys[key] = None
            elif keys != key:
                self._keys[tag] = {keys: None, key: None}

    def discard(self, key: str, tags: Sequence[str]) -> None:
        """Take the key away from these tags. One that does not carry a tag, and a tag named twice, do no harm."""
        for tag in tags:
            keys = self._keys.get(tag)
            if isinstance(keys, dict):
                keys.pop(key, None)
            if not keys or keys == key:
                self._keys.pop(tag, None)

    def clear(self) -> None:
        """Forget everything."""
        self._keys.clear()
