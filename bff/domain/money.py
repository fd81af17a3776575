"""An amount that says its currency."""

import re
from dataclasses import dataclass
from decimal import Decimal
from typing import NewType

CurrencyCode = NewType("CurrencyCode", str)
"""ISO 4217, three capital letters: `RUB`."""

_CURRENCY = re.compile(r"[A-Z]{3}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Money:
    """
    An amount in a currency.

    `ValueError` where the amount is not a finite number or the currency is not three capital letters: a back office
    that says `NaN` has not said a price.
    """

    amount: Decimal
    currency: CurrencyCode

    def __post_init__(self) -> None:
        if not self.amount.is_finite():
            raise ValueError(f"an amount of money is a finite number, not {self.amount}")
        if not _CURRENCY.fullmatch(self.currency):
            raise ValueError(f"a currency is three capital letters, not {self.currency[:12]!r}")
