"""The shop's own documents: a folder of them, each with the ids that front ends send instead of the text."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

from graphql import GraphQLError, parse, print_ast, separate_operations

from bff.web.limits import LimitSettings

MAX_FILE_BYTES = 20_000_000


@dataclass(slots=True)
class Documents:
    """Texts by id, where each text comes from, and what is wrong with the folder."""

    texts: dict[str, str] = field(default_factory=dict)
    places: dict[str, str] = field(default_factory=dict)
    """By text: the file, and the id in it."""
    faults: list[str] = field(default_factory=list)

    def add(self, document_id: str, text: str, place: str) -> None:
        """Take in one text; an id that has another one already is a fault."""
        if self.texts.setdefault(document_id, text) != text:
            self.faults.append(
                f"{place}: its id stands for another document, too: {self.places[self.texts[document_id]]}"
            )
        self.places.setdefault(text, place)


def read_documents(folder: Path, limits: LimitSettings) -> Documents:
    """
    Read every `*.graphql` and `*.json` of a folder.

    A `.graphql` file is one document. Its ids are SHA-256 of its text, with and without white space around it, and as
    graphql-js prints it, which is what clients send; one of several operations has those of each of them, too.
    A `.json` file is a manifest: `{id: text}` (GraphQL Code Generator, Relay), or Apollo's with `operations`.
    """
    found = Documents()
    files = sorted(path for path in folder.iterdir() if path.suffix in {".graphql", ".gql", ".json"})
    for path in files:
        try:
            if path.stat().st_size > MAX_FILE_BYTES:
                found.faults.append(f"{path.name}: is larger than {MAX_FILE_BYTES} bytes")
                continue
            text = path.read_text(encoding="utf-8")
            if path.suffix == ".json":
                for document_id, document in _manifest(json.loads(text)):
                    found.add(document_id.removeprefix("sha256:"), document, f"{path.name}: {document_id}")
            else:
                for document in [*_forms(text, limits.tokens)]:
                    found.add(document_id_of(document), document, path.name)
        except (OSError, ValueError) as error:
            found.faults.append(f"{path.name}: cannot be read ({type(error).__name__})")
        except (GraphQLError, RecursionError) as error:
            found.faults.append(f"{path.name}: {str(error).splitlines()[0]}")
    if not found.texts and not found.faults:
        found.faults.append("the folder holds no *.graphql and no *.json")
    return found


def document_id_of(text: str) -> str:
    """The id that front ends make of a text."""
    return sha256(text.encode()).hexdigest()


def _forms(text: str, tokens: int) -> Iterator[str]:
    """A document as it may be sent."""
    yield text
    yield text.strip()
    document = parse(text, max_tokens=tokens)
    yield print_ast(document)
    for each in separate_operations(document).values():
        yield print_ast(each)


def _manifest(raw: Any) -> Iterator[tuple[str, str]]:
    """Ids and texts. Raises `ValueError` for what is no manifest."""
    listed = raw.get("operations") if isinstance(raw, Mapping) else None
    pairs: list[tuple[Any, Any]] = [(None, None)]
    if isinstance(listed, list):
        pairs = [(each.get("id"), each.get("body")) for each in listed if isinstance(each, Mapping)]
    elif isinstance(raw, Mapping):
        pairs = list(raw.items())
    if not all(isinstance(document_id, str) and isinstance(text, str) for document_id, text in pairs):
        raise ValueError("no manifest")
    yield from pairs
