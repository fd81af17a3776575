"""What matters asks for a fresh second factor: a code that goes where the session's first one went."""

from datetime import date
from typing import Any

import pytest
from graphql import GraphQLField, GraphQLInt, GraphQLObjectType, GraphQLResolveInfo, GraphQLSchema
from starlette.routing import Route

from bff.app import Cabinet
from bff.loaders import Loaders
from bff.resolvers.context import Services
from bff.sources import Sources
from bff.web.bearer import who_asks
from bff.web.graphql import GraphQLEndpoint
from bff.web.limits import LimitSettings
from bff.web.networks import Networks
from bff.web.operations import Operations
from bff.web.origins import Origins
from tests.sign_in.conftest import OpenShop
from tests.sign_in.customer import CONFIRM_SECOND, REQUEST_SECOND, SIGN_OUT, Customer, codes, user_codes
from tests.sign_in.shop import ANNA, ANNAS_MAIL, NO_CALLS, OLEG, Shop

MATTERS = "/matters"
SPEND = "mutation { spend }"


class Purse:
    """A mutation that matters, and how often it was done. It stands beside the service's own, with the same door."""

    def __init__(self) -> None:
        self.spent = 0

    def spend(self, _: None, info: GraphQLResolveInfo[Any]) -> int:
        """Spend one."""
        info.context.require_fresh_second_factor()
        self.spent += 1
        return self.spent

    def endpoint(self, cabinet: Cabinet) -> GraphQLEndpoint:
        """The service's own endpoint, with another schema."""
        schema = GraphQLSchema(
            GraphQLObjectType("Query", {"nothing": GraphQLField(GraphQLInt)}),
            GraphQLObjectType("Mutation", {"spend": GraphQLField(GraphQLInt, resolve=self.spend)}),
        )
        limits = LimitSettings()
        return GraphQLEndpoint(
            operations=Operations(schema, limits, introspection=False),
            who=who_asks(cabinet.verifier, cabinet.door.sign_in),
            loaders=lambda: Loaders(Sources(), 1.0),
            today=lambda: date.min,
            limits=limits,
            networks=Networks(),
            origins=Origins([], methods=("POST",)),
            services=Services(sign_in=cabinet.door.sign_in),
        )


@pytest.fixture
def purse() -> Purse:
    return Purse()


@pytest.fixture
def shop(new_shop: OpenShop, purse: Purse) -> Shop:
    """A shop that has the purse beside its own schema."""
    return new_shop(routes=lambda cabinet: [Route(MATTERS, purse.endpoint(cabinet))])


def spend(customer: Customer) -> dict[str, Any]:
    """The answer of what matters."""
    answer: dict[str, Any] = customer.post(SPEND, path=MATTERS).json()
    return answer


def step_up(shop: Shop, customer: Customer) -> None:
    """Confirm the second factor."""
    shop.later(30)
    done = customer.do(REQUEST_SECOND)
    assert done == {"resendAfter": 60, "expiresIn": 300, "userErrors": []}
    customer.asked_for += 1
    code = shop.messages.code(customer.contact, customer.asked_for)
    assert shop.messages.to(customer.contact)[-1].startswith("Код подтверждения: ")
    assert customer.do(CONFIRM_SECOND, {"code": code}) == {"freshFor": 300, "userErrors": []}


@pytest.mark.parametrize("mode", ["TOKENS", "COOKIE"])
def test_what_matters_works_only_for_five_minutes_after_it(shop: Shop, purse: Purse, mode: str) -> None:
    anna = shop.customer().sign_in(mode)
    answer = spend(anna)
    assert (answer["data"], codes(answer)) == ({"spend": None}, ["SECOND_FACTOR_REQUIRED"])
    assert purse.spent == 0
    step_up(shop, anna)
    assert spend(anna) == {"data": {"spend": 1}}
    shop.later(299)
    assert spend(anna) == {"data": {"spend": 2}}
    shop.later(1)
    assert codes(spend(anna)) == ["SECOND_FACTOR_REQUIRED"]
    assert purse.spent == 2


def test_a_guest_is_asked_to_sign_in_first(shop: Shop, purse: Purse) -> None:
    guest = shop.customer()
    assert codes(spend(guest)) == ["UNAUTHENTICATED"]
    assert codes(guest.ask(REQUEST_SECOND)) == ["UNAUTHENTICATED"]
    assert codes(guest.ask(CONFIRM_SECOND, {"code": "123456"})) == ["UNAUTHENTICATED"]
    assert (purse.spent, shop.sent()) == (0, {})


def test_it_outlives_a_refresh_and_no_other_session_of_the_customer_has_it(shop: Shop, purse: Purse) -> None:
    anna, elsewhere = shop.customer().sign_in(), shop.customer(ANNAS_MAIL).sign_in()
    step_up(shop, anna)
    assert codes(spend(elsewhere)) == ["SECOND_FACTOR_REQUIRED"]
    anna.refresh()
    assert spend(anna) == {"data": {"spend": 1}}
    assert purse.spent == 1


def test_a_wrong_code_confirms_nothing_and_counts_as_any_other(shop: Shop, purse: Purse) -> None:
    anna = shop.customer().sign_in()
    shop.later(30)
    anna.do(REQUEST_SECOND)
    code = shop.messages.code(ANNA, 2)
    for step in range(1, 6):
        done = anna.do(CONFIRM_SECOND, {"code": f"{(int(code) + step) % 1_000_000:06}"})
        assert (done["freshFor"], user_codes(done), done["userErrors"][0]["field"]) == (None, ["REFUSED"], ["code"])
    assert user_codes(anna.do(CONFIRM_SECOND, {"code": code})) == ["REFUSED"]
    assert codes(spend(anna)) == ["SECOND_FACTOR_REQUIRED"]
    assert purse.spent == 0


def test_codes_of_one_purpose_are_no_good_for_the_other(shop: Shop, purse: Purse) -> None:
    """And the code of one session confirms no other's, though it went to the same phone."""
    anna = shop.customer().sign_in()
    shop.later(30)
    other = shop.customer()
    other.asked_for = 1
    sign_in_code = other.code()
    assert user_codes(anna.do(CONFIRM_SECOND, {"code": sign_in_code})) == ["REFUSED"]
    assert other.enter(sign_in_code)["signedIn"]
    shop.later(60)
    anna.do(REQUEST_SECOND)
    second = shop.messages.code(ANNA, 3)
    assert user_codes(shop.customer().enter(second)) == ["REFUSED"]
    assert user_codes(other.do(CONFIRM_SECOND, {"code": second})) == ["REFUSED"]
    assert codes(spend(other)) == ["SECOND_FACTOR_REQUIRED"]
    assert anna.do(CONFIRM_SECOND, {"code": second})["freshFor"] == 300
    assert user_codes(anna.do(CONFIRM_SECOND, {"code": second})) == ["REFUSED"]
    assert purse.spent == 0


def test_asking_for_it_has_the_pauses_of_all_codes(shop: Shop) -> None:
    anna = shop.customer().sign_in()
    done = anna.do(REQUEST_SECOND)
    assert (done["resendAfter"], user_codes(done)) == (None, ["RATE_LIMITED"])
    assert shop.sent() == {"+79000001001": 1}


def test_who_has_signed_out_cannot_step_up_in_the_same_request(shop: Shop) -> None:
    oleg = shop.customer(OLEG).sign_in()
    shop.later(30)
    for office in shop.offices:
        office.reset()
    answer = oleg.ask("mutation { signOut { signedOut } requestSecondFactor { resendAfter } }")
    assert codes(answer) == ["UNAUTHENTICATED"]
    assert shop.sent() == {"+79000001002": 1}
    assert shop.calls() == NO_CALLS
    assert oleg.post(SIGN_OUT).status_code == 401
