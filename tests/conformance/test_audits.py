"""GraphQL over HTTP, as the audits of `graphql-http` judge it."""

from collections import Counter
from collections.abc import Iterable

import pytest

from bff.app import assemble
from bff.demo.run import demo_settings, serving
from tests.conformance.audits import Audit, install, run_audits

ALL = 61
GET = {"5A70", "D6D5", "6A70"}
"""Queries by GET, which a service MAY answer."""
INTROSPECTION = {"2EA1", "28B9"}
"""They ask `__type(name: "sometype")` to see whether variables are heard; no other field would be in every schema."""


@pytest.fixture(scope="module", autouse=True)
def _installed() -> None:
    install()


def audited(**server: bool) -> list[Audit]:
    """Audit a cabinet with these settings. No audit asks for anything of a back office: none is running."""
    with serving(assemble(demo_settings((), over={"server": server}))) as address:
        return run_audits(f"{address}/graphql")


def not_ok(audits: Iterable[Audit]) -> dict[str, Audit]:
    return {audit.id: audit for audit in audits if audit.status != "ok"}


def test_every_audit_is_ok_where_queries_may_come_by_get() -> None:
    audits = audited(get_queries=True)
    assert not_ok(audits) == {}
    assert len({audit.id for audit in audits}) == len(audits) == ALL


def test_as_it_ships_the_three_get_audits_are_notices_and_all_else_is_ok() -> None:
    audits = audited()
    assert Counter(audit.status for audit in audits) == {"ok": ALL - len(GET), "notice": len(GET)}, not_ok(audits)
    assert set(not_ok(audits)) == GET


def test_without_introspection_nothing_else_fails_but_what_introspects() -> None:
    audits = audited(introspection=False, graphiql=False)
    failed = not_ok(audits)
    assert set(failed) == GET | INTROSPECTION
    for audit in (failed[name] for name in INTROSPECTION):
        assert audit.response is not None
        assert "GRAPHQL_VALIDATION_FAILED" in audit.response["body"]
