"""
The rows of the resiliency matrix: the fault, the code, what `design/data-path.md` says of each section, what holds
today, and why where the two differ.

Letters are the document's: S, B the last good value, marked stale, as long as it may be shown, then null and the code;
E null and the code; F fresh; D fresh after removing duplicates or sorting; P the good items, and one error for the
bad. Four more are needed for today:

    -  the fault cannot be made there
    O  an old item stands in for the bad one, without a word; P when the old one has gone
    L  less is shown, and nobody can know: no error
    N  null without an error
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from bff.demo.faults import Failure
from tests.resilience.cabinets import Place
from tests.resilience.faults import BlackHole, Drip, Fault, ForeignCertificate, Hang, PlainBytes, Refuse
from tests.resilience.hostilities import Hostility

COLUMNS = ("profile", "lastOrder", "bonuses", "favorites", "personal", "promotions")
"""The last two are the document's one of offers."""

OFFICE_OF: Mapping[str, str] = dict(zip(COLUMNS, ("erp", "erp", "loyalty", "cms", "loyalty", "cms"), strict=True))
"""Where a column comes from. Products, of favorites and of the order's lines, are the CMS's."""


@dataclass(frozen=True, slots=True)
class Row:
    """A row. `put` makes the fault; it is called again before each question."""

    name: str
    code: str
    spec: str
    """A letter a section, as the document has them."""
    put: Callable[[Place], None]
    today: str = ""
    """A letter a column; left out where they are the document's."""
    why: Mapping[str, str] = field(default_factory=dict)
    """By column, why today's letter is another."""
    codes: Mapping[str, str] = field(default_factory=dict)
    """By column, a code that is not the row's."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    address: str = ""
    """An address at which the fault is; then `put` does nothing."""
    tls: bool = False
    """The back office is spoken to by TLS."""
    shows_canary: bool = False
    """What is hostile in it is a text that may be shown: a record's other name."""

    @property
    def specified(self) -> str:
        """The document's letters, a column each."""
        return self.spec + self.spec[-1]

    def cell(self, column: str) -> str:
        """Today's letter."""
        return (self.today or self.specified)[COLUMNS.index(column)]

    def code_of(self, column: str) -> str:
        """The code of what is missing."""
        return self.codes.get(column, self.code)

    def columns(self, office: str) -> list[str]:
        """Columns of a back office in which the fault can be."""
        return [column for column in COLUMNS if OFFICE_OF[column] == office and self.cell(column) != "-"]


def _nothing(_: Place) -> None:
    pass


def _network(fault: Fault) -> Callable[[Place], None]:
    return lambda place: place.proxy.set(fault)


def _black_hole(place: Place) -> None:
    # Who has a connection cannot know that it leads nowhere (that is the row "hangs"): those are cut first.
    place.proxy.set(Refuse())
    place.proxy.set(BlackHole())


def _office(*, fail: Failure | None = None, latency_ms: float = 0) -> Callable[[Place], None]:
    return lambda place: place.office.faults(fail=fail, latency_ms=latency_ms)


def _hostile(hostility: Hostility, *operations: str, times: int | None = None) -> Callable[[Place], None]:
    def put(place: Place) -> None:
        for operation in operations or (None,):
            place.hostile.set(hostility, operation=operation, times=times)

    return put


XML_ONLY = dict.fromkeys(("bonuses", "favorites", "personal", "promotions"), "they are JSON")
ONEC_ONLY = dict.fromkeys(XML_ONLY, "1C alone has sessions")
NOBODYS = "promotions are nobody's: there is no owner to be checked"
OLD_STANDS_IN = (
    "what a back office sends as one bad value is refused alone, and the last good value of the same thing stands in"
)
NOT_JSON = "NaN is no JSON: the whole answer is malformed, and says nothing of any value in it"

ROWS = (
    # ---- The network
    Row("black hole", "UNAVAILABLE", "SSBSS", _black_hole),
    Row("refused", "UNAVAILABLE", "SSBSS", _network(Refuse())),
    Row("hangs", "TIMEOUT", "SSBSS", _network(Hang())),
    Row("ten times slower", "TIMEOUT", "SSBSS", _office(latency_ms=2_000)),
    Row("drip", "TIMEOUT", "SSBSS", _network(Drip(5))),
    Row("TLS: certificate of nobody", "UNAVAILABLE", "SSBSS", _network(ForeignCertificate()), tls=True),
    Row("TLS: plain bytes", "UNAVAILABLE", "SSBSS", _network(PlainBytes()), tls=True),
    Row("DNS failure", "UNAVAILABLE", "SSBSS", _nothing, address="https://back-office.invalid"),
    # ---- Statuses
    Row("500", "UPSTREAM", "SSBSS", _office(fail="500")),
    Row("503 with Retry-After", "BUSY", "SSBSS", _hostile(Hostility.BUSY_503)),
    Row("credentials refused", "UPSTREAM_AUTH", "SSBSS", _hostile(Hostility.REFUSED_401)),
    Row(
        "session ended: 400",
        "UPSTREAM",
        "FFFFF",
        _hostile(Hostility.SESSION_400, times=1),
        today="FF----",
        why=ONEC_ONLY,
    ),
    Row(
        "session ended: 406",
        "BUSY",
        "FFFFF",
        _hostile(Hostility.SESSION_406, times=1),
        today="FF----",
        why=ONEC_ONLY,
    ),
    Row("redirect", "BAD_REPLY", "SSBSS", _hostile(Hostility.REDIRECT)),
    # ---- Documents
    Row("malformed: a page", "BAD_REPLY", "SSBSS", _hostile(Hostility.HTML_200)),
    Row("malformed: another document", "BAD_REPLY", "SSBSS", _hostile(Hostility.OTHER_DOCUMENT)),
    Row("malformed: half a document", "BAD_REPLY", "SSBSS", _hostile(Hostility.CUT_RIGHT_LENGTH)),
    Row("wrong types", "BAD_REPLY", "SSEPP", _hostile(Hostility.TEXT_FOR_NUMBER)),
    Row("NaN", "BAD_REPLY", "SSEPP", _hostile(Hostility.NAN)),
    Row("cut short", "BAD_REPLY", "SSBSS", _hostile(Hostility.CUT_WRONG_LENGTH)),
    Row("1 GB", "TOO_LARGE", "SSBSS", _hostile(Hostility.GIGABYTE)),
    Row("gzip bomb", "TOO_LARGE", "SSBSS", _hostile(Hostility.GZIP_10_MB)),
    Row("DTD", "BAD_REPLY", "SSBSS", _hostile(Hostility.DTD), today="SS----", why=XML_ONLY),
    Row("entities", "BAD_REPLY", "SSBSS", _hostile(Hostility.BILLION_LAUGHS), today="SS----", why=XML_ONLY),
    Row("XXE: a file", "BAD_REPLY", "SSBSS", _hostile(Hostility.ENTITY_FILE), today="SS----", why=XML_ONLY),
    Row("XXE: an address", "BAD_REPLY", "SSBSS", _hostile(Hostility.ENTITY_HTTP), today="SS----", why=XML_ONLY),
    Row("depth", "BAD_REPLY", "SSBSS", _hostile(Hostility.DEEP)),
    Row("technical fault, 200", "UPSTREAM", "SSBSS", _hostile(Hostility.TECHNICAL_FAULT_200)),
    Row("technical fault, 500", "UPSTREAM", "SSBSS", _hostile(Hostility.TECHNICAL_FAULT_500)),
    Row(
        "business fault",
        "NOT_FOUND",
        "EEEEE",
        _hostile(Hostility.BUSINESS_FAULT),
        today="EE----",
        why=dict.fromkeys(XML_ONLY, "neither RetailCRM nor the demo's CMS says no in this way"),
    ),
    # ---- Whose data it is, and which
    Row("another customer's data", "INTEGRITY", "EEEEE", _hostile(Hostility.WRONG_OWNER)),
    Row("another customer's order inside", "INTEGRITY", "EEEEE", _hostile(Hostility.WRONG_INNER_OWNER)),
    Row("a stranger beside", "INTEGRITY", "EEEEE", _hostile(Hostility.STRANGER_BESIDE)),
    Row("duplicates", "", "DDDDD", _hostile(Hostility.DUPLICATE)),
    Row("duplicates that differ", "BAD_REPLY", "DDEDD", _hostile(Hostility.DUPLICATE_DIFFERENT), shows_canary=True),
    Row("keys missing", "NOT_FOUND", "EEEPP", _hostile(Hostility.MISSING_KEY)),
    Row("keys missing: a product", "NOT_FOUND", "---P-", _hostile(Hostility.MISSING_KEY, "products"), today="---P--"),
    Row("another order", "", "DDDDD", _hostile(Hostility.REVERSED)),
)
