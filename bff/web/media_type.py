"""Which media type an answer has: what the client accepts, as the GraphQL-over-HTTP draft says."""

from functools import lru_cache
from typing import Final

JSON: Final = "application/json"
GRAPHQL_JSON: Final = "application/graphql-response+json"

MAX_BYTES: Final = 1_000
"""The most that is looked at, and so remembered, of a header."""
REMEMBERED: Final = 256


@lru_cache(maxsize=REMEMBERED)
def choose_media_type(accept: bytes) -> str | None:
    """
    The media type of the answer to `Accept` (RFC 9110, 12.5.1); None where neither would be taken.

    The heavier weight wins; of equals, the newer type where it is asked for by name. Who says nothing, or anything,
    gets the older one.
    """
    text = accept.decode("latin-1").strip().lower()
    if not text:
        return JSON
    weights: dict[str, float] = {}
    for part in text.split(","):
        name, *parameters = (each.strip() for each in part.split(";"))
        weight = 1.0
        for parameter in parameters:
            key, _, value = (each.strip(' "') for each in parameter.partition("="))
            if key == "q":
                weight = _weight(value)
            elif key == "charset" and value not in {"utf-8", "utf8", "*"}:
                weight = 0.0
        weights[name] = max(weight, weights.get(name, 0.0))

    def weight_of(media_type: str) -> float:
        ranges = (media_type, "application/*", "*/*")
        return next((weights[each] for each in ranges if each in weights), 0.0)

    older, newer = weight_of(JSON), weight_of(GRAPHQL_JSON)
    if newer > older or (newer == older and newer > 0 and GRAPHQL_JSON in weights):
        return GRAPHQL_JSON
    return JSON if older > 0 else None


def _weight(text: str) -> float:
    try:
        weight = float(text)
    except ValueError:
        return 0.0
    return weight if 0.0 <= weight <= 1.0 else 0.0
