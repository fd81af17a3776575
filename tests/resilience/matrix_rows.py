"""
The rows of the resiliency matrix: the fault, the code, what `design/data-path.md` says of each section, what holds
today, and why where the two differ.

Letters are the document's: S, B the last good value, marked stale, as long as it may be shown, then null and the code;
E null and the code; F fresh; D fresh after removing duplicates or sorting; P the good items, and one error for the
bad. Some more are needed for today:

    -  the fault cannot be made there
    O  an old item stands in for the bad one, marked stale; P when that has gone
    L  less is shown, and nobody can know: no error
    N  null without an error
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from bff.demo.faults import Failure
from tests.resilience.cabinets import Place
from tests.resilience.faults import BlackHole, Drip, Fault, ForeignCertificate, Hang, Latency, PlainBytes, Refuse
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


def _office(fail: Failure) -> Callable[[Place], None]:
    return lambda place: place.office.faults(fail=fail)


def _hostile(
    hostility: Hostility, operation: str | None = None, *, but: str | None = None, times: int | None = None
) -> Callable[[Place], None]:
    def put(place: Place) -> None:
        place.hostile.set(hostility, operation=operation, times=times)
        if but:
            place.hostile.heal(but)

    return put


XML_ONLY = dict.fromkeys(("bonuses", "favorites", "personal", "promotions"), "they are JSON")
ONEC_ONLY = dict.fromkeys(XML_ONLY, "1C alone has sessions")
UNHIT = "nothing in its answer can be spoilt in this way"
NOBODYS = "promotions are nobody's: there is no owner to be checked"
OLD_PRODUCTS = "a product that cannot be had is shown as it was last, and the section is marked stale"
ONE_ACCOUNT = (
    "RetailCRM's details are a call an account: its adapter raises what is wrong in one as the call's own error, which "
    "looks like a malformed answer; the last good ones are shown, marked stale, and never 0"
)
ONE_LIST = "a customer's personal offers are one value, refused or taken as a whole: the last good one stands in"
NOT_JSON = "NaN is no JSON: the whole answer is malformed, and nothing is known of any value in it"
NOT_IN_THE_PROGRAMME = "RetailCRM has searched by the shop's own id and found no account: that is an answer"
HOW_MANY = "nobody knows how many promotions there should be, or in which order"

ROWS = (
    # ---- The network
    Row("black hole", "UNAVAILABLE", "SSBSS", _black_hole),
    Row("refused", "UNAVAILABLE", "SSBSS", _network(Refuse())),
    Row("hangs", "TIMEOUT", "SSBSS", _network(Hang())),
    Row("ten times slower", "TIMEOUT", "SSBSS", _network(Latency(2_000))),
    Row("drip", "TIMEOUT", "SSBSS", _network(Drip(5))),
    Row("TLS: certificate of nobody", "UNAVAILABLE", "SSBSS", _network(ForeignCertificate()), tls=True),
    Row("TLS: plain bytes", "UNAVAILABLE", "SSBSS", _network(PlainBytes()), tls=True),
    Row("DNS failure", "UNAVAILABLE", "SSBSS", _nothing, address="https://back-office.invalid"),
    # ---- Statuses
    Row("500", "UPSTREAM", "SSBSS", _office("500")),
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
    Row(
        "wrong types",
        "BAD_REPLY",
        "SSEPP",
        _hostile(Hostility.TEXT_FOR_NUMBER),
        today="SSEOSP",
        why={"favorites": OLD_PRODUCTS, "personal": ONE_LIST},
    ),
    Row(
        "wrong types: pending points",
        "BAD_REPLY",
        "--E--",
        _hostile(Hostility.TEXT_FOR_NUMBER, "bonus_waiting_activation"),
        today="--B---",
        why={"bonuses": ONE_ACCOUNT},
    ),
    Row(
        "wrong types: lots",
        "BAD_REPLY",
        "--E--",
        _hostile(Hostility.TEXT_FOR_NUMBER, "bonus_burn_soon"),
        today="--B---",
        why={"bonuses": ONE_ACCOUNT},
    ),
    Row(
        "NaN",
        "BAD_REPLY",
        "SSEPP",
        _hostile(Hostility.NAN),
        today="SSBSSS",
        why=dict.fromkeys(("bonuses", "favorites", "personal", "promotions"), NOT_JSON),
    ),
    Row("cut short", "BAD_REPLY", "SSBSS", _hostile(Hostility.CUT_WRONG_LENGTH)),
    Row("1 GB", "TOO_LARGE", "SSBSS", _hostile(Hostility.GIGABYTE)),
    Row("gzip bomb", "TOO_LARGE", "SSBSS", _hostile(Hostility.GZIP_10_MB)),
    Row("DTD", "BAD_REPLY", "SSBSS", _hostile(Hostility.DTD), today="SS----", why=XML_ONLY),
    Row("entities", "BAD_REPLY", "SSBSS", _hostile(Hostility.BILLION_LAUGHS), today="SS----", why=XML_ONLY),
    Row("XXE: a file", "BAD_REPLY", "SSBSS", _hostile(Hostility.ENTITY_FILE), today="SS----", why=XML_ONLY),
    Row("XXE: an address", "BAD_REPLY", "SSBSS", _hostile(Hostility.ENTITY_HTTP), today="SS----", why=XML_ONLY),
    Row("depth", "BAD_REPLY", "SSBSS", _hostile(Hostility.DEEP)),
    Row(
        "technical fault, 200",
        "UPSTREAM",
        "SSBSS",
        _hostile(Hostility.TECHNICAL_FAULT_200),
        # The demo's CMS has no status field: what comes is merely not what was asked for.
        codes={"favorites": "BAD_REPLY", "promotions": "BAD_REPLY"},
    ),
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
    Row(
        "another customer's data",
        "INTEGRITY",
        "EEEEE",
        _hostile(Hostility.WRONG_OWNER),
        today="EEEEEF",
        why={"promotions": NOBODYS},
    ),
    Row(
        "another customer's order inside",
        "INTEGRITY",
        "EEEEE",
        _hostile(Hostility.WRONG_INNER_OWNER),
        today="-E----",
        why=dict.fromkeys(set(COLUMNS) - {"lastOrder"}, UNHIT),
    ),
    Row(
        "a stranger beside",
        "INTEGRITY",
        "EEEEE",
        _hostile(Hostility.STRANGER_BESIDE),
        today="EEFEEF",
        why={
            "bonuses": "asked for by its id, an account that names another customer has changed hands: it is left out",
            "promotions": NOBODYS,
        },
    ),
    Row("duplicates", "", "DDDDD", _hostile(Hostility.DUPLICATE)),
    Row(
        "duplicates that differ",
        "BAD_REPLY",
        "DDEDD",
        _hostile(Hostility.DUPLICATE_DIFFERENT, but="products"),
        today="SDELSD",
        why={
            "profile": "two of a customer, and nobody can tell which is right",
            "favorites": "two lists become one, with everything that stands in either",
            "personal": "two of a customer, and nobody can tell which is right",
        },
        shows_canary=True,
    ),
    Row(
        "duplicates that differ: a product",
        "BAD_REPLY",
        "---D-",
        _hostile(Hostility.DUPLICATE_DIFFERENT, "products"),
        today="---O--",
        why={"favorites": OLD_PRODUCTS},
    ),
    Row(
        "keys missing",
        "NOT_FOUND",
        "EEEPP",
        _hostile(Hostility.MISSING_KEY),
        today="EENEEL",
        why={
            "bonuses": NOT_IN_THE_PROGRAMME,
            "favorites": "the list itself is missing; for its products see below",
            "personal": "all of them stand under one key; the promotions are still there",
            "promotions": HOW_MANY,
        },
    ),
    Row("keys missing: a product", "NOT_FOUND", "---P-", _hostile(Hostility.MISSING_KEY, "products")),
    Row("another order", "", "DDDDD", _hostile(Hostility.REVERSED), today="DDDDDL", why={"promotions": HOW_MANY}),
)
