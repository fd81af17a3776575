"""The invented shop holds together: the same every time, sums add up, nothing happened in the future."""

from collections import Counter
from datetime import date, timedelta
from decimal import Decimal

import pytest

from bff.demo.data import bonuses, goods, names, orders, people
from bff.demo.data.favorites import favorites
from bff.demo.data.promotions import promotions
from bff.demo.data.world import World

EVERYONE = range(people.FIRST, people.LAST + 1)
SOME = (*range(1001, 1011), *range(1011, 3001, 40))


def test_the_same_seed_is_the_same_shop(world: World) -> None:
    for cached in (people.person, goods.product, orders.ages, bonuses.account, favorites):
        cached.cache_clear()
    before = [(people.person(world, n), orders.latest(world, n, 3), favorites(world, n)) for n in SOME[:20]]
    for cached in (people.person, goods.product, orders.ages, favorites):
        cached.cache_clear()
    again = World(world.today, world.seed)
    assert before == [(people.person(again, n), orders.latest(again, n, 3), favorites(again, n)) for n in SOME[:20]]
    assert people.person(World(world.today, seed=2), 1005) != people.person(world, 1005)


def test_people(world: World) -> None:
    everyone = [people.person(world, number) for number in EVERYONE]
    assert len(everyone) == 2000
    assert len({person.phone for person in everyone}) == 2000
    for person in everyone:
        if person.patronymic and person.last_name:
            is_woman = person.patronymic.endswith("на")
            assert person.last_name == names.feminine(person.last_name) or not is_woman or person.last_name[-1] in "ая"
        assert person.email is None or person.email.isascii()


@pytest.mark.parametrize("unknown", ["c-1000", "c-3001", "1001", "c-01001", "c-١٠٠١", "c-", "", "x-1001"])
def test_unknown_customers(unknown: str) -> None:
    assert people.number_of(unknown) is None


def test_orders_add_up_and_belong_to_the_past(world: World) -> None:
    for number in SOME:
        found = orders.latest(world, number, orders.MOST)
        assert len(found) == len(orders.ages(world, number)) <= orders.MOST
        assert [order.at for order in found] == sorted((order.at for order in found), reverse=True)
        for order in found:
            assert order.customer_id == people.customer_id(number)
            assert order.total == sum(line.total for line in order.lines) > 0
            assert all(line.total == line.price * line.quantity for line in order.lines)
            assert len({line.product_id for line in order.lines}) == len(order.lines)
            assert order.at.date() >= world.today - timedelta(days=3 * 365)
            moments = [stage.at for stage in order.stages if stage.at is not None]
            assert moments == sorted(moments)
            assert moments[-1].date() < world.today
            is_finished = order.status in {"Выполнен", "Отменен", "Возврат"}
            assert is_finished == all(stage.at is not None for stage in order.stages)
            assert orders.find(world, order.id) == order


def test_statuses_are_of_all_kinds(world: World) -> None:
    met = Counter(order.status for number in EVERYONE for order in orders.latest(world, number, 1))
    assert met.keys() == {
        *("Новый", "Подтвержден", "Собирается", "Передан в доставку", "Готов к выдаче"),
        *("Выполнен", "Отменен", "Возврат", orders.ODD_STATUS),
    }
    assert orders.latest(world, 1004, 1)[0].status == orders.ODD_STATUS


def test_the_customer_with_everything(world: World) -> None:
    last = orders.latest(world, 1001, 1)[0]
    assert last.status == "Передан в доставку"
    assert world.today - last.at.date() == timedelta(days=4)
    assert 3 <= len(last.lines) <= 5
    assert len(orders.ages(world, 1001)) > 20
    account = bonuses.account(world, 1001)
    assert (account.tier.name, account.next_tier is not None) == ("Золотой", True)
    assert account.pending
    assert len({lot.on for lot in account.burning}) >= 3
    assert bonuses.personal_discount(world, 1001) > 0
    assert len(favorites(world, 1001)) == 14


def test_the_new_customer_has_nothing(world: World) -> None:
    assert orders.ages(world, 1002) == ()
    assert favorites(world, 1002) == ()
    assert bonuses.account(world, 1002).amount == 0
    assert bonuses.personal_discount(world, 1002) == 0


def test_lots_lie_ahead_and_are_covered(world: World) -> None:
    for number in SOME:
        if not bonuses.has_account(world, number):
            continue
        account = bonuses.account(world, number)
        for lot in (*account.pending, *account.burning):
            assert world.today < lot.on <= world.today + timedelta(days=bonuses.BURN_SOON_DAYS)
            assert lot.amount > 0
        assert account.amount >= sum((lot.amount for lot in account.burning), Decimal(0))
        assert bonuses.owner_of(world, account.id) == number


def test_discounts_and_favorites_keep_their_bounds(world: World) -> None:
    assert {bonuses.personal_discount(world, number) for number in EVERYONE} == {0, *range(3, 16)}
    assert {len(favorites(world, number)) for number in SOME} <= set(range(31))


def test_strangers_were_not_asked_for() -> None:
    asked = [1001, 2001, 1003]
    found = people.strangers(asked, lambda number: number % 2 == 0)
    assert found == [2002, 1002, 2004]
    assert people.strangers(asked, lambda _: False) == []


@pytest.mark.parametrize("today", [date(2026, 1, 1), date(2028, 2, 29), date(2031, 12, 31)])
def test_any_day_will_do(today: date) -> None:
    world = World(today)
    assert bonuses.account(world, 1001).tier.name == "Золотой"
    assert orders.latest(world, 1001, 1)[0].status == "Передан в доставку"
    assert all(offer.starts <= today for offer in promotions(world))
