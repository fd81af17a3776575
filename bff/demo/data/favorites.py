"""What the customers marked as favorites: up to 30 products each."""

from dataclasses import dataclass
from datetime import datetime, time, timedelta
from functools import lru_cache

from bff.demo.data import goods
from bff.demo.data.world import MOSCOW, World

MOST = 30

# c-1001: two more than a dozen, so that the first page of twelve is not the last.
_COUNTS = {1001: 14, 1002: 0}


@dataclass(frozen=True, slots=True)
class Favorite:
    """A product and the moment (Moscow time, with its zone) at which it was marked."""

    product_id: str
    added_at: datetime


@lru_cache(maxsize=4096)
def favorites(world: World, customer: int) -> tuple[Favorite, ...]:
    """Return the customer's favorites, the newest first, every product once."""
    dice = world.dice("favorites", customer)
    count = _COUNTS.get(customer)
    if count is None:
        count = round(dice.triangular(0, MOST, 3))
    products = dice.sample(range(1, goods.COUNT + 1), count)
    midnight = datetime.combine(world.today, time(), MOSCOW)
    minutes_ago = sorted(dice.sample(range(1, 500 * 24 * 60), count))
    return tuple(
        Favorite(f"p-{number}", midnight - timedelta(minutes=minutes))
        for number, minutes in zip(products, minutes_ago, strict=True)
    )
