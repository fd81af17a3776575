"""How often somebody may ask, and whose word on where they are is believed."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from structlog.testing import capture_logs

from bff.app import assemble
from bff.demo.launch import DemoOffices
from bff.demo.run import demo_headers, demo_settings, serving
from bff.web import rates
from bff.web.networks import Networks
from bff.web.rates import RateLimit
from tests.http.edge import Edge

NAME = {"query": "{ dashboard { profile { displayName } } }"}
TYPE = {"query": "{ __typename }"}


@contextmanager
def cabinet(offices: DemoOffices, limits: dict[str, Any], **server: Any) -> Iterator[Edge]:
    with serving(assemble(demo_settings(offices, over={"limits": limits}, **server))) as address:
        yield Edge(address)


def test_a_customer_who_asks_too_often_waits_and_others_do_not(offices: DemoOffices) -> None:
    with capture_logs() as logs, cabinet(offices, {"customer_per_minute": 1, "customer_burst": 3}) as edge:
        statuses = [edge.post(NAME, **demo_headers()).status for _ in range(4)]
        assert statuses == [200, 200, 200, 429]
        asked = offices.erp.calls()
        reply = edge.post(NAME, Accept_Language="en", **demo_headers())
        assert reply.status == 429
        (error,) = reply.json["errors"]
        assert error["message"] == "Too many requests, try again later."
        assert error["extensions"] == {"code": "RATE_LIMITED", "retryAfter": int(reply.headers["retry-after"])}
        assert 1 <= int(reply.headers["retry-after"]) <= 60
        assert offices.erp.calls() == asked
        assert edge.post(NAME, **demo_headers("c-1002")).status == 200
        assert edge.post(TYPE).status == 200
    assert [line["of"] for line in logs if line["event"] == "rate limited"]
    assert "c-1001" not in str(logs)


def test_a_network_behind_a_proxy_waits_and_others_do_not(offices: DemoOffices) -> None:
    limits = {"network_per_minute": 1, "network_burst": 2}
    with cabinet(offices, limits, forwarded_from=["127.0.0.0/8"]) as edge:
        for _ in range(2):
            assert edge.post(TYPE, X_Forwarded_For="203.0.113.7").status == 200
        assert edge.post(TYPE, X_Forwarded_For="203.0.113.7").status == 429
        # What the client wrote himself stands left of what the proxy wrote.
        assert edge.post(TYPE, X_Forwarded_For="198.51.100.1, 203.0.113.7").status == 429
        assert edge.post(b"null", X_Forwarded_For="203.0.113.7").status == 429
        assert edge.post(TYPE, X_Forwarded_For="203.0.113.8").status == 200
        for host in ("2001:db8:1:2::1", "2001:db8:1:2:ffff::2"):
            assert edge.post(TYPE, X_Forwarded_For=host).status == 200
        assert edge.post(TYPE, X_Forwarded_For="2001:db8:1:2::3").status == 429
        assert edge.post(TYPE, X_Forwarded_For="2001:db8:1:3::1").status == 200


def test_this_machine_is_not_limited_and_nobody_else_is_believed(offices: DemoOffices) -> None:
    with cabinet(offices, {"network_per_minute": 1, "network_burst": 1}) as edge:
        for _ in range(5):
            assert edge.post(TYPE, X_Forwarded_For="203.0.113.7").status == 200


@pytest.mark.parametrize(
    ("peer", "forwarded_for", "name"),
    [
        ("198.51.100.1", None, "198.51.100.1"),
        ("198.51.100.1", b"203.0.113.7", "198.51.100.1"),
        ("10.1.2.3", b"203.0.113.7", "203.0.113.7"),
        ("10.1.2.3", b"1.1.1.1, 203.0.113.7, 10.9.9.9", "203.0.113.7"),
        ("10.1.2.3", b"203.0.113.7:5678", "203.0.113.7"),
        ("10.1.2.3", b"[2001:db8::1]:5678", "2001:db8::/64"),
        ("10.1.2.3", b"nonsense", "10.1.2.3"),
        ("10.1.2.3", b"203.0.113.7, nonsense", "10.1.2.3"),
        ("10.1.2.3", b", ,", "10.1.2.3"),
        ("10.1.2.3", b"\xff\x00", "10.1.2.3"),
        ("10.1.2.3", b"10.0.0.1" + b",10.0.0.1" * 5_000, "10.0.0.1"),
        ("10.1.2.3", b"1.1.1.1" + b", 10.0.0.1" * 5_000, "10.0.0.1"),
        ("::ffff:10.1.2.3", b"203.0.113.7", "203.0.113.7"),
        ("::ffff:198.51.100.1", b"203.0.113.7", "198.51.100.1"),
        ("fe80::1%eth0", None, "fe80::/64"),
        ("2001:db8:a:b:c:d:e:f", b"203.0.113.7", "2001:db8:a:b::/64"),
        ("fd00::5", b"203.0.113.7", "203.0.113.7"),
        (None, b"203.0.113.7", ""),
        ("a-unix-socket", None, ""),
    ],
)
def test_the_network_is_who_connected_or_whom_our_proxy_names(
    peer: str | None, forwarded_for: bytes | None, name: str
) -> None:
    assert Networks(["10.0.0.0/8", "fd00::/8"]).of(peer, forwarded_for).name == name


class Seconds:
    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


def test_a_bucket_fills_up_evenly() -> None:
    seconds = Seconds()
    limit = RateLimit("customer", 60, 10, seconds=seconds)
    assert [limit.wait("a") for _ in range(10)] == [0.0] * 10
    assert limit.wait("a") == pytest.approx(1.0)
    assert limit.wait("b") == 0.0
    seconds.now += 0.5
    assert limit.wait("a") == pytest.approx(0.5)
    seconds.now += 0.5
    assert limit.wait("a") == 0.0
    assert limit.wait("a") == pytest.approx(1.0)
    seconds.now += 3_600
    assert [limit.wait("a") for _ in range(11)].count(0.0) == 10


def test_a_limit_of_0_lets_everything_through() -> None:
    limit = RateLimit("customer", 0, 1)
    assert {limit.wait("a") for _ in range(1_000)} == {0.0}


def test_what_is_remembered_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rates, "MAX_KEPT", 100)
    limit = RateLimit("network", 1, 1, seconds=Seconds())
    for number in range(1_000):
        limit.wait(str(number))
    assert len(limit._full_at) == 100


def test_a_flood_is_a_line_a_second() -> None:
    seconds = Seconds()
    limit = RateLimit("network", 1, 1, seconds=seconds)
    with capture_logs() as logs:
        for _ in range(100):
            limit.wait("203.0.113.7")
        seconds.now += 1.0
        limit.wait("203.0.113.7")
    assert [(line["event"], line["of"], line["refused"]) for line in logs] == [
        ("rate limited", "network", 1),
        ("rate limited", "network", 99),
    ]
