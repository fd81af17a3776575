"""
`kabinet` without the second that its imports take: a process that has them forks once a command.

The documents run it a dozen times. What runs is `bff.cli.main`, as the installed command does, with the caller's
folder, environment and streams. `python -m tests.docs.warm <socket>` is that process.
"""

import importlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bff.plugins import discover
from tests.docs.patient_defaults import raise_limits

_CLIENT = """#!{python} -IS
import json, os, socket, sys
with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as server:
    server.connect({path!r})
    asked = json.dumps([sys.argv[1:], os.getcwd(), dict(os.environ)]).encode()
    socket.send_fds(server, [asked], [0, 1, 2])
    sys.exit(int(server.recv(16)))
"""


@contextmanager
def warm_kabinet(folder: Path) -> Iterator[Path]:
    """Keep the process for as long as the context lasts; gives the folder in which `kabinet` lies, if it can be had."""
    if sys.platform != "linux":
        yield folder  # empty: the installed command is found behind it
        return
    path = folder / "socket"
    client = folder / "kabinet"
    client.write_text(_CLIENT.format(python=sys.executable, path=str(path)), encoding="utf-8")
    client.chmod(0o755)
    command = [sys.executable, "-m", "tests.docs.warm", str(path)]
    wide = {**os.environ, "COLUMNS": "160"}  # read when the console is made, before any command comes
    with subprocess.Popen(command, env=wide, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        try:
            assert process.stdout.readline() == b"ready\n"
            yield folder
        finally:
            process.terminate()


def _serve(path: str) -> None:
    raise_limits()  # before anything is made of the settings
    for module in ("bff.cli", "bff.demo.run", "bff.serving"):  # what commands import when they run
        importlib.import_module(module)
    discover()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listening:
        listening.bind(path)
        listening.listen()
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        while True:
            connection, _ = listening.accept()
            with connection:
                if os.fork() == 0:
                    listening.close()
                    _attend(connection)
                    return


def _attend(connection: socket.socket) -> None:
    """Run one command, and tell how it ended; stop it when who asked for it is gone."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    asked, streams, _, _ = socket.recv_fds(connection, 1 << 20, 3)
    child = os.fork()
    if child == 0:
        connection.close()
        arguments, folder, environment = json.loads(asked)
        _run(arguments, folder, environment, streams)
    for stream in [*streams, 0, 1, 2]:
        os.close(stream)
    ended = os.pidfd_open(child)
    select.select([connection.fileno(), ended], [], [])
    if not select.select([ended], [], [], 0)[0]:
        os.kill(child, signal.SIGTERM)
    _, status = os.waitpid(child, 0)
    try:
        connection.send(str(os.waitstatus_to_exitcode(status)).encode())
    finally:
        os._exit(0)


def _run(arguments: list[str], folder: str, environment: dict[str, str], streams: list[int]) -> None:
    from bff.cli import main  # noqa: PLC0415

    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    sys.path[:0] = environment.get("PYTHONPATH", "").split(":")
    sys.argv = ["kabinet", *arguments]
    main()
    sys.exit(0)


if __name__ == "__main__":
    _serve(sys.argv[1])
