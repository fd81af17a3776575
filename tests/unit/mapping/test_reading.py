"""A read's reply, from the document to what the port returns."""

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from bff.domain import (
    BonusAccount,
    BonusLot,
    CurrencyCode,
    FavoriteList,
    Money,
    OfferKind,
    OfferList,
    Order,
    OrderStatus,
    Product,
    Profile,
    Tier,
)
from bff.errors import BackOfficeError, BadReply, Code, IntegrityViolation, Refused, Upstream
from bff.mapping import Dialect, compile_reading, parse_xml
from tests.unit.mapping.mappings import mapping

ORDERS = """
[order_statuses]
"В пути" = "SHIPPED"

[shapes.order]
id = "ид"
number = "номер"
placed_at = "дата"
status = "статус"
total = "сумма"
customer = "клиент"
lines = { items = "товары", fields = { name = "имя", quantity = "число", price = "цена", total = "сумма" } }
stages = { items = "этапы", optional = true, fields = { name = "имя", reached_at = "дата" } }

[reads.latest_orders.reply]
items = "клиенты"
owner = "ид"
entries = "заказы"
fields = "order"

[reads.orders.reply]
items = "заказы"
fields = "order"
"""
FAVORITES = '[reads.favorites.reply]\nitems = "items"\nowner = "who"\nentries = "products"\nfields = { product = "id" }'
PROFILES = '[reads.profiles.reply]\nitems = "items"\nfields = { customer = "id", first_name = "name", email = "email" }'
PRODUCTS = '[reads.products.reply]\nitems = "items"\nfields = { id = "id", name = "name", price = "price" }'
OFFERS = 'items = "items"\nfields = { id = "id", title = "title", kind = "kind", ends_on = "ends" }'
BONUSES = """
[reads.bonus_accounts.reply]
items = "items"
[reads.bonus_accounts.reply.fields]
customer = "who"
balance = "balance"
pending = "pending"
tier = "tier"
tier_remaining = "remaining"
currency = "currency"
lots = { items = "lots", fields = { amount = "amount", expires_on = "day" } }
"""


def decode(text: str, read: str, root: Any, dialect: Dialect = Dialect.JSON) -> Any:
    return compile_reading(read, mapping(text), dialect).decode(root)


def order(number: str = "1", customer: str = "c-1", **more: Any) -> dict[str, Any]:
    line = {"имя": "Лопата", "число": "2", "цена": "10.50", "сумма": "21.00"}
    known = {"ид": f"o-{number}", "номер": number, "дата": f"2026-11-0{number}T10:00:00", "статус": "В пути"}
    return {**known, "сумма": 21, "клиент": customer, "товары": [line], **more}


def bonus(customer: str = "c-1", **more: Any) -> dict[str, Any]:
    return {"who": customer, "balance": 10, "pending": 0, "lots": [], **more}


def test_a_whole_order() -> None:
    found = decode(ORDERS, "orders", {"заказы": [order(этапы=[{"имя": "Принят", "дата": "01.11.2026 9:00"}])]})
    assert list(found) == ["o-1"]
    whole = found["o-1"]
    assert isinstance(whole, Order)
    assert (whole.customer, whole.number, whole.status, whole.status_label) == (
        "c-1",
        "1",
        OrderStatus.SHIPPED,
        "В пути",
    )
    assert whole.total == Money(Decimal(21), CurrencyCode("RUB"))
    assert whole.lines[0].price == Money(Decimal("10.50"), CurrencyCode("RUB"))
    assert whole.stages[0].name == "Принят"
    assert str(whole.placed_at) == "2026-11-01 10:00:00+03:00"


def test_the_latest_order_is_the_one_placed_last() -> None:
    root = {
        "клиенты": [
            {"ид": "c-1", "заказы": [order("2"), order("5"), order("3")]},
            {"ид": "c-2", "заказы": []},
            {"ид": "c-3", "заказы": None},
            {"ид": "c-4"},
            {"ид": "c-5", "заказы": [order("1", "c-5"), order("2", "c-5", сумма="NaN")]},
        ]
    }
    found = decode(ORDERS, "latest_orders", root)
    assert found["c-1"].number == "5"
    assert found["c-2"] is None
    assert found["c-3"] is None
    assert isinstance(found["c-4"], BadReply)
    assert "'заказы' is missing" in str(found["c-4"])
    assert isinstance(found["c-5"], BadReply), "which one is the last cannot be said"


def test_records_of_one_customer_are_put_together() -> None:
    root = {"клиенты": [{"ид": "c-1", "заказы": [order("2")]}, {"ид": "c-1", "заказы": [order("4")]}]}
    assert decode(ORDERS, "latest_orders", root)["c-1"].number == "4"


def test_an_entry_of_another_customer_is_an_integrity_error() -> None:
    root = {"клиенты": [{"ид": "c-1", "заказы": [order("2"), order("3", "c-2")]}]}
    with pytest.raises(IntegrityViolation):
        decode(ORDERS, "latest_orders", root)
    profiles = '[reads.profiles.reply]\nitems = "items"\nowner = "id"\nfields = { customer = "who" }'
    with pytest.raises(IntegrityViolation):
        decode(profiles, "profiles", {"items": [{"id": "c-1", "who": "c-2"}]})


def test_an_order_takes_its_owner_from_the_record() -> None:
    root = {"клиенты": [{"ид": "c-7", "заказы": [order(клиент=None)]}]}
    assert decode(ORDERS, "latest_orders", root)["c-7"].customer == "c-7"


def test_an_order_by_id_must_name_its_owner() -> None:
    found = decode(ORDERS, "orders", {"заказы": [order(клиент=None), order("2")]})
    assert isinstance(found["o-1"], BadReply)
    assert isinstance(found["o-2"], Order)


@pytest.mark.parametrize("root", [{}, {"клиенты": "c-1"}, {"клиенты": [{"заказы": []}]}, [], "x", 5])
def test_a_reply_without_records_or_owners_is_refused(root: Any) -> None:
    with pytest.raises(BadReply):
        decode(ORDERS, "latest_orders", root)


@pytest.mark.parametrize("owner", [None, "", "  ", True, ["c-1"], "c\0", "\ud800", {"id": "c-1"}])
def test_an_owner_that_is_no_id_refuses_the_reply(owner: Any) -> None:
    with pytest.raises(BadReply) as caught:
        decode(FAVORITES, "favorites", {"items": [{"who": "c-2", "products": []}, {"who": owner, "products": []}]})
    assert "c-1" not in str(caught.value)


def test_favorites_count_what_could_not_be_read() -> None:
    products = [{"id": "p-1"}, {"id": None}, {"id": 2}, {"id": "p-1"}, {"id": ["p"]}]
    found = decode(FAVORITES, "favorites", {"items": [{"who": "c-1", "products": products}]})
    assert found == {"c-1": FavoriteList(customer="c-1", products=("p-1", "2"), rejected=2)}  # type: ignore[arg-type]


def test_favorites_that_are_all_bad_are_an_error() -> None:
    root = {"items": [{"who": "c-1", "products": [{"id": None}]}, {"who": "c-2", "products": []}]}
    found = decode(FAVORITES, "favorites", root)
    assert isinstance(found["c-1"], BadReply)
    assert found["c-2"].products == ()


def test_entries_may_be_optional() -> None:
    text = FAVORITES + "\nentries_optional = true"
    assert decode(text, "favorites", {"items": [{"who": "c-1"}]})["c-1"].products == ()


def test_profiles_and_what_they_are_shown_as() -> None:
    found = decode(PROFILES, "profiles", {"items": [{"id": "c-1", "name": "Анна"}, {"id": 2, "email": "a@b.example"}]})
    assert found["c-1"] == Profile(customer=found["c-1"].customer, display_name="Анна", first_name="Анна")
    assert found["2"].display_name == "a@b.example"


def test_duplicates_are_one_where_they_agree() -> None:
    one, other = {"id": "c-1", "name": "Анна"}, {"id": "c-1", "name": "Ольга"}
    assert isinstance(decode(PROFILES, "profiles", {"items": [one, one]})["c-1"], Profile)
    assert isinstance(decode(PROFILES, "profiles", {"items": [one, other]})["c-1"], BadReply)
    good, bad = {"id": "p-1", "name": "A"}, {"id": "p-1"}
    assert isinstance(decode(PRODUCTS, "products", {"items": [good, good]})["p-1"], Product)
    assert isinstance(decode(PRODUCTS, "products", {"items": [good, bad]})["p-1"], BadReply)


@pytest.mark.parametrize(
    ("text", "read", "root", "key"),
    [
        (PRODUCTS.replace('id = "id"', 'id = { path = "id" }'), "products", {"items": [{"id": "p-1"}]}, "p-1"),
        (PROFILES.replace('customer = "id"', 'customer = { path = "id" }'), "profiles", {"items": [{"id": 1}]}, "1"),
    ],
)
def test_a_key_may_be_written_as_a_table(text: str, read: str, root: Any, key: str) -> None:
    assert list(decode(text, read, root)) == [key]


def test_a_product_that_does_not_say_which_it_is_is_missing() -> None:
    root = {"items": [{"name": "A"}, {"id": ["p"], "name": "B"}, {"id": "p-1", "name": "C", "price": "1e400"}]}
    found = decode(PRODUCTS, "products", root)
    assert list(found) == ["p-1"]
    assert isinstance(found["p-1"], BadReply)
    assert "price" in str(found["p-1"])


def test_offers_keep_their_order_and_come_once() -> None:
    items = [
        {"id": 1, "title": "A"},
        {"id": 2, "title": "B", "ends": "никогда"},
        {"id": 3, "title": "C", "kind": "coupon", "ends": "31.12.2026"},
        {"id": 1, "title": "A again"},
    ]
    found = decode(f"[reads.promotions.reply]\n{OFFERS}", "promotions", {"items": items})
    assert isinstance(found, OfferList)
    assert [(offer.id, offer.title) for offer in found.offers] == [("1", "A"), ("3", "C")]
    assert (found.customer, found.rejected) == (None, 1)
    assert found.offers[1].kind is OfferKind.COUPON
    assert found.offers[1].ends_on == date(2026, 12, 31)
    with pytest.raises(BadReply):
        decode(f"[reads.promotions.reply]\n{OFFERS}", "promotions", {"items": items[1:2]})


def test_personal_offers_are_personal_unless_they_say_otherwise() -> None:
    text = '[reads.personal_offers.reply]\nowner = "who"\nitems = "items"\nfields = { id = "id", title = "title" }'
    root = {"items": [{"who": "c-1", "id": 1, "title": "A"}, {"who": "c-1", "id": 2, "title": "B"}]}
    found = decode(text, "personal_offers", root)
    assert [offer.kind for offer in found["c-1"].offers] == [OfferKind.PERSONAL] * 2
    assert found["c-1"].customer == "c-1"


def test_bonuses_with_lots_soonest_first() -> None:
    lots = [{"amount": 2, "day": "01.02.2027"}, {"amount": 1, "day": "2026-12-01"}]
    root: Any = {"items": [bonus(tier="Золотой", remaining="5.50", currency="KZT", lots=lots)]}
    account = decode(BONUSES, "bonus_accounts", root)["c-1"]
    assert account == BonusAccount(
        customer=account.customer,
        id="c-1",
        balance=Decimal(10),
        pending=Decimal(0),
        tier=Tier(name="Золотой", remaining_to_next=Money(Decimal("5.50"), CurrencyCode("KZT"))),
        lots=(
            BonusLot(amount=Decimal(1), expires_on=date(2026, 12, 1)),
            BonusLot(amount=Decimal(2), expires_on=date(2027, 2, 1)),
        ),
    )


@pytest.mark.parametrize(
    "more",
    [
        {"balance": None},
        {"balance": "NaN"},
        {"pending": "10,5"},
        {"currency": "A1B"},
        {"lots": "none"},
        {"lots": [{"amount": 1}]},
        {"lots": [{"amount": 1, "day": "0001-01-01T00:00:00"}]},
    ],
)
def test_a_bad_account_costs_only_its_customer(more: dict[str, Any]) -> None:
    found = decode(BONUSES, "bonus_accounts", {"items": [bonus(**more), bonus("c-2")]})
    assert isinstance(found["c-1"], BadReply)
    assert isinstance(found["c-2"], BonusAccount)


def test_lots_that_are_not_mapped_are_unknown_and_not_none() -> None:
    unmapped = "\n".join(line for line in BONUSES.splitlines() if not line.startswith("lots"))
    assert decode(unmapped, "bonus_accounts", {"items": [bonus()]})["c-1"].lots is None
    assert decode(BONUSES, "bonus_accounts", {"items": [bonus()]})["c-1"].lots == ()


def test_a_list_that_is_missing_is_not_empty() -> None:
    without = bonus()
    del without["lots"]
    error = decode(BONUSES, "bonus_accounts", {"items": [without]})["c-1"]
    assert isinstance(error, BadReply)
    assert "the container 'lots' is missing" in str(error)


STATUS = PROFILES + '\nstatus = { path = "status", ok = ["0", "ok"], refusals = { "7" = "FORBIDDEN" } }'


def test_a_status_field_decides_first() -> None:
    assert decode(STATUS, "profiles", {"status": 0, "items": []}) == {}
    with pytest.raises(Refused) as caught:
        decode(STATUS, "profiles", {"status": "7"})
    assert caught.value.public_code is Code.FORBIDDEN
    with pytest.raises(Upstream):
        decode(STATUS, "profiles", {"status": "13"})
    bad: list[dict[str, Any]] = [{"items": []}, {"status": ["0"], "items": []}, {"status": True, "items": []}]
    for root in bad:
        with pytest.raises(BadReply):
            decode(STATUS, "profiles", root)


JSON_AT = FAVORITES + '\njson_at = "return"'


def test_json_inside_xml() -> None:
    root = parse_xml(b'<a><return>{"items": [{"who": "c-1", "products": [{"id": "&lt;p&gt;"}]}]}</return></a>')
    assert decode(JSON_AT, "favorites", root, Dialect.XML)["c-1"].products == ("<p>",)
    for body in ("<a/>", "<a><return/></a>", "<a><return>{</return></a>", "<a><return><b/></return></a>"):
        with pytest.raises(BadReply):
            decode(JSON_AT, "favorites", parse_xml(body.encode()), Dialect.XML)


def test_xml_with_attributes_namespaces_and_nil() -> None:
    root = parse_xml(
        """
        <m:R xmlns:m="urn:a" xmlns="urn:b" xmlns:i="http://www.w3.org/2001/XMLSchema-instance"><return>
          <К ид="c-1"><Избранное><Т>p-1</Т><Т i:nil="true"/><Т> p-2 </Т></Избранное></К>
          <К ид="c-2"><Избранное/></К>
          <К ид="c-3"><Избранное i:nil="true"/></К>
          <К ид="c-4"/>
        </return></m:R>
        """.encode()
    )
    text = """
        [reads.favorites.reply]
        items = "return/К"
        owner = "@ид"
        entries = "Избранное/Т"
        fields = { product = "." }
        """
    found = decode(text, "favorites", root, Dialect.XML)
    assert [found[name].products for name in ("c-1", "c-2", "c-3")] == [("p-1", "p-2"), (), ()]
    assert isinstance(found["c-4"], BackOfficeError)


def test_a_second_value_in_xml_is_an_error_and_not_the_first() -> None:
    root = parse_xml(b"<a><items><id>c-1</id><name>A</name><name>B</name></items><items><id>c-2</id></items></a>")
    found = decode(PROFILES, "profiles", root, Dialect.XML)
    assert isinstance(found["c-1"], BadReply)
    assert isinstance(found["c-2"], Profile)
