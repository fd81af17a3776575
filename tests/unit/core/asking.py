"""Asking the endpoint within a test's own process."""

import json
from typing import Any

from httpx2 import Response
from starlette.testclient import TestClient

from tests.unit.core.cabinets import bearer

JSON = "application/json"
NAME = "{ dashboard { profile { displayName } } }"


def post(http: TestClient, body: Any, *, content_type: str = JSON, **headers: str) -> Response:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    named = {"Content-Type": content_type, **{name.replace("_", "-"): value for name, value in headers.items()}}
    return http.post("/graphql", content=raw, headers=named)


def ask(http: TestClient, query: str, variables: dict[str, Any] | None = None, **headers: str) -> Any:
    response = post(http, {"query": query, "variables": variables}, **{**bearer(), **headers})
    assert response.status_code == 200
    return response.json()


def codes(response: Response) -> list[str]:
    return [error["extensions"]["code"] for error in response.json()["errors"]]
