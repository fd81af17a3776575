"""
What a bad input costs: the processor's time from its first byte to its refusal, in the application itself.

`python -m bench.edge`. Each must stay below 50 ms. The last lines are what a good request pays for the limits.
"""

import asyncio
import gc
import json
import time
from collections.abc import Iterator, MutableMapping
from statistics import median
from typing import Any

import structlog
from graphql import get_introspection_query
from starlette.types import ASGIApp

from bff.app import assemble, create_app
from bff.demo.run import demo_headers, demo_settings
from bff.schema import graphql_schema
from bff.serving import settle_memory
from bff.web.graphiql_page import READY_QUERY
from bff.web.limits import LimitSettings
from bff.web.operations import Operations

REPEATS = 7
BUDGET_MS = 50.0
ROUNDS = 9


def bodies() -> Iterator[tuple[str, bytes]]:
    """Bad inputs by name."""
    yield "invalid UTF-8", b'{"query": "' + b"\xff" * 60_000 + b'"}'
    yield "20,000 deep", b"[" * 30_000 + b"]" * 30_000
    yield "64 KB of names", b'{"query": "{ __typename }", "variables": {' + b'"a": 1,' * 9_000 + b'"a": 1}}'
    yield "5 MB", b'{"query": "' + b" " * 5_000_000 + b'"}'
    for name, query in queries():
        # Each time another text: what is remembered costs nothing.
        yield name, json.dumps({"query": query + " # %d"}).encode()


def queries() -> Iterator[tuple[str, str]]:
    """Bad documents by name."""
    name = "dashboard { profile { displayName } }"
    deep = " ".join(f"fragment f{each} on Query {{ ...f{each + 1} ...f{each + 1} }}" for each in range(80))
    nested = "price { amount amount } price { amount amount } "
    for _ in ("product", "lines", "lastOrder"):
        nested = f"{_} {{ {nested} }} {_} {{ {nested} }} "
    yield "1,000 aliases", "{" + " ".join(f"a{each}: {name}" for each in range(1_000)) + "}"
    yield "160 aliases", "{" + " ".join(f"a{each}: {name}" for each in range(140)) + "}"
    yield "900 times __typename", "{" + "__typename " * 900 + "}"
    yield "the same in a fragment", "{ __typename } fragment f on Query { " + "__typename " * 900 + "}"
    yield "3,000 duplicate fields", "{" + "dashboard " * 3_000 + "}"
    yield "140 duplicate sections", "{" + f"{name} " * 140 + "}"
    yield "duplicates in duplicates", "{ dashboard { " + nested * 6 + "} }"
    yield "20,000 unknown fields", "{" + " ".join(f"x{each}" for each in range(9_000)) + "}"
    yield "900 unknown fields", "{ dashboard {" + " ".join(f"x{each}" for each in range(900)) + "} }"
    yield "padding by comments", "#\n" * 20_000 + "{ __typename }"
    yield "a comment of 60 KB", "#" + "x" * 60_000 + "\n{ __typename }"
    yield "a string of 60 KB", '{ node(id: "' + "x" * 60_000 + '") { nothing } }'
    yield "a block string of 60 KB", '{ node(id: """' + "x " * 30_000 + '""") { nothing } }'
    yield "depth 400", "{" + "a { " * 400 + "b" + " }" * 401
    yield "depth 190", "{" + "a { " * 190 + "b" + " }" * 191
    yield "inline fragments", "{" + "... { " * 190 + "__typename" + " }" * 191
    yield "lists in lists", "{ node(id: " + "[" * 190 + "]" * 190 + ") { id } }"
    yield (
        "a fragment cycle",
        "{ ...a0 } " + " ".join(f"fragment a{each} on Query {{ ...a{(each + 1) % 100} }}" for each in range(100)),
    )
    yield "fragments that double", "{ ...f0 } " + deep + " fragment f80 on Query { __typename }"
    yield (
        "100 fragments side by side",
        "{"
        + " ".join(f"...f{each}" for each in range(100))
        + "} "
        + " ".join(f"fragment f{each} on Query {{ __typename }}" for each in range(100)),
    )
    yield (
        "160 operations",
        " ".join(f"query q{each} {{ ...f }}" for each in range(160)) + (" fragment f on Query { __typename }"),
    )
    yield "240 variables", "query (" + " ".join(f"$a{each}: Int" for each in range(240)) + ") { __typename }"
    yield "450 directives", "{ __typename" + " @a" * 450 + " }"
    yield "300 arguments", "{ node(" + " ".join(f"a{each}: 1" for each in range(300)) + ") { id } }"
    yield "introspection", get_introspection_query()
    yield "circular introspection", "{ __schema { types { fields { type { fields { type { name } } } } } } }"
    yield "a page of 60,000 digits", "{ dashboard { offers(first: " + "9" * 60_000 + ") { totalCount } } }"


async def cost_ms(app: ASGIApp, body: bytes, headers: list[tuple[bytes, bytes]]) -> tuple[float, int]:
    """The processor's milliseconds for one request, and its status."""
    status = 0

    async def receive() -> MutableMapping[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: MutableMapping[str, Any]) -> None:
        nonlocal status
        status = message.get("status", status)

    scope = {"type": "http", "method": "POST", "path": "/graphql", "query_string": b"", "headers": headers}
    started = time.process_time()
    await app(scope, receive, send)
    return (time.process_time() - started) * 1_000, status


async def main() -> None:
    """Print one line an input."""
    settings = demo_settings(graphiql=False, introspection=False)
    app = create_app(assemble(settings))
    token = demo_headers()["Authorization"].encode()
    headers = [(b"content-type", b"application/json"), (b"authorization", token)]
    settle_memory()
    worst = 0.0
    for name, body in bodies():
        costs = []
        for number in range(REPEATS):
            gc.collect()
            costs.append(await cost_ms(app, body.replace(b"%d", b"%d" % number, 1), headers))
        middle, status = median(cost for cost, _ in costs), costs[0][1]
        worst = max(worst, middle)
        print(f"{name:32} {middle:7.1f} ms  HTTP {status}{'   TOO MUCH' if middle > BUDGET_MS else ''}")
    print(f"{'the worst':32} {worst:7.1f} ms")
    known_ms()
    body = json.dumps({"query": "{ __typename }"}).encode()
    with_limits, without = [], []
    check = Operations.check
    for _ in range(ROUNDS):
        with_limits.append(await whole_ms(app, body, headers))
        Operations.check = lambda *_: None  # type: ignore[method-assign]
        without.append(await whole_ms(app, body, headers))
        Operations.check = check  # type: ignore[method-assign]
    on, off = min(with_limits), min(without)
    print(f"{'a whole request, __typename':32} {on:7.4f} ms with limits, {off:.4f} without: a ratio of {on / off:.3f}")


async def whole_ms(app: ASGIApp, body: bytes, headers: list[tuple[bytes, bytes]]) -> float:
    """A small good request in the application, on the average of some hundred."""
    costs = [(await cost_ms(app, body, headers))[0] for _ in range(300)]
    return sum(costs) / len(costs)


def known_ms() -> None:
    """What the limits cost a request whose document is remembered."""
    operations = Operations(graphql_schema(), LimitSettings(), introspection=False)
    sized = READY_QUERY.replace("query Dashboard", "query Dashboard($n: Int!)").replace("first: 12", "first: $n")
    for name, query, variables in (("a known operation", READY_QUERY, {}), ("with pages", sized, {"n": 20})):
        operation = operations.find(query, None, None)
        number = 2_000
        started = time.process_time()
        for _ in range(number):
            operations.find(query, None, None)
        found = time.process_time()
        for _ in range(number):
            operations.check(operation, variables)
        checked = time.process_time()
        print(
            f"{name:32} {(found - started) / number * 1e3:7.4f} ms to find it, "
            f"{(checked - found) / number * 1e3:.4f} ms for the limits"
        )


if __name__ == "__main__":
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    asyncio.run(main())
