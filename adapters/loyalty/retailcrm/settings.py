"""Settings of a RetailCRM account."""

from zoneinfo import ZoneInfo

from pydantic import Field

from bff.mapping.file import CurrencyName, Zone
from bff.plugins import BackOfficeSettings, HeaderSecret, Name


class RetailCrmSettings(BackOfficeSettings):
    """`address` is the account's own, without `/api`: `https://<account>.retailcrm.ru`."""

    api_key: HeaderSecret
    """A key with the rights to read customers and the loyalty programme; sent as `X-API-KEY`."""
    time_zone: Zone = ZoneInfo("Europe/Moscow")
    """The account's zone: its API writes dates without one."""
    currency: CurrencyName = "RUB"
    """Of the sums for the next level, where the programme itself names no currency."""
    site: Name | None = None
    """The shop's code in RetailCRM. An `externalId` is unique within a shop only: set it where there are several."""
    loyalty_id: int | None = Field(default=None, ge=1)
    """The programme whose accounts count, where a customer may have active accounts in several."""
    batch: int = Field(default=100, ge=1, le=100)
    """The most keys in one call: the API's own limit is 100."""
