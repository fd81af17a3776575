"""How much a request may ask for, and how often."""

from pydantic import BaseModel, ConfigDict, Field


class LimitSettings(BaseModel):
    """The edges of a request. What is beyond them is refused before anything is asked of a back office."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    body_bytes: int = Field(default=65_536, ge=1_000, le=10_000_000)
    """The largest body; nothing of a larger one is read as JSON."""
    body_seconds: float = Field(default=10.0, gt=0, le=300)
    """How long a body may take to come, after the headers; on every path."""
    head_seconds: float = Field(default=10.0, gt=0, le=300)
    """How long a request's first line and headers may take to come."""
    tokens: int = Field(default=1_000, ge=10, le=100_000)
    """Words, signs and comments of a document."""
    depth: int = Field(default=10, ge=1, le=100)
    """Fields within fields, those of fragments too. Introspection, where it is on, has a depth of its own."""
    aliases: int = Field(default=15, ge=0, le=10_000)
    """Fields with an alias in an operation; a fragment's count wherever it is spread."""
    root_fields: int = Field(default=10, ge=1, le=10_000)
    """Fields at an operation's root."""
    directives: int = Field(default=20, ge=0, le=10_000)
    """Directives in an operation; a fragment's count wherever it is spread."""
    cost: int = Field(default=5_000, ge=1, le=10_000_000)
    """Fields of the largest answer that an operation may get: those of a list count once an item."""
    list_items: int = Field(default=100, ge=1, le=100_000)
    """Items of one list in variables or arguments."""
    customer_per_minute: int = Field(default=300, ge=0, le=1_000_000)
    """Requests of one customer in the long run; 0 does not count them."""
    customer_burst: int = Field(default=100, ge=1, le=1_000_000)
    """Requests of one customer at once."""
    network_per_minute: int = Field(default=3_000, ge=0, le=10_000_000)
    """Requests of one network (an IPv4 address, a /64 of IPv6) in the long run; 0 does not count them."""
    network_burst: int = Field(default=500, ge=1, le=10_000_000)
    """Requests of one network at once."""
