"""Requests that no front end sends: any JSON, any bytes, any header. Each is refused by a code, and nothing breaks."""

import json
from collections.abc import Callable
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tests.fuzz.asking import CUSTOMERS, Asker
from tests.fuzz.replies import Reply
from tests.fuzz.test_schema import many

ENOUGH = 250

TEXTS = st.text(st.characters(codec=None, exclude_categories=()), max_size=40)
"""Half characters (lone surrogates) and NUL among them."""
EDGES = st.sampled_from([2**31, -(2**63), 10**400, 1e308, "1", "\x00"])
LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | TEXTS | EDGES
ANY_JSON = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4), max_leaves=12
)

QUERIES = (
    "{ __typename }",
    "query A { __typename } query B { __typename }",
    "query A($id: ID!) { node(id: $id) { id } }",
    """query A($after: String, $first: Int! = 3, $show: Boolean! = true) {
        dashboard { favorites(first: $first, after: $after) { totalCount } profile @include(if: $show) { displayName } }
    }""",
    "{ nothing }",
    "{",
)
WORDS = st.sampled_from([*QUERIES, "A", "B", "id", "after", "first", "show", "query", "variables", "operationName"])
REQUESTS = st.fixed_dictionaries(
    {"query": st.sampled_from(QUERIES)},
    optional={
        "variables": st.dictionaries(WORDS | TEXTS, ANY_JSON, max_size=4) | ANY_JSON,
        "operationName": WORDS | ANY_JSON,
        "extensions": ANY_JSON,
        "id": ANY_JSON,
        "documentId": ANY_JSON,
    },
)


def judged(reply: Reply) -> Reply:
    found = reply.faults()
    assert not found, f"{found}\n{reply.asked!r}\n{reply.status} {reply.body.decode(errors='replace')}"
    return reply


def every(strategy: st.SearchStrategy[Any], each: Callable[[Any], Reply]) -> list[Reply]:
    replies: list[Reply] = []

    @many(ENOUGH)
    @given(strategy)
    def go(made: Any) -> None:
        replies.append(judged(each(made)))

    go()
    return replies


def test_any_json_is_a_body_that_is_refused(asker: Asker) -> None:
    replies = every(ANY_JSON, lambda made: asker.post(json.dumps(made).encode()))
    assert {reply.status for reply in replies} == {400}
    assert set.union(*(reply.codes for reply in replies)) == {"BAD_USER_INPUT"}


def test_any_bytes_are_a_body_that_is_refused(asker: Asker) -> None:
    replies = every(st.binary(max_size=200), asker.post)
    assert {reply.status for reply in replies} == {400}


def test_any_json_may_stand_where_the_request_has_its_parts(asker: Asker) -> None:
    token = asker.good_token(CUSTOMERS[0])
    replies = every(REQUESTS, lambda made: asker.post(json.dumps(made).encode(), token))
    assert {reply.status for reply in replies} == {200, 400}
    assert any("data" in reply.answer for reply in replies)


def test_any_variables_are_taken_or_refused_by_name(asker: Asker) -> None:
    token = asker.good_token(CUSTOMERS[0])
    variables = st.fixed_dictionaries({}, optional=dict.fromkeys(("id", "after", "first", "show", "other"), ANY_JSON))
    queries = st.sampled_from([query for query in QUERIES if "$" in query])
    made = st.fixed_dictionaries({"query": queries, "variables": variables})
    accept = "application/graphql-response+json"
    replies = every(made, lambda made: asker.post(json.dumps(made).encode(), token, accept=accept))
    refused = [reply for reply in replies if reply.status == 400]
    assert refused
    assert all("data" not in reply.answer for reply in refused)


def test_broken_json_is_refused(asker: Asker) -> None:
    @st.composite
    def broken(draw: st.DrawFn) -> bytes:
        whole = bytearray(json.dumps(draw(REQUESTS)).encode())
        for _ in range(draw(st.integers(1, 3))):
            whole[draw(st.integers(0, len(whole) - 1))] = draw(st.integers(0, 255))
        return bytes(whole[: draw(st.integers(1, len(whole)))])

    every(broken(), asker.post)


VISIBLE = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), max_size=60)
MEDIA_TYPES = st.sampled_from(
    ["application/json", "application/graphql-response+json", "text/html", "multipart/mixed", "*/*", "text/plain", ""]
)
PARAMETERS = st.sampled_from(
    ["", "; charset=utf-8", "; charset=utf-16", ";q=0", ";q=x", "; boundary=x", ";;=", ", */*"]
)
MEDIA = st.builds(str.__add__, MEDIA_TYPES, PARAMETERS) | VISIBLE
HEADERS = st.fixed_dictionaries(
    {},
    optional={
        "content_type": MEDIA,
        "accept": MEDIA,
        "accept_language": st.sampled_from(["en", "de;q=1, en;q=nan", "ru;q=-1", "*"]) | VISIBLE,
        "authorization": st.sampled_from(["Bearer", "Bearer a b", "Basic YTpi", "bearer null"]) | VISIBLE,
        "origin": st.sampled_from(["null", "https://evil.example", "http://127.0.0.1"]) | VISIBLE,
        "x_forwarded_for": st.sampled_from(["1.2.3.4", "::1, ::2", "unknown"]) | VISIBLE,
        "x_forwarded_proto": VISIBLE,
        "cookie": st.sampled_from(["__Host-kabinet=x", "__Host-kabinet=x; __Host-kabinet=y", "=;=;"]) | VISIBLE,
        "content_encoding": st.sampled_from(["gzip", "br", "identity"]) | VISIBLE,
    },
)


def test_any_headers_are_borne(asker: Asker) -> None:
    body = b'{"query": "{ __typename }"}'
    replies = every(HEADERS, lambda headers: asker.post(body, **headers))
    assert {reply.status for reply in replies} >= {200, 401, 415}


def test_any_query_string_is_a_get_that_is_answered(asker: Asker) -> None:
    names = st.sampled_from(["query", "variables", "operationName", "extensions"])
    values = WORDS | TEXTS.filter(_is_text) | ANY_JSON.map(json.dumps)
    replies = every(st.dictionaries(names, values, max_size=4), asker.get)
    assert any("data" in reply.answer for reply in replies)


def _is_text(value: str) -> bool:
    return not any("\ud800" <= each <= "\udfff" for each in value)
