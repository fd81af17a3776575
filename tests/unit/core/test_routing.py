"""Which back office serves which section, and what is said where one cannot."""

import pytest
from pydantic import ValidationError

from bff.plugins import SettingsFault
from bff.sources import Sections, route
from tests.fakes.back_offices import FakeBackOffice, now


def test_every_section_goes_where_the_settings_say() -> None:
    erp = FakeBackOffice().adapter("profiles", "orders")
    loyalty = FakeBackOffice().adapter("bonuses", "bonus_details", "personal_offers")
    cms = FakeBackOffice().adapter("favorites", "products", "promotions")
    sections = Sections(
        profile="erp", orders="erp", bonuses="loyalty", favorites="cms", products="cms", offers=("loyalty", "cms")
    )
    sources = route(sections, {"erp": erp, "loyalty": loyalty, "cms": cms}, now)
    served = {
        name: read.back_office
        for name in ("profiles", "latest_orders", "orders", "bonus_accounts", "favorites", "products")
        if (read := getattr(sources, name)) is not None
    }
    assert served == {
        "profiles": "erp",
        "latest_orders": "erp",
        "orders": "erp",
        "bonus_accounts": "loyalty",
        "favorites": "cms",
        "products": "cms",
    }
    assert sources.pending_bonuses is not None
    assert sources.bonus_expirations is not None
    loyalty_offers, cms_offers = sources.offers
    assert (loyalty_offers.back_office, loyalty_offers.promotions) == ("loyalty", None)
    assert (cms_offers.back_office, cms_offers.personal) == ("cms", None)


def test_sections_that_are_not_named_are_switched_off() -> None:
    sources = route(Sections(), {"erp": FakeBackOffice().adapter()}, now)
    assert sources.profiles is None
    assert sources.offers == ()


def test_products_come_from_where_the_favorites_are_unless_said_otherwise() -> None:
    cms, shop = FakeBackOffice().adapter("favorites", "products"), FakeBackOffice().adapter("products")
    own = route(Sections(favorites="cms"), {"cms": cms, "shop": shop}, now).products
    named = route(Sections(favorites="cms", products="shop"), {"cms": cms, "shop": shop}, now).products
    assert own is not None
    assert own.back_office == "cms"
    assert named is not None
    assert named.back_office == "shop"


def test_a_back_office_without_a_catalogue_leaves_products_off() -> None:
    assert route(Sections(favorites="cms"), {"cms": FakeBackOffice().adapter("favorites")}, now).products is None


def test_details_of_bonuses_are_there_only_where_the_adapter_has_them() -> None:
    sources = route(Sections(bonuses="loyalty"), {"loyalty": FakeBackOffice().adapter("bonuses")}, now)
    assert sources.bonus_accounts is not None
    assert sources.pending_bonuses is None


def test_all_faults_at_once_each_with_what_there_is() -> None:
    sections = Sections(profile="erp", orders="1c", bonuses="cms", offers=("cms", "nobody"))
    adapters = {"erp": FakeBackOffice().adapter("orders"), "cms": FakeBackOffice().adapter("favorites")}
    with pytest.raises(SettingsFault) as caught:
        route(sections, adapters, now, broken={"loyalty"})
    assert caught.value.faults == [
        "sections.profile: back office 'erp' lacks the port profiles; it serves orders",
        "sections.orders: there is no back office '1c'; configured: cms, erp, loyalty",
        "sections.bonuses: back office 'cms' lacks the port bonuses; it serves favorites",
        "sections.offers: back office 'cms' lacks the port promotions or personal_offers; it serves favorites",
        "sections.offers: there is no back office 'nobody'; configured: cms, erp, loyalty",
    ]


def test_nothing_is_said_of_a_section_whose_back_office_could_not_be_built() -> None:
    sections = Sections(profile="erp", favorites="erp", offers=("erp",))
    sources = route(sections, {}, now, broken={"erp"})
    assert (sources.profiles, sources.offers) == (None, ())


def test_offers_may_be_listed_in_one_text() -> None:
    assert Sections.model_validate({"offers": "loyalty, cms,"}).offers == ("loyalty", "cms")


@pytest.mark.parametrize("raw", [{"offers": ["cms", "cms"]}, {"profil": "erp"}, {"profile": 5}, {"offers": [5]}])
def test_sections_that_make_no_sense_are_refused(raw: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Sections.model_validate(raw)
