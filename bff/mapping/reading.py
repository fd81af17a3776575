"""A read's reply, compiled: from a document's root to what the port's method returns."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from bff.domain import CustomerId, FavoriteList, Offer, OfferKind, OfferList, Order, ProductId
from bff.errors import BackOfficeError, BadReply, IntegrityViolation, Refused, Upstream
from bff.mapping.compiling import Compiler, Decode, FieldTables
from bff.mapping.documents import Dialect, parse_json
from bff.mapping.file import FieldTable, ListTable, MappingFile, ReplyTable, StatusTable
from bff.mapping.paths import Absent, Misfit, Node, Path, Scalar, Several
from bff.mapping.shapes import SHAPES, WRITE_SHAPES
from bff.mapping.values import text
from bff.plugins import SettingsFault

Entries = list[Any]
"""What one customer's (or everybody's) entries became: domain objects, and errors in the place of bad ones."""

ONE_PER_CUSTOMER = frozenset({"profiles", "bonus_accounts"})
ONE_PER_ID = frozenset({"orders", "products"})
ONE_PER_CONTACT = frozenset({"find", "register"})
"""Asked for by contact: whose a record is, its field `contact` says."""


def _latest(entries: Entries, _: CustomerId) -> Order | BackOfficeError | None:
    # Which order is the last cannot be said while one of them cannot be read.
    for entry in entries:
        if isinstance(entry, BackOfficeError):
            return entry
    if len(entries) == 1:
        only: Order = entries[0]
        return only
    return max(entries, key=lambda order: order.placed_at, default=None)


def _good(entries: Entries) -> tuple[list[Any], int]:
    """Good entries, and the number of bad ones; where all are bad, it is the reply that is."""
    good = [entry for entry in entries if not isinstance(entry, BackOfficeError)]
    if entries and not good:
        raise next(entry for entry in entries if isinstance(entry, BackOfficeError))
    return good, len(entries) - len(good)


def _favorite_list(entries: Entries, customer: CustomerId) -> FavoriteList:
    good, rejected = _good(entries)
    products: list[ProductId] = list(dict.fromkeys(good))
    return FavoriteList(customer=customer, products=tuple(products), rejected=rejected)


def _offer_list(entries: Entries, customer: CustomerId | None = None) -> OfferList:
    good, rejected = _good(entries)
    by_id: dict[str, Offer] = {}
    for offer in good:
        by_id.setdefault(offer.id, offer)
    return OfferList(offers=tuple(by_id.values()), customer=customer, rejected=rejected)


SEVERAL_PER_CUSTOMER: Mapping[str, Callable[[Entries, CustomerId], Any]] = {
    "latest_orders": _latest,
    "favorites": _favorite_list,
    "personal_offers": _offer_list,
}


@dataclass(frozen=True, slots=True)
class Reading:
    """A read whose reply is compiled. `decode` takes the root and raises errors of `bff.errors`."""

    name: str
    decode: Callable[[Node], Any]


def compile_reading(name: str, mapping: MappingFile, dialect: Dialect, *, is_write: bool = False) -> Reading:
    """
    Compile `[reads.<name>.reply]`, or that of `[writes.<name>]`.

    Raises `SettingsFault` with every fault found in it.
    """
    kind, shapes = ("write", WRITE_SHAPES) if is_write else ("read", SHAPES)
    if name not in shapes:
        raise SettingsFault([f"{kind}s.{name}: there is no such {kind}; there are {', '.join(sorted(shapes))}"])
    reply = mapping.writes[name].reply if is_write else mapping.reads[name].reply
    where = f"{kind}s.{name}.reply"
    tables: FieldTables
    if isinstance(reply.fields, str):
        if reply.fields not in mapping.shapes:
            raise SettingsFault([f"{where}.fields: there is no [shapes.{reply.fields}]"])
        tables = dict(mapping.shapes[reply.fields])
    else:
        tables = dict(reply.fields)
    compiler = Compiler(name, dialect, mapping.wording, mapping.currency)
    decode = _reply_decoder(compiler, reply, tables, where)
    if compiler.faults:
        raise SettingsFault(compiler.faults)
    return Reading(name, decode)


def _reply_decoder(compiler: Compiler, reply: ReplyTable, tables: FieldTables, where: str) -> Callable[[Node], Any]:
    name = compiler.read
    unwrap = _unwrapper(compiler, reply, where)
    check_status = _status_check(compiler, reply.status, where)
    owner = _owner(compiler, reply, tables, where)
    if reply.entries is not None and (owner is None or name in ONE_PER_CUSTOMER | ONE_PER_CONTACT):
        compiler.faults.append(f"{where}.entries: stands only where a customer may have several of a thing")

    shape = SHAPES.get(name) or WRITE_SHAPES[name]
    defaults: dict[str, FieldTable | str | ListTable] = {}
    if "status_label" in shape.fields and "status" in tables:
        defaults["status_label"] = tables["status"]
    if name == "personal_offers":
        defaults["kind"] = FieldTable(value=OfferKind.PERSONAL.value)
    by_customer = owner is not None and name not in ONE_PER_CONTACT
    known = frozenset({"customer"}) if by_customer else frozenset[str]()
    decode_entry = compiler.shape(shape, {**defaults, **tables}, f"{where}.fields", known=known)

    items = compiler.several(reply.items, f"{where}.items")
    entries = (
        compiler.several(reply.entries, f"{where}.entries", optional=reply.entries_optional)
        if reply.entries is not None
        else None
    )
    key = _key(compiler, tables, where)

    def decode(root: Node) -> Any:
        root = unwrap(root)
        check_status(root)
        try:
            records = items(root)
        except Absent as absent:
            raise BadReply(f"{name}: the container {absent.args[0]!r} is missing") from None
        except Misfit as misfit:
            raise BadReply(f"{name}: {misfit}") from None
        if name in ONE_PER_ID:
            return _one_per_id(name, records, decode_entry, key)
        if owner is None:
            return _offer_list([_attempt(decode_entry, record, {}) for record in records])
        by_owner = _by_owner(name, records, owner, entries, decode_entry)
        if name in ONE_PER_CUSTOMER | ONE_PER_CONTACT:
            return {customer: _same(name, found) for customer, found in by_owner.items()}
        fold = SEVERAL_PER_CUSTOMER[name]
        return {customer: _folded(fold, found, customer) for customer, found in by_owner.items()}

    return decode


def _unwrapper(compiler: Compiler, reply: ReplyTable, where: str) -> Callable[[Node], Node]:
    """Step into the JSON text that stands at `json_at`, where it is given; paths after it are JSON's."""
    if reply.json_at is None:
        return lambda root: root
    find = compiler.scalar(reply.json_at, f"{where}.json_at")
    compiler.dialect = Dialect.JSON
    name = compiler.read

    def unwrap(root: Node) -> Node:
        try:
            found = find(root)
        except Misfit as misfit:
            raise BadReply(f"{name}: json_at: {misfit}") from None
        if not isinstance(found, str):
            raise BadReply(f"{name}: json_at: a JSON text was expected")
        return parse_json(found)

    return unwrap


def _status_check(compiler: Compiler, table: StatusTable | None, where: str) -> Callable[[Node], None]:
    if table is None:
        return lambda _: None
    find = compiler.scalar(table.path, f"{where}.status.path")
    name = compiler.read
    ok, refusals = frozenset(table.ok), dict(table.refusals)

    def check(root: Node) -> None:
        try:
            word = text(find(root))
        except Misfit as misfit:
            raise BadReply(f"{name}: status: {misfit}") from None
        if word is None:
            raise BadReply(f"{name}: status: is missing")
        if word in ok:
            return
        if word in refusals:
            raise Refused(f"{name}: refused by its status field", refusal=refusals[word])
        raise Upstream(f"{name}: its status field says that it failed")

    return check


def _owner(compiler: Compiler, reply: ReplyTable, tables: FieldTables, where: str) -> Scalar | None:
    """Where a record names its customer; None for reads that are nobody's, or are found by id."""
    if compiler.read in ONE_PER_ID or compiler.read == "promotions":
        if reply.owner is not None:
            compiler.faults.append(f"{where}.owner: this read is not asked by customer; leave it out")
        return None
    if compiler.read in ONE_PER_CONTACT:
        if reply.owner is not None:
            compiler.faults.append(f"{where}.owner: the field contact says whose a record is; leave it out")
        contact = _path(tables.get("contact"))
        if contact is None:
            compiler.faults.append(f"{where}.fields.contact: is needed with a path: every record names its contact")
        return compiler.scalar(contact or ".", f"{where}.fields.contact")
    if reply.owner is not None:
        return compiler.scalar(reply.owner, f"{where}.owner")
    customer = _path(tables.get("customer"))
    if customer is not None and reply.entries is None:
        return compiler.scalar(customer, f"{where}.fields.customer")
    compiler.faults.append(f"{where}.owner: is required: every record names its customer")
    return Path(None, lambda _: None)


def _path(table: str | FieldTable | ListTable | None) -> str | None:
    if isinstance(table, FieldTable):
        return table.path
    return table if isinstance(table, str) else None


def _key(compiler: Compiler, tables: FieldTables, where: str) -> Scalar:
    path = _path(tables.get("id"))
    if compiler.read in ONE_PER_ID and path is not None:
        return compiler.scalar(path, f"{where}.fields.id")
    return Path(None, lambda _: None)


def _attempt(decode: Decode, node: Node, known: Mapping[str, Any]) -> Any:
    try:
        return decode(node, known)
    except BackOfficeError as error:
        return error


def _one_per_id(name: str, records: list[Node], decode: Decode, key: Scalar) -> dict[Any, Any]:
    found: dict[Any, list[Any]] = {}
    for record in records:
        value = _attempt(decode, record, {})
        if isinstance(value, BackOfficeError):
            try:
                record_id = text(key(record))
            except Misfit:
                continue  # whose error this is cannot be said: its key is missing from the answer
        else:
            record_id = value.id
        if record_id is not None:
            found.setdefault(record_id, []).append(value)
    return {record_id: _same(name, values) for record_id, values in found.items()}


def _by_owner(
    name: str, records: list[Node], owner: Scalar, entries: Several | None, decode: Decode
) -> dict[CustomerId, Entries]:
    by_owner: dict[CustomerId, Entries] = {}
    for record in records:
        try:
            customer = text(owner(record))
        except Misfit as misfit:
            raise BadReply(f"{name}: owner: {misfit}") from None
        if customer is None:
            raise BadReply(f"{name}: owner: a record names no customer")
        found = by_owner.setdefault(CustomerId(customer), [])
        known = {"customer": customer}
        try:
            nodes = [record] if entries is None else entries(record)
        except Absent as absent:
            found.append(BadReply(f"{name}: the container {absent.args[0]!r} is missing"))
            continue
        except Misfit as misfit:
            found.append(BadReply(f"{name}: {misfit}"))
            continue
        for node in nodes:
            value = _attempt(decode, node, known)
            if getattr(value, "customer", customer) != customer:
                raise IntegrityViolation(f"{name}: an entry names another customer than its record")
            found.append(value)
    return by_owner


def _same(name: str, values: list[Any]) -> Any:
    """One object a key: the same one twice is one, two that differ are an error."""
    first = values[0]
    if len(values) == 1 or all(value == first for value in values[1:]):
        return first
    return BadReply(f"{name}: sent twice, and the two differ")


def _folded(fold: Callable[[Entries, CustomerId], Any], entries: Entries, customer: CustomerId) -> Any:
    try:
        return fold(entries, customer)
    except BackOfficeError as error:
        return error
