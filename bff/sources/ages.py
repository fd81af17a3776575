"""How old an answer may be."""

from collections.abc import Mapping
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator, model_validator


class Ages(BaseModel):
    """
    Ages of one section's answers, in seconds from the moment the back office gave them.

    Up to `fresh_seconds` an answer is simply used (spread by ±10 %, so that what was read together does not go old
    together). Up to `stale_seconds` it is used at once, and asked for again behind. Up to `on_error_seconds` it is
    used where the back office fails. After that it is gone.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    fresh_seconds: float = Field(ge=0, le=86_400)
    stale_seconds: float = Field(ge=0, le=7 * 86_400)
    on_error_seconds: float = Field(ge=0, le=7 * 86_400)

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if not self.fresh_seconds <= self.stale_seconds <= self.on_error_seconds:
            raise ValueError("the ages must not shrink: fresh_seconds ≤ stale_seconds ≤ on_error_seconds")
        return self


def _ages(fresh: float, stale: float, on_error: float) -> Ages:
    return Ages(fresh_seconds=fresh, stale_seconds=stale, on_error_seconds=on_error)


MINUTE, HOUR, DAY = 60, 3_600, 86_400


class Freshness(BaseModel):
    """The ages of each section's answers. What a table leaves out keeps its default."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    profile: Ages = _ages(5 * MINUTE, 10 * MINUTE, DAY)
    orders: Ages = _ages(30, MINUTE, 15 * MINUTE)
    bonuses: Ages = _ages(30, MINUTE, 5 * MINUTE)
    favorites: Ages = _ages(5 * MINUTE, 10 * MINUTE, HOUR)
    products: Ages = _ages(10 * MINUTE, 20 * MINUTE, DAY)
    offers: Ages = _ages(10 * MINUTE, 20 * MINUTE, DAY)

    @field_validator("*", mode="before")
    @classmethod
    def _over_the_defaults(cls, table: Any, info: ValidationInfo) -> Any:
        if not isinstance(table, Mapping) or info.field_name is None:
            return table
        default: Ages = cls.model_fields[info.field_name].default
        return {**default.model_dump(), **table}


SECTION_OF: Mapping[str, str] = {
    "profiles": "profile",
    "latest_orders": "orders",
    "orders": "orders",
    "bonus_accounts": "bonuses",
    "pending_bonuses": "bonuses",
    "bonus_expirations": "bonuses",
    "favorites": "favorites",
    "products": "products",
    "promotions": "offers",
    "personal_offers": "offers",
}
"""The section whose ages a port's method has."""
