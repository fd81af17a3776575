"""Each fault of the proxy does to a plain client what it says."""

import asyncio
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from random import Random

import pytest

from tests.fakes.certificates import Authority
from tests.patience import PATIENCE_SECONDS, until
from tests.resilience.fault_proxy import FaultProxy, Flapping, fault_proxy
from tests.resilience.faults import (
    Bandwidth,
    BlackHole,
    Cut,
    Drip,
    ForeignCertificate,
    Hang,
    Latency,
    PlainBytes,
    Refuse,
    Reset,
)


class Echo:
    """An upstream that answers each line with itself, ten times."""

    def __init__(self) -> None:
        self.lines: list[bytes] = []
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._socket.accept()
                threading.Thread(target=self._answer, args=[client], daemon=True).start()

    def _answer(self, client: socket.socket) -> None:
        with client, client.makefile("rb") as lines, suppress(OSError):
            for line in lines:
                self.lines.append(line)
                client.sendall(line * 10)

    def close(self) -> None:
        with suppress(OSError):  # closed already
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()


@pytest.fixture
def echo() -> Iterator[Echo]:
    echo = Echo()
    yield echo
    echo.close()


@pytest.fixture
def proxy(echo: Echo) -> Iterator[FaultProxy]:
    with fault_proxy("127.0.0.1", echo.port) as proxy:
        yield proxy


SHORT_SECONDS = 0.05
"""How long is waited for what does not come."""


def connected(proxy: FaultProxy, seconds: float = PATIENCE_SECONDS) -> socket.socket:
    return socket.create_connection(("127.0.0.1", proxy.port), timeout=seconds)


def assert_silent(client: socket.socket) -> None:
    """Ask, and get nothing."""
    client.settimeout(SHORT_SECONDS)
    with pytest.raises(TimeoutError):
        ask(client)
    client.settimeout(PATIENCE_SECONDS)


def ask(client: socket.socket, line: bytes = b"hello\n") -> bytes:
    """The answer to a line, as far as it comes."""
    client.sendall(line)
    return received(client, 10 * len(line))


def received(client: socket.socket, size: int) -> bytes:
    got = b""
    while len(got) < size and (data := client.recv(size - len(got))):
        got += data
    return got


def test_healthy_it_passes_everything_and_counts(proxy: FaultProxy) -> None:
    with connected(proxy) as one, connected(proxy) as two:
        assert ask(one) == b"hello\n" * 10
        assert ask(two, b"x" * 200_000 + b"\n") == (b"x" * 200_000 + b"\n") * 10
        assert (proxy.connections, proxy.open_connections) == (2, 2)
    until(lambda: proxy.open_connections == 0)
    assert (proxy.bytes_up, proxy.bytes_down) == (200_007, 2_000_070)
    assert proxy.address == f"127.0.0.1:{proxy.port}"


def test_latency_delays_each_answer_with_jitter_from_the_source(echo: Echo) -> None:
    jitter = Random(7).uniform(-20, 20)  # noqa: S311 - what the proxy will draw
    with fault_proxy("127.0.0.1", echo.port, random=Random(7)) as proxy, connected(proxy) as client:  # noqa: S311
        assert ask(client)
        proxy.set(Latency(60, jitter=20))
        start = time.monotonic()
        assert ask(client)
        assert time.monotonic() - start >= (60 + jitter) / 1000 - 0.002


def test_bandwidth(proxy: FaultProxy) -> None:
    with connected(proxy) as client:
        proxy.set(Bandwidth(50_000))
        start = time.monotonic()
        assert len(ask(client, b"x" * 499 + b"\n")) == 5_000
        assert time.monotonic() - start >= 0.08


def test_a_drip_can_be_healed_in_the_middle_of_an_answer(proxy: FaultProxy) -> None:
    with connected(proxy) as client:
        proxy.set(Drip(20))
        start = time.monotonic()
        client.sendall(b"hello\n")
        assert received(client, 3) == b"hel"
        assert time.monotonic() - start >= 0.038
        proxy.heal()
        assert received(client, 57) == (b"hello\n" * 10)[3:]


def test_reset_at_once_hits_open_and_new_connections(proxy: FaultProxy) -> None:
    with connected(proxy) as client:
        assert ask(client)
        proxy.set(Reset())
        with pytest.raises(ConnectionResetError):
            client.recv(1)
    with pytest.raises(ConnectionError), connected(proxy) as client:
        ask(client)


@pytest.mark.parametrize("size", [0, 17])
def test_reset_in_the_middle_of_an_answer(proxy: FaultProxy, echo: Echo, size: int) -> None:
    with connected(proxy) as client:
        assert ask(client)
        proxy.set(Reset(after_bytes=size))
        client.sendall(b"hello\n")
        assert received(client, size) == (b"hello\n" * 10)[:size]
        with pytest.raises(ConnectionResetError):
            client.recv(1)
    assert len(echo.lines) == 2


def test_cut_ends_in_good_order(proxy: FaultProxy) -> None:
    with connected(proxy) as client:
        assert ask(client)
        proxy.set(Cut(after_bytes=17))
        assert ask(client) == (b"hello\n" * 10)[:17]
        assert client.recv(1) == b""


def test_hang_swallows_the_request(proxy: FaultProxy, echo: Echo) -> None:
    with connected(proxy) as client:
        proxy.set(Hang())
        assert_silent(client)
        until(lambda: any(each.swallowed for each in proxy._open))
        assert not echo.lines
        proxy.heal()
        with pytest.raises(ConnectionResetError):
            client.recv(1)
    with connected(proxy) as client:
        assert ask(client)


def test_hang_after_delivering_keeps_the_answer_back(proxy: FaultProxy, echo: Echo) -> None:
    with connected(proxy) as client:
        proxy.set(Hang(delivers=True))
        assert_silent(client)
        until(lambda: echo.lines == [b"hello\n"])
        proxy.heal()
        assert received(client, 60) == b"hello\n" * 10


def test_a_black_hole_answers_no_syn_and_silences_open_connections(proxy: FaultProxy, echo: Echo) -> None:
    with connected(proxy) as client:
        assert ask(client)
        proxy.set(BlackHole())
        with pytest.raises(TimeoutError):
            connected(proxy, SHORT_SECONDS)
        assert_silent(client)
        assert len(echo.lines) == 1
        proxy.heal()
        assert received(client, 60) == b"hello\n" * 10
    made = proxy.connections
    with connected(proxy) as client:
        assert ask(client)
    assert proxy.connections == made + 1


def test_from_a_black_hole_to_refusing(proxy: FaultProxy) -> None:
    proxy.set(BlackHole())
    proxy.set(Refuse())
    with pytest.raises(ConnectionRefusedError):
        connected(proxy)


def test_refuse_and_the_same_port_again(proxy: FaultProxy) -> None:
    port = proxy.port
    with connected(proxy) as client:
        assert ask(client)
        proxy.set(Refuse())
        with pytest.raises(ConnectionResetError):
            client.recv(1)
    with pytest.raises(ConnectionRefusedError):
        connected(proxy)
    proxy.heal()
    assert proxy.port == port
    with connected(proxy) as client:
        assert ask(client)


def test_an_upstream_that_is_away_resets(echo: Echo) -> None:
    with fault_proxy("127.0.0.1", echo.port) as proxy:
        echo.close()
        with pytest.raises(ConnectionResetError), connected(proxy) as client:
            client.recv(1)


def test_flapping_follows_the_clock(proxy: FaultProxy) -> None:
    times = iter([100.0, 100.0, 104.9, 105.0, 107.9, 108.0, 112.9, 113.0])
    flapping = Flapping(proxy, up_seconds=5, down_seconds=3, clock=lambda: next(times))
    seen = [(flapping.follow(), proxy.fault) for _ in range(7)]
    down = (False, Refuse())
    assert seen == [(True, None), (True, None), down, down, (True, None), (True, None), down]
    with pytest.raises(ConnectionRefusedError):
        connected(proxy)


def test_tls_of_nobody_and_plain_bytes_in_its_place(echo: Echo, tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    trusting = ssl.create_default_context(cafile=str(authority.file))

    def greet(proxy: FaultProxy) -> bytes:
        with connected(proxy) as raw, trusting.wrap_socket(raw, server_hostname="127.0.0.1") as client:
            return ask(client)

    with fault_proxy("127.0.0.1", echo.port, tls=authority.server("127.0.0.1")) as proxy:
        assert greet(proxy) == b"hello\n" * 10
        proxy.set(ForeignCertificate())
        with pytest.raises(ssl.SSLCertVerificationError, match="self-signed"):
            greet(proxy)
        proxy.set(ForeignCertificate(authority.server("elsewhere.example")))
        with pytest.raises(ssl.SSLCertVerificationError, match="IP address mismatch"):
            greet(proxy)
        proxy.set(PlainBytes(b"220 mail.example ESMTP\r\n"))
        with pytest.raises(ssl.SSLError):
            greet(proxy)
        proxy.heal()
        assert greet(proxy)
    assert len(echo.lines) == 2


def test_it_serves_an_asynchronous_client_in_the_tests_own_loop(proxy: FaultProxy) -> None:
    async def greet() -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        writer.write(b"hello\n")
        answer = await reader.readexactly(60)
        writer.close()
        await writer.wait_closed()
        return answer

    assert asyncio.run(greet()) == b"hello\n" * 10
