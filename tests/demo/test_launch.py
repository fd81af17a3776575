"""Offices come up side by side, say why if they do not, and never outlive who started them."""

import signal
import socket
import subprocess
import sys

import pytest

from bff.demo.launch import DemoOffices, OfficeNotStarted, demo_office, demo_offices
from tests.patience import PATIENCE_SECONDS, until


def is_listening(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_addresses(offices: DemoOffices) -> None:
    assert offices.erp.address == f"http://127.0.0.1:{offices.erp.port}"
    assert offices.erp.service == f"{offices.erp.address}/shop/ws/cabinet.1cws"
    assert offices.cms.service == offices.cms.address
    assert [office.name for office in offices] == ["erp", "loyalty", "cms"]


def test_a_taken_port_is_named(offices: DemoOffices) -> None:
    taken = offices.cms.port
    with pytest.raises(OfficeNotStarted, match=f"cms did not start: cannot listen on 127.0.0.1:{taken}"):
        demo_offices(ports=(0, 0, taken)).__enter__()


def test_an_option_that_does_not_exist(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(OfficeNotStarted, match=r"cms ended \(status 2\)"):
        demo_office("cms", options={"colour": "red"}).__enter__()
    assert "--colour" in capfd.readouterr().err


def test_killed_and_started_again_on_its_port() -> None:
    with demo_office("cms") as first:
        first.kill()
        assert not is_listening(first.port)
        with demo_office("cms", port=first.port) as second:
            assert second.port == first.port
            assert second.calls() == {}
            assert second.process.stdin is not None
            second.process.stdin.close()
            assert second.process.wait(PATIENCE_SECONDS) == 0


def test_sigterm_ends_it_even_while_a_call_hangs() -> None:
    with demo_office("cms") as office, socket.socket() as client:
        office.faults(fail="hang")
        client.connect(("127.0.0.1", office.port))
        client.sendall(b"GET /api/promotions HTTP/1.1\r\nHost: demo\r\n\r\n")
        office.process.send_signal(signal.SIGTERM)
        assert office.process.wait(timeout=PATIENCE_SECONDS) == 0


def test_offices_die_with_their_parent() -> None:
    script = (
        "import time\n"
        "from bff.demo.launch import demo_offices\n"
        "with demo_offices() as offices:\n"
        "    print(*(office.port for office in offices), flush=True)\n"
        "    time.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        ports = [int(port) for port in parent.stdout.readline().split()]
        assert len(ports) == 3
        assert all(map(is_listening, ports))
        parent.kill()
    until(lambda: not any(map(is_listening, ports)), f"something still listens on one of {ports}")
