"""
The mapping file: a TOML file beside the settings, read and checked whole.

    format = 1
    time_zone = "Europe/Moscow"

    [order_statuses]
    "Передан в доставку" = "SHIPPED"

    [reads.profiles.request]            # what the adapter sends: its own business
    operation = "ПолучитьКлиентов"

    [reads.profiles.reply]              # what comes back
    items = "return/Клиент"
    fields = { customer = "Ид", first_name = "Имя" }
"""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from bff.domain import CurrencyCode, OfferKind, OrderStatus
from bff.errors import Code, Refused
from bff.mapping.values import Wording
from bff.plugins import SettingsFault

_STRICT = ConfigDict(extra="forbid", frozen=True)


def _zone(name: object) -> object:
    if isinstance(name, str):
        try:
            return ZoneInfo(name)
        except (OSError, ValueError, KeyError) as error:  # ZoneInfoNotFoundError is a KeyError
            raise ValueError("there is no such time zone; write one as Europe/Moscow") from error
    return name


def _refusal(code: Code) -> Code:
    if code not in Refused.CODES:
        raise ValueError(f"a refusal is one of {', '.join(sorted(each.value for each in Refused.CODES))}")
    return code


Zone = Annotated[ZoneInfo, BeforeValidator(_zone)]
RefusalCode = Annotated[Code, AfterValidator(_refusal)]
CurrencyName = Annotated[str, Field(pattern="^[A-Z]{3}$")]


class FieldTable(BaseModel):
    """Where a field comes from: a path, or always the same value."""

    model_config = _STRICT

    path: str | None = None
    value: str | None = None


class ListTable(BaseModel):
    """A list inside an object: where its items are, and what each is made of."""

    model_config = _STRICT

    items: str
    fields: dict[str, str | FieldTable]
    optional: bool = False
    """The container may be missing: then the list is empty."""


class StatusTable(BaseModel):
    """A field in which the back office says whether it did what was asked."""

    model_config = _STRICT

    path: str
    ok: list[str]
    refusals: dict[str, RefusalCode] = {}
    """Business refusals by the word that stands there; any other word is a technical error."""


class ReplyTable(BaseModel):
    """Where things are in a reply. Paths start where the one above ends."""

    model_config = _STRICT

    items: str
    """The records, from the root."""
    json_at: str | None = None
    """The reply is XML whose value here is a JSON text: all other paths walk through that."""
    owner: str | None = None
    """The customer's id in a record, where the entries stand in a list below it."""
    entries: str | None = None
    """The entries in a record; not given: the record itself is the entry."""
    entries_optional: bool = False
    """The container of the entries may be missing: then there are none."""
    fields: dict[str, str | FieldTable | ListTable] | str
    """Fields by name, or the name of a table under [shapes]."""
    status: StatusTable | None = None


class ReadTable(BaseModel):
    """One read: the request is the adapter's business, the reply is ours."""

    model_config = _STRICT

    request: dict[str, Any] = {}
    reply: ReplyTable


class WriteTable(BaseModel):
    """One write: the request is the adapter's business, the reply is read as a read's is."""

    model_config = _STRICT

    request: dict[str, Any] = {}
    reply: ReplyTable


FaultText = Annotated[str, Field(min_length=3)]
"""A part of an error's text, long enough not to stand in every one."""


class FaultTable(BaseModel):
    """A back office's error text that is a business refusal, told by a part of it."""

    model_config = _STRICT

    contains: FaultText
    code: RefusalCode


class MappingFile(BaseModel):
    """The whole file. The names under `reads` and `writes` are methods of `bff.ports`."""

    model_config = _STRICT

    format: Literal[1]
    time_zone: Zone
    currency: CurrencyName = "RUB"
    """Where a reply names no currency of its own."""
    decimal_comma: bool = False
    order_statuses: dict[str, OrderStatus] = {}
    offer_kinds: dict[str, OfferKind] = {}
    currencies: dict[str, CurrencyName] = {}
    faults: list[FaultTable] = []
    session_faults: list[FaultText] = []
    """Parts of error texts that mean: our session is gone, sign in again."""
    shapes: dict[str, dict[str, str | FieldTable | ListTable]] = {}
    reads: dict[str, ReadTable] = Field(min_length=1)
    writes: dict[str, WriteTable] = {}

    @property
    def wording(self) -> Wording:
        """How this back office writes things down."""
        return Wording(
            time_zone=self.time_zone,
            decimal_comma=self.decimal_comma,
            order_statuses=_folded(self.order_statuses),
            offer_kinds=_folded(self.offer_kinds),
            currencies=_folded({word: CurrencyCode(code) for word, code in self.currencies.items()}),
        )


def _folded(words: Mapping[str, Any]) -> dict[str, Any]:
    return {word.strip().casefold(): meaning for word, meaning in words.items()}


def load_mapping(path: Path) -> MappingFile:
    """Read a mapping file. Raises `SettingsFault` with every fault: not TOML, an unknown name, a wrong kind."""
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8-sig"))
        return MappingFile.model_validate(raw)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsFault([f"{path.name}: is not TOML ({error})"]) from None
    except OSError as error:
        raise SettingsFault([f"{path.name}: cannot be read ({error.strerror})"]) from None
    except ValidationError as error:
        raise SettingsFault(
            [
                f"{path.name}: {'.'.join(str(part) for part in finding['loc'])}: "
                f"{finding['msg'].removeprefix('Value error, ')}"
                for finding in error.errors(include_url=False, include_input=False)
            ]
        ) from None
