"""The shop, as a guest may see it. It is put together once, from the settings."""

from dataclasses import dataclass
from enum import Enum


class SignInKind(Enum):
    """How customers sign in."""

    PHONE_CODE = "PHONE_CODE"
    EMAIL_CODE = "EMAIL_CODE"
    PROVIDER = "PROVIDER"


@dataclass(frozen=True, slots=True)
class SignInWay:
    """One way in; a provider's has a name and the path where it begins."""

    kind: SignInKind
    name: str | None = None
    path: str | None = None


@dataclass(frozen=True, slots=True)
class Shop:
    """`sections` are names of the dashboard's fields."""

    name: str = ""
    sections: tuple[str, ...] = ()
    ways: tuple[SignInWay, ...] = ()
