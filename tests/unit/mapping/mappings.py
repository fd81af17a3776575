"""Mapping files as texts."""

import tomllib

from bff.mapping import MappingFile

HEAD = 'format = 1\ntime_zone = "Europe/Moscow"\n'


def mapping(text: str) -> MappingFile:
    """A mapping file out of its tables; format and zone stand before them."""
    return MappingFile.model_validate(tomllib.loads(HEAD + text))
