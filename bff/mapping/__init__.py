"""
The mapping language: which of a back office's names means what of ours, in a TOML file beside the settings.

`file` reads and checks it, `documents` parses replies safely, `paths` finds things in them, `values` turns texts
into typed values, `shapes` says what each domain object is made of, `reading` compiles all that, once at start, into
a decoder for each read: `source` writes what reads one shape, `making` is how its objects are made. `reads` compiles
every read of a file with its requests, `writes` every write; `ports` makes ports of them, and `batches` cuts many keys
into calls.
"""

from bff.mapping.batches import side_by_side, split
from bff.mapping.documents import Dialect, parse_json, parse_xml
from bff.mapping.file import MappingFile, ReadTable, load_mapping
from bff.mapping.ports import Ask, Do, MappedPorts
from bff.mapping.reading import Reading, compile_reading
from bff.mapping.reads import MappedRead, compile_reads
from bff.mapping.writes import WRITES, MappedWrite, compile_writes

__all__ = [
    "WRITES",
    "Ask",
    "Dialect",
    "Do",
    "MappedPorts",
    "MappedRead",
    "MappedWrite",
    "MappingFile",
    "ReadTable",
    "Reading",
    "compile_reading",
    "compile_reads",
    "compile_writes",
    "load_mapping",
    "parse_json",
    "parse_xml",
    "side_by_side",
    "split",
]
