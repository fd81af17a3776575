"""What stands under `[reads.<name>.request]`: how one read becomes a GET request."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal
from urllib.parse import quote

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationInfo, model_validator

from bff.http import QueryParams

_KEY = "{key}"
_NOT_A_SEGMENT = frozenset({".", ".."})
MAX_KEY_LENGTH = 200

Parameter = Annotated[str, StringConstraints(min_length=1, max_length=200)]


@dataclass(frozen=True, slots=True)
class Request:
    """A GET request: the path, percent-encoded, and the query's parameters as they are."""

    path: str
    params: QueryParams


class RequestTable(BaseModel):
    """
    One read's request.

    The keys go into the query parameter `keys`: joined by commas (`style = "comma"`), each in a parameter of its own
    (`"repeat"`), or one key a call (`"single"`), when the key may also stand in the path as `{key}`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    path: Annotated[str, StringConstraints(pattern=r"^/[^?#\s]*$", max_length=2_000)]
    """Follows the settings' `address`."""
    keys: Parameter | None = None
    style: Literal["comma", "repeat", "single"] = "comma"
    query: dict[Parameter, str] = {}
    """Parameters that are always the same."""
    unknown_statuses: frozenset[Annotated[int, Field(ge=400, le=499)]] = frozenset()
    """HTTP statuses that mean "there is no such key"; only where one call has one key."""

    @model_validator(mode="after")
    def _is_whole(self, info: ValidationInfo) -> "RequestTable":
        faults = list(self._faults((info.context or {}).get("read", "")))
        if faults:
            raise ValueError("; ".join(faults))
        return self

    def _faults(self, read: str) -> Sequence[str]:
        faults = []
        in_path = _KEY in self.path
        if read == "promotions":
            if in_path or self.keys is not None or self.style != "comma":
                faults.append("promotions are everybody's: leave out keys, style and {key}")
        elif in_path == (self.keys is not None):
            faults.append("say once where the keys go: keys = a query parameter, or {key} in the path")
        if in_path and self.style != "single":
            faults.append('{key} in the path needs style = "single"')
        if any(brace in self.path.replace(_KEY, "") for brace in "{}"):
            faults.append("path: only {key} may stand in braces")
        if self.keys is not None and self.keys in self.query:
            faults.append(f"query.{self.keys}: is the parameter of the keys")
        if self.unknown_statuses and self.style != "single":
            faults.append('unknown_statuses need style = "single": otherwise it is unclear which key is meant')
        return faults

    def takes(self, key: str) -> bool:
        """Whether a key can be sent as itself; one that cannot is not known there."""
        if not key or len(key) > MAX_KEY_LENGTH or not key.isprintable():
            return False
        if self.style == "comma" and "," in key:
            return False
        return not (_KEY in self.path and key in _NOT_A_SEGMENT)

    def request(self, keys: Sequence[str]) -> Request:
        """Make the request for keys that it `takes`; none for a read that needs none."""
        params = list(self.query.items())
        path = self.path
        if self.keys is None:
            for key in keys:
                path = path.replace(_KEY, quote(key, safe=""))
        elif self.style == "comma":
            params.append((self.keys, ",".join(keys)))
        else:
            params += [(self.keys, key) for key in keys]
        return Request(path, params)
