"""One request, one dashboard, over real sockets."""

import re
from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime
from typing import Any

from bff.demo.data.people import person
from bff.demo.data.world import World
from bff.demo.launch import DemoOffices
from bff.web.graphiql_page import READY_QUERY
from tests.http.front import DASHBOARD, Front, codes

MONEY = re.compile(r"-?\d+(\.\d+)?")


def test_five_sections_of_a_customer_come_whole(front: Front) -> None:
    dashboard = front.data(READY_QUERY)["dashboard"]

    assert dashboard["profile"]["displayName"] == "Анна Соколова"
    order = dashboard["lastOrder"]
    assert order["status"] == "SHIPPED"
    assert order["statusLabel"] == "Передан в доставку"
    assert order["lines"]
    assert all(line["product"]["id"] for line in order["lines"])
    assert datetime.fromisoformat(order["placedAt"]).utcoffset() is not None
    assert dashboard["bonuses"]["tier"]["name"] == "Золотой"
    assert len(dashboard["favorites"]["nodes"]) == 12
    assert dashboard["favorites"]["totalCount"] == 14
    assert {"PERSONAL", "PROMOTION", "COUPON"} == {offer["kind"] for offer in dashboard["offers"]["nodes"]}


def test_money_and_points_are_strings_with_every_digit(front: Front) -> None:
    dashboard = front.data(READY_QUERY)["dashboard"]
    order, bonuses = dashboard["lastOrder"], dashboard["bonuses"]
    amounts = [order["total"], *(line["total"] for line in order["lines"]), bonuses["tier"]["remainingToNext"]]
    assert all(MONEY.fullmatch(money["amount"]) and money["currency"] == "RUB" for money in amounts)
    points = [bonuses["balance"], bonuses["pending"], *(lot["amount"] for lot in bonuses["expirations"])]
    assert all(isinstance(amount, str) and MONEY.fullmatch(amount) for amount in points)


def test_what_burns_soonest_comes_first(front: Front) -> None:
    query = "{ dashboard { bonuses { expirations { expiresOn amount } } } }"
    for customer, least in (("c-1001", 3), ("c-1003", 21)):
        lots = front.data(query, customer)["dashboard"]["bonuses"]["expirations"]
        days = [date.fromisoformat(lot["expiresOn"]) for lot in lots]
        assert len(days) >= least
        assert days == sorted(days)


def test_a_new_customer_has_nothing_and_nothing_is_null_without_need(front: Front) -> None:
    dashboard = front.data(customer="c-1002")["dashboard"]
    assert dashboard["profile"]["displayName"]
    assert dashboard["lastOrder"] is None
    assert dashboard["bonuses"] == {
        "balance": "0",
        "pending": "0",
        "expirations": [],
        "tier": dashboard["bonuses"]["tier"],
    }
    assert dashboard["favorites"] == {"totalCount": 0, "nodes": []}
    assert {offer["kind"] for offer in dashboard["offers"]["nodes"]} == {"PROMOTION", "COUPON"}


ONE_CALL_EACH = {
    "erp": {"ПолучитьКлиентов": 1, "ПолучитьПоследниеЗаказы": 1},
    "loyalty": {"accounts": 1, "bonus_waiting_activation": 1, "bonus_burn_soon": 1, "customers": 1},
    "cms": {"favorites": 1, "products": 1, "promotions": 1},
}


def calls(offices: DemoOffices) -> dict[str, dict[str, int]]:
    return {office.name: dict(office.calls()) for office in offices}


def test_a_cold_dashboard_costs_one_call_a_capability(front: Front, offices: DemoOffices) -> None:
    front.data(READY_QUERY)
    assert calls(offices) == ONE_CALL_EACH


def test_aliases_cost_no_further_call(front: Front, offices: DemoOffices) -> None:
    again = " ".join(
        f"""d{number}: dashboard {{
            profile {{ displayName }}
            a: lastOrder {{ lines {{ product {{ name }} }} }} b: lastOrder {{ number }}
            bonuses {{ balance pending expirations {{ amount }} }}
            f1: favorites(first: {number}) {{ nodes {{ name }} }} f2: favorites(first: 12) {{ nodes {{ name }} }}
            offers(first: {number}) {{ nodes {{ title }} }}
        }}"""
        for number in range(1, 4)
    )
    data = front.data(f"{{ {again} }}")
    assert all(dashboard["f2"]["nodes"] for dashboard in data.values())
    assert calls(offices) == ONE_CALL_EACH


def test_what_is_not_asked_for_costs_no_call(front: Front, offices: DemoOffices) -> None:
    front.data("{ dashboard { bonuses { balance tier { name } } favorites { totalCount } } }")
    assert calls(offices) == {"erp": {}, "loyalty": {"accounts": 1}, "cms": {"favorites": 1}}


def test_parts_asked_for_through_fragments_are_found(front: Front, offices: DemoOffices) -> None:
    query = """
      query ($yes: Boolean = true) { dashboard { bonuses { ...Burning ... on Section { asOf } } } }
      fragment Burning on BonusAccount { ... @include(if: $yes) { expirations { amount } } }
    """
    assert front.data(query)["dashboard"]["bonuses"]["expirations"]
    assert calls(offices)["loyalty"] == {"accounts": 1, "bonus_burn_soon": 1}


def test_favorites_come_in_pages(front: Front, offices: DemoOffices) -> None:
    query = """query ($after: String) { dashboard { favorites(first: 12, after: $after) {
        totalCount nodes { id } edges { cursor node { id } } pageInfo { hasNextPage hasPreviousPage endCursor } } } }"""
    first = front.data(query)["dashboard"]["favorites"]
    assert offices.cms.calls()["products"] == 1
    second = front.data(query, variables={"after": first["pageInfo"]["endCursor"]})["dashboard"]["favorites"]
    assert first["pageInfo"]["hasNextPage"]
    assert not first["pageInfo"]["hasPreviousPage"]
    assert not second["pageInfo"]["hasNextPage"]
    assert second["pageInfo"]["hasPreviousPage"]
    ids = [node["id"] for page in (first, second) for node in page["nodes"]]
    assert len(ids) == len(set(ids)) == first["totalCount"] == 14
    assert [edge["node"]["id"] for edge in first["edges"]] == [node["id"] for node in first["nodes"]]


def test_a_page_size_out_of_range_is_the_front_ends_mistake(front: Front) -> None:
    for first in (-1, 101, 2_147_483_647):
        answer = front.ask(f"{{ dashboard {{ profile {{ phone }} favorites(first: {first}) {{ totalCount }} }} }}")
        assert "data" not in answer
        [error] = answer["errors"]
        assert error["extensions"]["code"] == "BAD_USER_INPUT"
        assert "first" in error["message"]


LAST_ORDER_ID = "{ dashboard { lastOrder { id } } }"
NODE = "query ($id: ID!) { node(id: $id) { id __typename ... on Order { number total { amount } } } }"


def last_order_id(front: Front, customer: str) -> str:
    order_id: str = front.data(LAST_ORDER_ID, customer)["dashboard"]["lastOrder"]["id"]
    return order_id


def test_an_order_can_be_asked_for_again_by_its_id(front: Front, offices: DemoOffices) -> None:
    order_id = last_order_id(front, "c-1001")
    node = front.data(NODE, variables={"id": order_id})["node"]
    assert node["__typename"] == "Order"
    assert node["id"] == order_id
    aliases = " ".join(f'n{number}: node(id: "{order_id}") {{ id }}' for number in range(10))
    offices.erp.reset()
    front.data(f"{{ {aliases} }}")
    assert offices.erp.calls() == {"ПолучитьЗаказы": 1}


def test_anothers_order_looks_exactly_like_none(front: Front) -> None:
    def asked(order_id: str) -> Any:
        answer = front.ask(NODE, variables={"id": order_id})
        for error in answer["errors"]:
            error.pop("locations")
        return answer

    theirs = asked(last_order_id(front, "c-1003"))
    assert theirs["data"] == {"node": None}
    assert theirs["errors"][0]["extensions"]["code"] == "NOT_FOUND"
    product = front.data("{ dashboard { favorites { nodes { id } } } }")["dashboard"]["favorites"]["nodes"][0]["id"]
    for other in ("T3JkZXI6bm8tc3VjaA==", product, "T3JkZXI6", "%%%", "", "не base64", "T3JkZXI6AA=="):
        assert asked(other) == theirs


def test_a_guest_is_told_to_sign_in_and_may_look_around(front: Front, offices: DemoOffices) -> None:
    for query in ("{ dashboard { profile { phone } } }", '{ node(id: "x") { id } }'):
        assert front.ask(query, customer=None)["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"
    assert front.ask("{ __typename }", customer=None) == {"data": {"__typename": "Query"}}
    assert calls(offices) == {"erp": {}, "loyalty": {}, "cms": {}}


def test_a_customer_whom_nobody_knows_gets_errors_and_not_empty_lists(front: Front) -> None:
    answer = front.ask(customer="c-nobody")
    dashboard = answer["data"]["dashboard"]
    assert [dashboard[name] for name in ("profile", "lastOrder", "favorites")] == [None] * 3
    assert dashboard["bonuses"] is None, "RetailCRM has searched and found no account: that is an answer"
    assert "dashboard.bonuses" not in codes(answer)
    assert {error["extensions"]["code"] for error in answer["errors"]} == {"NOT_FOUND"}
    assert dashboard["offers"]["nodes"]


def test_many_customers_at_once_each_get_their_own(front: Front) -> None:
    world = World(today=date(2026, 1, 1))
    customers = [f"c-{number}" for number in range(1001, 3001, 41)]
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda customer: front.ask(DASHBOARD, customer), customers))
    for customer, answer in zip(customers, answers, strict=True):
        assert "errors" not in answer
        phone = answer["data"]["dashboard"]["profile"]["phone"]
        assert phone is None or phone == person(world, int(customer.removeprefix("c-"))).phone
