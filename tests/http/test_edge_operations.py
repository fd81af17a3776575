"""Persisted operations: ids as front ends make them, in stages; and queries by GET."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from graphql import parse, print_ast
from structlog.testing import capture_logs

from bff.app import assemble
from bff.config import SettingsError
from bff.demo.launch import DemoOffices
from bff.demo.run import demo_headers, demo_settings, serving
from tests.http.edge import Edge
from tests.patience import patient

TEXT = "query Name {\n  dashboard {\n    profile {\n      displayName\n    }\n  }\n}\n"
UNKNOWN = "query Other { __typename }"
TWO = "query A { ...f } query B { a: __typename }\nfragment f on Query { __typename }\n"


def id_of(text: str) -> str:
    return sha256(text.encode()).hexdigest()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """One document in a file of its own, others in the manifests of three tools."""
    folder = tmp_path / "operations"
    folder.mkdir()
    (folder / "name.graphql").write_text(TEXT, encoding="utf-8")
    (folder / "two.graphql").write_text(TWO, encoding="utf-8")
    codegen = {"codegen-1": "query Codegen { __typename }"}
    (folder / "persisted-documents.json").write_text(json.dumps(codegen), encoding="utf-8")
    apollo = {
        "format": "apollo-persisted-query-manifest",
        "version": 1,
        "operations": [{"id": id_of("query Apollo { __typename }"), "name": "Apollo", "type": "query",
                        "body": "query Apollo { __typename }"}],
    }  # fmt: skip
    (folder / "manifest.json").write_text(json.dumps(apollo), encoding="utf-8")
    (folder / "README.md").write_text("not a document", encoding="utf-8")
    return folder


def stored_in(folder: Path) -> dict[str, Any]:
    """The demo's own store is a folder of its own, which a cabinet that is never made does not close."""
    return {"store": {"path": str(folder / "kabinet.sqlite")}}


@contextmanager
def cabinet(offices: DemoOffices, **server: Any) -> Iterator[Edge]:
    with serving(assemble(demo_settings(offices, over=patient(server=server)))) as address:
        yield Edge(address)


def by_hash(text_id: str, **more: Any) -> dict[str, Any]:
    return {"extensions": {"persistedQuery": {"version": 1, "sha256Hash": text_id}}, **more}


def test_known_operations_are_executed_by_every_id_that_clients_make(folder: Path, offices: DemoOffices) -> None:
    with cabinet(offices, operations=folder, operations_mode="known-only") as edge:
        printed = print_ast(parse(TEXT))
        for asked in (
            by_hash(id_of(TEXT)),
            by_hash(id_of(TEXT.strip())),
            by_hash(id_of(printed)),
            by_hash(id_of(printed).upper()),
            {"documentId": id_of(TEXT)},
            {"documentId": f"sha256:{id_of(TEXT)}"},
            {"query": TEXT},
            {"query": printed},
            by_hash(id_of(TEXT), query=TEXT, operationName="Name"),
        ):
            assert edge.post(asked, **demo_headers()).json == {
                "data": {"dashboard": {"profile": {"displayName": "Анна Соколова"}}}
            }
        for asked in ({"documentId": "codegen-1"}, by_hash(id_of("query Apollo { __typename }"))):
            assert edge.post(asked).json == {"data": {"__typename": "Query"}}
        assert edge.post({"documentId": id_of(TWO), "operationName": "B"}).json == {"data": {"a": "Query"}}
        one = "query A {\n  ...f\n}\n\nfragment f on Query {\n  __typename\n}"
        assert edge.post({"documentId": id_of(one)}).json == {"data": {"__typename": "Query"}}


def test_where_only_known_operations_are_executed_no_other_is(folder: Path, offices: DemoOffices) -> None:
    with cabinet(offices, operations=folder, operations_mode="known-only") as edge:
        offices_before = [office.calls() for office in offices]
        for asked in (
            {"query": UNKNOWN},
            {"query": TEXT + " "},
            {"documentId": id_of(UNKNOWN)},
            by_hash(id_of(UNKNOWN)),
            by_hash(id_of(UNKNOWN), query=UNKNOWN),
            {"documentId": id_of(TEXT), "query": UNKNOWN},
        ):
            reply = edge.post(asked, Accept="application/graphql-response+json", **demo_headers())
            assert (reply.status, reply.codes) == (400, {"PERSISTED_QUERY_NOT_FOUND"})
        # Nothing was learnt from the text that came with its hash.
        assert edge.post(by_hash(id_of(UNKNOWN))).codes == {"PERSISTED_QUERY_NOT_FOUND"}
        assert [office.calls() for office in offices] == offices_before


def test_in_the_first_stage_others_are_executed_and_logged(folder: Path, offices: DemoOffices) -> None:
    with capture_logs() as logs, cabinet(offices, operations=folder) as edge:
        assert edge.post({"query": UNKNOWN}).json == {"data": {"__typename": "Query"}}
        assert edge.post({"documentId": "codegen-1"}).json == {"data": {"__typename": "Query"}}
        assert edge.post(by_hash(id_of(UNKNOWN))).codes == {"PERSISTED_QUERY_NOT_FOUND"}
        assert edge.post(by_hash(id_of(UNKNOWN), query=UNKNOWN)).json == {"data": {"__typename": "Query"}}
    known = [(line["name"], line["known"]) for line in logs if line["event"] == "operation"]
    assert known == [("Other", False), ("Codegen", True), ("Other", False)]


def test_without_a_folder_ids_are_not_supported_and_texts_beside_them_are_executed(offices: DemoOffices) -> None:
    with cabinet(offices) as edge:
        for asked in ({"documentId": id_of(TEXT)}, by_hash(id_of(TEXT))):
            assert edge.post(asked).codes == {"PERSISTED_QUERY_NOT_SUPPORTED"}
        assert edge.post(by_hash(id_of(UNKNOWN), query=UNKNOWN)).json == {"data": {"__typename": "Query"}}


@pytest.mark.parametrize(
    "asked",
    [
        by_hash(id_of(TEXT), query=UNKNOWN),
        by_hash("x" * 64, query=UNKNOWN),
        by_hash(id_of(TEXT), documentId=id_of(UNKNOWN)),
        {"extensions": {"persistedQuery": {}}},
        {"extensions": {"persistedQuery": {"sha256Hash": 5}}},
        {"extensions": {"persistedQuery": "x"}, "query": UNKNOWN},
        {"documentId": 5},
        {"documentId": ["x"]},
        {"documentId": ""},
        {"documentId": "sha256:"},
    ],
)
def test_an_id_that_is_none_or_not_its_texts_is_bad_input(front: Any, asked: dict[str, Any]) -> None:
    reply = Edge(front.address).post(asked)
    assert (reply.status, reply.codes) == (400, {"BAD_USER_INPUT"})


def test_what_is_wrong_in_the_folder_is_a_fault_of_the_settings(folder: Path, tmp_path: Path) -> None:
    (folder / "a.graphql").write_text("{ nonsense }", encoding="utf-8")
    (folder / "b.graphql").write_text("{", encoding="utf-8")
    (folder / "c.graphql").write_bytes(b"\xff")
    (folder / "d.json").write_text("[1]", encoding="utf-8")
    (folder / "e.json").write_text('{"codegen-1": "query Another { __typename }"}', encoding="utf-8")
    (folder / "f.graphql").write_text("{" + "a {" * 11 + "b" + "}" * 12, encoding="utf-8")
    with pytest.raises(SettingsError) as caught:
        assemble(demo_settings(over=stored_in(tmp_path), operations=folder))
    starts = sorted(fault.split(": ")[1] for fault in caught.value.faults)
    assert starts == ["a.graphql", "b.graphql", "c.graphql", "d.json", "f.graphql", "persisted-documents.json"]
    assert all(fault.startswith("server.operations: ") for fault in caught.value.faults)
    assert any("QUERY_TOO_DEEP" in fault for fault in caught.value.faults)


def test_an_empty_folder_and_none_are_faults(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"holds no \*\.graphql"):
        assemble(demo_settings(over=stored_in(tmp_path), operations=tmp_path))
    with pytest.raises(SettingsError, match="there is no folder"):
        demo_settings(operations=tmp_path / "none")
    with pytest.raises(SettingsError, match="known-only needs operations"):
        demo_settings(operations_mode="known-only")


def test_queries_may_come_by_get_where_that_is_switched_on(folder: Path, offices: DemoOffices) -> None:
    with cabinet(offices, get_queries=True, graphiql=True, operations=folder) as edge:

        def get(**parameters: str) -> Any:
            return edge.request("GET", "/graphql?" + urlencode(parameters), **demo_headers())

        query = "query q($id: ID!) { node(id: $id) { id } }"
        assert get(query=TEXT).json["data"]["dashboard"]["profile"]
        assert get(query=query, variables='{"id": "x"}', operationName="q").codes == {"NOT_FOUND"}
        assert get(documentId=id_of(TEXT)).json["data"]["dashboard"]["profile"]
        assert get(extensions=json.dumps(by_hash(id_of(TEXT))["extensions"]), variables="").status == 200
        for bad in ({}, {"query": ""}, {"query": query, "variables": "[1]"}, {"query": query, "variables": "{"}):
            reply = get(**bad)
            assert (reply.status, reply.codes) == (400, {"BAD_USER_INPUT"})
        for target in ("/graphql?query=a&query=b", "/graphql?query=%ff", "/graphql?" + "a=b&" * 30 + "query=a"):
            reply = edge.request("GET", target)
            assert (reply.status, reply.codes) == (400, {"BAD_USER_INPUT"})
        page = edge.request("GET", "/graphql", Accept="text/html")
        assert page.headers["content-type"].startswith("text/html")
        foreign = edge.request("GET", "/graphql?" + urlencode({"query": TEXT}), Sec_Fetch_Site="cross-site")
        assert (foreign.status, foreign.codes) == (403, {"FORBIDDEN"})
