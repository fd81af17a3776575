"""Tables of the documents say what the code says: nothing is left out, nothing is made up."""

import ast
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, get_args, get_type_hints

import pytest
import typer
from pydantic import BaseModel
from typer.main import get_command

from adapters.cms.rest.mapping import RequestTable as RestRequest
from adapters.erp.onec_soap.mapping import RequestTable as OneCRequest
from adapters.erp.onec_soap.mapping import WriteRequestTable
from bff.cli import app
from bff.config import CacheSettings, IdentitySettings, ShopSettings
from bff.errors import Code, Refused
from bff.identity.provider_settings import ProviderSettings
from bff.identity.settings import SessionSettings, SignInSettings, StoreSettings
from bff.mapping import WRITES
from bff.mapping.file import FaultTable, ListTable, MappingFile, ReplyTable, StatusTable
from bff.mapping.shapes import SHAPES, WRITE_SHAPES, Shape
from bff.mapping.values import Kind
from bff.plugins import Adapter, BackOfficeSettings, GuardSettings, discover
from bff.sources import Freshness, Sections
from bff.web.limits import LimitSettings
from bff.web.server_settings import ServerSettings
from tests.docs.blocks import DOCUMENTS, ROOT, in_code, tables

OPERATORS = tables(ROOT / "docs/operators.md")
SIGN_IN = tables(ROOT / "docs/sign-in/operators.md")
INTEGRATORS = tables(ROOT / "docs/integrators.md")


def _defaults(model: type[BaseModel], *, beside: type[BaseModel] | None = None) -> dict[str, str]:
    """Settings of a model as the tables write them; without those that `beside` has with the same default."""
    shared = _defaults(beside) if beside else {}
    # A table within the table has a table of its own.
    own = {
        name: _default(about) for name, about in model.model_fields.items() if not isinstance(about.default, BaseModel)
    }
    return {name: default for name, default in own.items() if shared.get(name) != default}


def _default(about: Any) -> str:
    if about.is_required():
        return "required"
    match about.default:
        case None | ():
            return "none"
        case tuple():
            return f"`{json.dumps(about.default)}`"
        case bool():
            return f"`{str(about.default).lower()}`"
    return f"`{about.default}`"


SETTINGS: Mapping[str, dict[str, str]] = {
    "`[server]`": _defaults(ServerSettings),
    "`[limits]`": _defaults(LimitSettings),
    "`[identity]`": _defaults(IdentitySettings),
    "`[sessions]`": _defaults(SessionSettings),
    "`[sign_in]`": _defaults(SignInSettings),
    "`[store]`": _defaults(StoreSettings),
    "`[providers.<name>]`": _defaults(ProviderSettings),
    "`[sections]`": _defaults(Sections),
    "`[shop]`": _defaults(ShopSettings),
    "`[cache]`": _defaults(CacheSettings),
    "`[back_offices.<name>]`": _defaults(BackOfficeSettings),
    "`[back_offices.<name>.guard]`": _defaults(GuardSettings),
    **{f"`{name}`": _defaults(spec.settings, beside=BackOfficeSettings) for name, spec in discover().items()},
}


@pytest.mark.parametrize("heading", SETTINGS)
def test_every_setting_is_documented_with_its_default(heading: str) -> None:
    assert {in_code(row[0]): row[1] for row in {**SIGN_IN, **OPERATORS}[heading]} == SETTINGS[heading]


def test_the_ages_of_every_section_are_documented() -> None:
    written = {
        in_code(row[0]): [float(in_code(cell)) for cell in row[1:4]] for row in OPERATORS["`[freshness.<section>]`"]
    }
    ages = {name: about.default for name, about in Freshness.model_fields.items()}
    assert written == {
        name: [each.fresh_seconds, each.stale_seconds, each.on_error_seconds] for name, each in ages.items()
    }


@pytest.mark.parametrize(
    ("heading", "model"),
    [
        ("At the top", MappingFile),
        ("Requests to 1C", OneCRequest),
        ("Requests to a JSON API", RestRequest),
        ("Status fields", StatusTable),
        ("Faults", FaultTable),
    ],
)
def test_every_name_of_the_mapping_language_is_documented(heading: str, model: type[BaseModel]) -> None:
    assert [in_code(row[0]) for row in INTEGRATORS[heading]] == list(model.model_fields)
    required = {in_code(row[0]) for row in INTEGRATORS[heading] if "Required" in row[1]}
    needed = {name for name, about in model.model_fields.items() if about.is_required()}
    assert needed <= required


def test_the_arguments_of_every_write_are_documented() -> None:
    assert set(WRITES) == set(WRITE_SHAPES)
    names = list(WriteRequestTable.model_fields)
    rows = INTEGRATORS["Writes to 1C"]
    assert [in_code(row[0]) for row in rows[: len(names)]] == names
    arguments = {in_code(row[0]): "Required" in row[1] for row in rows[len(names) :]}
    assert arguments == dict(WRITES["register"])


def test_replies_and_their_lists_are_documented() -> None:
    names = [in_code(row[0]) for row in INTEGRATORS["Replies"]]
    assert names == [*ReplyTable.model_fields, *ListTable.model_fields]


def _fields(shape: Shape) -> dict[str, tuple[str, bool]]:
    fields = {name: (field.kind.value, field.required) for name, field in shape.fields.items()}
    return {**fields, **dict.fromkeys(shape.lists, ("a list", False))}


def _shapes() -> Iterator[tuple[str, Shape]]:
    for read, shape in [*SHAPES.items(), *WRITE_SHAPES.items()]:
        heading = next(heading for heading in INTEGRATORS if f"`{read}`" in heading)
        yield heading, shape
        for name, below in shape.lists.items():
            yield next(heading for heading in INTEGRATORS if heading.startswith(f"`{name}` of")), below


@pytest.mark.parametrize(("heading", "shape"), list(_shapes()))
def test_every_field_is_documented_with_its_kind(heading: str, shape: Shape) -> None:
    written = {in_code(row[0]): (row[1], row[2].startswith("required")) for row in INTEGRATORS[heading]}
    assert written == _fields(shape)


def test_every_kind_is_documented() -> None:
    assert [row[0] for row in INTEGRATORS["Kinds"]] == [kind.value for kind in Kind]


def test_every_section_is_documented_with_its_reads() -> None:
    assert {in_code(row[0]) for row in INTEGRATORS["What can be connected"][3:]} == set(Sections.model_fields)


def test_every_adapter_and_port_is_documented() -> None:
    assert {in_code(row[0]) for row in INTEGRATORS["What can be connected"][:3]} == set(discover())
    rows = INTEGRATORS["An adapter of your own"]
    methods = {in_code(row[0]): re.findall(r"`(\w+)`", row[1]) for row in rows}
    served = [get_args(get_type_hints(Adapter)[name])[0] for name in Adapter.PORTS]
    expected = {port.__name__: [each for each in vars(port) if not each.startswith("_")] for port in served}
    assert methods == expected
    assert len(methods) == len(Adapter.PORTS)


def test_every_code_has_its_section() -> None:
    text = (ROOT / "docs/errors.md").read_text(encoding="utf-8")
    parts = re.split(r"^## ", text, flags=re.MULTILINE)[1:]
    assert {part.split("\n", 1)[0] for part in parts} == {code.value for code in Code}
    for part in parts:
        assert re.findall(r"^\*\*(.+?):\*\*", part, flags=re.MULTILINE) == ["Means", "Front end", "Operator"], part[:40]


def test_the_codes_of_refusals_are_documented() -> None:
    row = next(row for row in INTEGRATORS["Faults"] if row[0] == "`code`")
    assert set(re.findall(r"`([A-Z_]+)`", row[1])) == {code.value for code in Refused.CODES}


def _events() -> dict[str, str]:
    """Events that the code logs, by text, with their level; "info" where they have one or another."""
    found: dict[str, str] = {}
    for file in [*(ROOT / "bff").rglob("*.py"), *(ROOT / "adapters").rglob("*.py")]:
        if "node_modules" in file.parts:
            continue
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            match node:
                case ast.Call(
                    func=ast.Attribute(value=ast.Name(id="log"), attr=level), args=[ast.Constant(value=str(event)), *_]
                ):
                    found[event] = "error" if level == "exception" else level
                case ast.Call(func=ast.Name(id="write"), args=[ast.Constant(value=str(event))]):
                    found[event] = "info"
    return found


def test_every_log_event_is_documented() -> None:
    rows = [*OPERATORS["Logs"], *SIGN_IN["Logs"], *SIGN_IN["Audit log"]]
    assert {in_code(row[0]): row[1] for row in rows} == _events()


def test_every_command_is_in_a_document() -> None:
    text = "".join(path.read_text(encoding="utf-8") for path in DOCUMENTS)
    commands = list(_commands(get_command(app), "kabinet"))
    assert [command for command in commands if not re.search(rf"\b{command}\b", text)] == []


def _commands(command: Any, name: str) -> Iterator[str]:
    below = getattr(command, "commands", None)
    if below is None:
        yield name
        return
    assert isinstance(command, typer.core.TyperGroup)
    for word, each in below.items():
        yield from _commands(each, f"{name} {word}")
