"""How old answers may be: only what makes sense is taken."""

import pytest
from pydantic import ValidationError

from bff.sources.ages import SECTION_OF, Ages, Freshness
from bff.sources.routing import PERSONAL_OFFERS, PROMOTIONS, SECTIONS


def test_ages_may_be_equal_and_zero() -> None:
    assert Ages(fresh_seconds=0, stale_seconds=0, on_error_seconds=0).stale_seconds == 0


@pytest.mark.parametrize("ages", [(2, 1, 3), (1, 3, 2), (-1, 0, 0), (1, 2, 604_801), (float("nan"), 1, 2)])
def test_ages_that_shrink_or_are_no_ages_are_refused(ages: tuple[float, float, float]) -> None:
    with pytest.raises(ValidationError):
        Ages(fresh_seconds=ages[0], stale_seconds=ages[1], on_error_seconds=ages[2])


def test_what_is_misspelt_is_refused() -> None:
    with pytest.raises(ValidationError):
        Freshness.model_validate({"orderz": {}})


def test_the_oldest_that_is_shown_is_what_the_matrix_says() -> None:
    freshness = Freshness()
    oldest = {name: getattr(freshness, name).on_error_seconds for name in Freshness.model_fields}
    hour = 3_600
    assert oldest == {
        "profile": 24 * hour,
        "orders": hour / 4,
        "bonuses": 300,
        "favorites": hour,
        "products": 24 * hour,
        "offers": 24 * hour,
    }


def test_every_method_of_a_port_that_is_read_has_ages() -> None:
    of_offers = dict.fromkeys((PROMOTIONS.name, PERSONAL_OFFERS.name), "offers")
    routed = {method.name: section for section, methods in SECTIONS.items() for method in methods}
    assert {**routed, **of_offers} == dict(SECTION_OF)
    assert set(SECTION_OF.values()) == set(Freshness.model_fields)


def test_what_a_table_leaves_out_keeps_its_default() -> None:
    found = Freshness.model_validate({"bonuses": {"fresh_seconds": 10}})
    assert found.bonuses == Ages(fresh_seconds=10, stale_seconds=60, on_error_seconds=300)
    assert found.orders == Freshness().orders
    with pytest.raises(ValidationError, match="must not shrink"):
        Freshness.model_validate({"bonuses": {"fresh_seconds": 61}})
    with pytest.raises(ValidationError):
        Freshness.model_validate({"bonuses": 5})
