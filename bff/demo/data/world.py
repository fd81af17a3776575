"""A seed and a day: all that the invented shop's data depends on."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta, timezone
from random import Random

# Moscow keeps UTC+3 all the year since October 2014; older dates do not occur here.
MOSCOW = timezone(timedelta(hours=3), "MSK")


def moscow_today() -> date:
    """Return the day it is in Moscow."""
    return datetime.now(MOSCOW).date()


@dataclass(frozen=True, slots=True)
class World:
    """The same seed on the same day gives the same shop, in every process and on every machine.

    Every event lies before `today`, every expiry after it, so that no hour of the day makes the data contradict itself.
    """

    today: date
    seed: int = 1

    def dice(self, thing: str, key: object) -> Random:
        """Return a source of chance of its own for one thing: what one draws does not change what another gets."""
        return Random(f"{self.seed}:{thing}:{key}")  # noqa: S311 - invented data, not a secret
