"""What every resolver gets: who asks, the request's loaders, and a place for what went wrong on the side."""

from dataclasses import dataclass, field
from datetime import date

from bff.domain import CustomerId
from bff.errors import KabinetError, Unauthenticated
from bff.identity import Principal
from bff.loaders import Loaders

Path = list[str | int]


@dataclass(frozen=True, slots=True)
class Notice:
    """An error beside a value: part of what stands at `path` is missing, and the rest is there."""

    path: Path
    error: KabinetError


@dataclass(slots=True)
class Context:
    """One request."""

    principal: Principal | None
    loaders: Loaders
    today: date = date.min
    """The shop's day: what ended before it is not shown, however it was kept."""
    notices: list[Notice] = field(default_factory=list)

    @property
    def customer(self) -> CustomerId:
        """Whose cabinet is asked for. Raises `Unauthenticated` for a guest."""
        if self.principal is None:
            raise Unauthenticated("this needs a token")
        return self.principal.customer

    def notice(self, path: Path, error: KabinetError) -> None:
        """Tell the client that part of what stands at `path` is missing; once a code and place."""
        if not any(notice.path == path and notice.error.public_code is error.public_code for notice in self.notices):
            self.notices.append(Notice(path, error))
