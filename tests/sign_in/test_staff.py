"""Staff look into a customer's cabinet by a scope, and the audit log says that they did; and alarms."""

import json
from typing import Any

import pytest

from bff.demo.secret import demo_secret
from tests.identity.oidc.keys import claims, hs256
from tests.patience import until
from tests.sign_in.conftest import Logs, OpenShop
from tests.sign_in.customer import SIGN_IN, Customer, codes
from tests.sign_in.shop import ANNA, NO_CALLS, Shop
from tests.sign_in.test_bad_tokens import changed, own

LOOK = """query Look($id: ID!) { customerDashboard(id: $id) {
  profile { displayName } lastOrder { number } bonuses { balance } favorites { totalCount } offers { totalCount } } }"""
SCOPE = "kabinet.staff"


def token_of(shop: Shop, who: str, scope: Any = ...) -> dict[str, str]:
    """A header with a token of the shop's provider."""
    token = hs256(claims("kabinet-demo", aud="kabinet", sub=who, scope=scope), demo_secret().encode())
    shop.secrets.add(token, who)
    return {"Authorization": f"Bearer {token}"}


def reads(logs: Logs) -> list[Any]:
    """Lines of the audit log about staff."""
    return [line for line in logs if line["event"] == "staff read"]


@pytest.mark.parametrize("scope", [SCOPE, f"openid {SCOPE} profile", ["openid", SCOPE]], ids=str)
def test_staff_see_a_customers_cabinet_and_it_is_noted(shop: Shop, logs: Logs, scope: Any) -> None:
    answer = shop.customer().ask(LOOK, {"id": "c-1001"}, **token_of(shop, "staff-77", scope))
    assert "errors" not in answer
    seen = answer["data"]["customerDashboard"]
    assert seen["profile"]["displayName"] == "Анна Соколова"
    anna = shop.customer(ANNA).sign_in()
    assert anna.ask(LOOK.replace("customerDashboard(id: $id)", "dashboard").replace("($id: ID!)", "")) == {
        "data": {"dashboard": seen}
    }
    [line] = reads(logs)
    assert {name: line[name] for name in ("log", "what", "log_level")} == {
        "log": "audit",
        "what": "customerDashboard",
        "log_level": "info",
    }
    # By hashes, which are those of other lines about the same people.
    [signed_in] = [each for each in logs if each["event"] == "signed in"]
    assert line["customer"] == signed_in["customer"] != line["staff"]


def test_each_look_is_noted(shop: Shop, logs: Logs) -> None:
    ids = ("c-1001", "c-1002", "c-1001")
    query = " ".join(
        f'a{number}: customerDashboard(id: "{customer}") {{ profile {{ displayName }} }}'
        for number, customer in enumerate(ids)
    )
    data = shop.customer().ask(f"{{ {query} }}", **token_of(shop, "staff-77", SCOPE))["data"]
    assert [each["profile"]["displayName"] for each in data.values()] == ["Анна Соколова", "Олег", "Анна Соколова"]
    assert len(reads(logs)) == 3


def test_staff_have_their_own_cabinet_beside_it(shop: Shop) -> None:
    query = '{ dashboard { profile { displayName } } customerDashboard(id: "c-1001") { profile { displayName } } }'
    data = shop.customer().ask(query, **token_of(shop, "c-1002", SCOPE))["data"]
    assert data["dashboard"]["profile"]["displayName"] == "Олег"
    assert data["customerDashboard"]["profile"]["displayName"] == "Анна Соколова"


@pytest.mark.parametrize(
    "scope",
    [..., "", "kabinet", "kabinet.staffing", "KABINET.STAFF", "kabinet_staff", "openid profile", ["kabinet.staff x"]],
    ids=str,
)
def test_others_are_forbidden_and_no_back_office_is_asked(shop: Shop, logs: Logs, scope: Any) -> None:
    for customer in ("c-1001", "c-1002", "c-0000"):
        answer = shop.customer().ask(LOOK, {"id": customer}, **token_of(shop, "c-1002", scope))
        assert codes(answer) == ["FORBIDDEN"]
        assert answer.get("data") is None
    assert shop.calls() == NO_CALLS
    assert reads(logs) == []


def test_a_guest_is_not_told_even_that(shop: Shop, logs: Logs) -> None:
    assert codes(shop.customer().ask(LOOK, {"id": "c-1001"})) == ["UNAUTHENTICATED"]
    assert shop.calls() == NO_CALLS
    assert reads(logs) == []


@pytest.mark.parametrize("mode", ["TOKENS", "COOKIE"])
def test_a_session_of_this_service_never_has_the_scope(shop: Shop, mode: str) -> None:
    anna = shop.customer(ANNA).sign_in(mode)
    assert codes(anna.ask(LOOK, {"id": "c-1001"})) == ["FORBIDDEN"]
    assert codes(anna.ask(LOOK, {"id": "c-1002"})) == ["FORBIDDEN"]
    if mode == "TOKENS":
        # Not even where the token says so, and is rightly signed: what it may is written in the store.
        forged = own(changed(anna.access, scope=SCOPE), head=anna.access.split(".")[0])
        answer = shop.customer().ask(LOOK, {"id": "c-1002"}, Authorization=f"Bearer {forged}")
        assert codes(answer) == ["FORBIDDEN"]


def test_the_scopes_name_is_a_setting(new_shop: OpenShop) -> None:
    shop = new_shop(identity={"staff_scope": "another.scope"})
    answer = shop.customer().ask(LOOK, {"id": "c-1001"}, **token_of(shop, "staff-77", SCOPE))
    assert codes(answer) == ["FORBIDDEN"]
    answer = shop.customer().ask(LOOK, {"id": "c-1001"}, **token_of(shop, "staff-77", "another.scope"))
    assert "errors" not in answer


@pytest.mark.parametrize(
    "customer",
    ["", " ", "c-9999", "c-1001/../c-1002", "../../x", "c-1001?x=1", "c-1001#", "c-1001&filter[ids][]=1", "%2e%2e",
     "c-1001\n", "c-1001\x00", "]]></x><y>", "a" * 300, "a" * 10_000, "\u202ec-1001", "c-1001,c-1002"],
    ids=lambda each: repr(each)[:30],
)  # fmt: skip
def test_an_id_of_nobody_shows_nobody(shop: Shop, customer: str) -> None:
    """Whatever stands in it: it is sent on as one value, or not at all."""
    query = "query ($id: ID!) { customerDashboard(id: $id) { profile { displayName } lastOrder { number } } }"
    answer = shop.customer().ask(query, {"id": customer}, **token_of(shop, "staff-77", SCOPE))
    assert set(codes(answer)) == {"NOT_FOUND"}, answer
    text = json.dumps(answer, ensure_ascii=False)
    assert "Соколова" not in text
    assert "Олег" not in text


def alarms(logs: Logs) -> list[Any]:
    return [line for line in logs if line["event"] == "integrity violation"]


def test_an_erp_that_mixes_customers_up_raises_the_alarm(shop: Shop, logs: Logs) -> None:
    anna = shop.customer(ANNA).sign_in()
    assert anna.profile() is not None
    assert alarms(logs) == []
    shop.offices.erp.faults(fail="wrong_owner")
    answer = anna.ask("{ dashboard { profile { displayName } lastOrder { number } favorites { totalCount } } }")
    dashboard = answer["data"]["dashboard"]
    assert (dashboard["profile"], dashboard["lastOrder"]) == (None, None)
    assert dashboard["favorites"]["totalCount"] == 14
    assert set(codes(answer)) == {"INTEGRITY"}
    found = {(line["log"], line["log_level"], line["back_office"], line["read"]) for line in alarms(logs)}
    assert found == {("audit", "error", "erp", "profiles"), ("audit", "error", "erp", "latest_orders")}


def test_an_erp_that_mixes_contacts_up_lets_nobody_in(shop: Shop, logs: Logs) -> None:
    anna: Customer = shop.customer(ANNA)
    code = anna.code()
    shop.offices.erp.faults(fail="wrong_owner", operation="НайтиКлиентов")
    answer = anna.ask(SIGN_IN, {"contact": ANNA, "code": code})
    assert codes(answer) == ["INTEGRITY"]
    assert answer.get("data") is None
    assert len(alarms(logs)) == 1
    assert [line for line in logs if line["event"] == "signed in"] == []
    # It was not the customer's fault: the code is still good.
    shop.offices.erp.faults()
    until(lambda: "errors" not in anna.ask(SIGN_IN, {"contact": ANNA, "code": code}), "the breaker stays open")
    assert len([line for line in logs if line["event"] == "signed in"]) == 1
    assert shop.sent() == {"+79000001001": 1}


@pytest.mark.parametrize("fail", ["refuse", "500", "malformed", "fault"])
def test_an_erp_that_is_down_costs_no_code(shop: Shop, logs: Logs, fail: Any) -> None:
    anna: Customer = shop.customer(ANNA)
    code = anna.code()
    shop.offices.erp.faults(fail=fail)
    for _ in range(6):
        answer = anna.ask(SIGN_IN, {"contact": ANNA, "code": code})
        assert answer.get("data") is None
        assert codes(answer)[0] in {"UNAVAILABLE", "UPSTREAM", "BAD_REPLY", "BUSY"}
    shop.offices.erp.faults()
    until(lambda: "errors" not in anna.ask(SIGN_IN, {"contact": ANNA, "code": code}), "the breaker stays open")
    assert [line["why"] for line in logs if line["event"] == "code refused"] == []
    assert len([line for line in logs if line["event"] == "signed in"]) == 1
