"""
A real redis-server on a port of its own, without persistence, that can be hung, killed, emptied and filled.

Where there is none the tests are skipped, and say so; with CI=true they fail.
"""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

import pytest
from redis import Redis
from redis.exceptions import RedisError

from tests.patience import until


def redis_binary() -> str:
    """Where redis-server is; skips the test where it is nowhere, fails where CI=true."""
    binary = shutil.which("redis-server")
    if binary is None:
        message = "redis-server is not installed (apt-get install redis-server): the Redis tier is NOT tested"
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(message)
    return binary


def free_port() -> int:
    """A port that nobody has, such that the one 10,000 above it (a cluster's bus) exists."""
    while True:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = int(probe.getsockname()[1])
        if port < 55_000:
            return port


class RedisServer:
    """A server that runs from `start` to `close`. `options` are those of the command line, without dashes."""

    def __init__(self, **options: str) -> None:
        self._binary = redis_binary()
        self.port = free_port()
        self.options = options
        self._process: subprocess.Popen[bytes] | None = None
        self._folder = tempfile.TemporaryDirectory(prefix="kabinet-redis-")
        self.socket = str(Path(self._folder.name) / "redis.sock")
        self.admin: Any = Redis(port=self.port, password=options.get("requirepass"), protocol=2)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def url(self) -> str:
        """Its address."""
        return f"redis://127.0.0.1:{self.port}"

    def start(self) -> Self:
        """Start it, empty, and wait until it answers."""
        settings = {
            "port": str(self.port),
            "bind": "127.0.0.1",
            "unixsocket": self.socket,
            "dir": self._folder.name,
            "save": "",
            "appendonly": "no",
        } | {name.replace("_", "-"): value for name, value in self.options.items()}
        arguments = [part for name, value in settings.items() for part in (f"--{name}", value)]
        self._run(*arguments)
        return self

    def _run(self, *arguments: str) -> None:
        self._process = subprocess.Popen(
            [self._binary, *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        wait_for(self._answers)

    def kill(self) -> None:
        """End it at once, without a word to anybody (kill -9)."""
        self._signal(signal.SIGKILL)
        assert self._process is not None
        self._process.wait()
        self._process = None

    def stop(self) -> None:
        """Hang it: connections stay, nothing is answered."""
        self._signal(signal.SIGSTOP)

    def cont(self) -> None:
        """Go on after `stop`."""
        self._signal(signal.SIGCONT)

    def flush(self) -> None:
        """Lose all keys."""
        self.admin.flushall()

    def fill(self) -> None:
        """Refuse writes from now on, as when the memory is full."""
        self.admin.config_set("maxmemory-policy", "noeviction")
        self.admin.config_set("maxmemory", "1")

    def empty(self) -> None:
        """Take writes again after `fill`."""
        self.admin.config_set("maxmemory", "0")

    def close(self) -> None:
        """Let go of everything; it may be running, hung or dead."""
        if self._process is not None:
            self.kill()
        self.admin.close()
        self._folder.cleanup()

    def _signal(self, number: signal.Signals) -> None:
        assert self._process is not None, "the server does not run"
        self._process.send_signal(number)

    def _answers(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, "redis-server ended at once"
        try:
            return bool(self.admin.ping())
        except RedisError:
            return False


class SentinelServer(RedisServer):
    """A Sentinel that watches one server by the name of `shop`."""

    def __init__(self, watched: RedisServer) -> None:
        super().__init__()
        self._watched = watched

    def start(self) -> Self:
        """Start it, and wait until it answers."""
        config = Path(self._folder.name) / "sentinel.conf"
        config.write_text(
            f"port {self.port}\nbind 127.0.0.1\ndir {self._folder.name}\n"
            f"sentinel monitor shop 127.0.0.1 {self._watched.port} 1\n"
        )
        self._run(str(config), "--sentinel")
        return self


def wait_for(condition: Callable[[], bool]) -> None:
    """Wait for something that a server brings about."""
    until(condition, "redis-server does not do what it should")
