"""Runs the blocks of one document, in order, in a folder of its own, against a running demo."""

import json
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
import tomllib
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx2
from graphql import parse, validate
from lxml import etree

from bff.app import assemble
from bff.config import load_settings
from bff.schema import graphql_schema
from tests.docs import bsl, packages, patient_defaults, settings
from tests.docs.blocks import ROOT, Block
from tests.docs.compare import assert_same, assert_shown, shows
from tests.patience import PATIENCE_SECONDS

SECONDS: Final = PATIENCE_SECONDS
_ANY_PORT = re.compile(r"\b80\d\d\b")

# What is not run as it stands, and what is done instead.
_ONLY_THERE = re.compile(r"^scripts/[a-z-]+(?: [a-z-]+)?$")
_LOGGED = re.compile(r"^scripts/demo 2> ([a-z.]+)$")
_WAIT = re.compile(r"^sleep ([0-9]+)$")
_CLONED = re.compile(r"^(git clone|cd kabinet$|\. \.venv/bin/activate$)")


@dataclass(frozen=True, slots=True)
class Demo:
    """A demo that runs. `ports` are its own, by those that the documents write."""

    ports: Mapping[int, int]
    token: Callable[[str], str]
    reset: Callable[[], None]
    kabinet: Path
    """The folder of a `kabinet` that starts at once."""
    log: Path
    """Where it prints what it would send."""
    sent: Callable[[], None]
    """Waits until all that it was asked to send is printed there."""
    later: Callable[[float], None]
    """Lets seconds pass for it, at once."""

    @property
    def address(self) -> str:
        """The cabinet's."""
        return f"http://127.0.0.1:{self.ports[8000]}"


class Runner:
    """One document's folder, its shell variables, and what runs in the background."""

    def __init__(self, folder: Path, demo: Demo, stack: ExitStack) -> None:
        self._folder = folder
        self._demo = demo
        self._stack = stack
        self._ports = dict(demo.ports)
        self._site = folder.parent / "site"
        self._site.mkdir()
        shutil.copy(patient_defaults.__file__, self._site / "patient_defaults.py")
        self._log = ""
        self._state = folder.parent / "state"
        self._state.write_text("", encoding="utf-8")

    def run(self, block: Block, after: Block | None) -> bool:
        """Run a block; `after` is the next one. Says whether that one was its answer and needs nothing more."""
        if file := block.options.get("file"):
            path = self._folder / file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(self._here(block.text), encoding="utf-8")
        match block.language:
            case "console":
                self._console(block)
            case "graphql":
                return self._graphql(block, after)
            case "toml":
                self._toml(block)
            case "python" if not file:
                return self._program(block, after, [sys.executable], "block.py")
            case "javascript" if "browser" in block.options:
                self._page(block)
            case "javascript":
                node = shutil.which("node")
                return self._program(block, after, [node], "block.mjs") if node else after_is_output(after)
            case "bsl":
                bsl.check(block.text, block.place)
            case "python" | "xml" | "json" if file:
                _read(block)
            case _:
                raise AssertionError(f"{block.place}: nothing runs a block of {block.language or 'no language'!r}")
        return False

    def _here(self, text: str) -> str:
        """Put the ports that are really used in the place of those that are written."""
        return _ANY_PORT.sub(lambda found: str(self._port(int(found[0]))), text)

    def _as_written(self, text: str) -> str:
        for written, real in self._ports.items():
            text = re.sub(rf"\b{real}\b", str(written), text)
        return text

    def _port(self, written: int) -> int:
        if written not in self._ports:
            with socket.create_server(("127.0.0.1", 0)) as listening:
                self._ports[written] = listening.getsockname()[1]
        return self._ports[written]

    def _console(self, block: Block) -> None:
        if "new-shell" in block.options:
            self._state.write_text("", encoding="utf-8")
        commands = list(_commands(block))
        assert commands, f"{block.place}: no line starts with `$ `"
        for number, (command, shown) in enumerate(commands):
            last = number == len(commands) - 1
            self._command(block, command, shown, may_fail=last and "fails" in block.options)

    def _command(self, block: Block, command: str, shown: str, *, may_fail: bool) -> None:
        if _CLONED.match(command):
            return
        if logged := _LOGGED.match(command):
            (self._folder / logged[1]).symlink_to(self._demo.log)
            self._log = logged[1]
            return
        if self._log and self._log in command:
            self._demo.sent()
        if wait := _WAIT.match(command):
            self._demo.later(float(wait[1]))
            return
        if _ONLY_THERE.match(command):
            script = ROOT / command.split(maxsplit=1)[0]
            assert os.access(script, os.X_OK), f"{block.place}: {script.name} is not there, or not executable"
            return
        if command.startswith("pip install "):
            packages.install(self._folder / shlex.split(command)[-1], self._site)
            return
        if command.endswith(" &"):
            self._background(block, command.removesuffix(" &"), shown)
            return
        keep = f"declare -px > {self._state}"  # variables last from command to command
        kept = f"source {self._state}; set -a; {{ {self._here(command)}\n}} 2>&1; status=$?; {keep}"
        done = subprocess.run(
            ["bash", "-c", f"{kept}; exit $status"],
            cwd=self._folder,
            env=self._environment(),
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        came = self._as_written(done.stdout)
        failed = done.returncode != 0
        assert failed == may_fail, f"{block.place}: $ {command}: status {done.returncode}:\n{came}{done.stderr}"
        if shown.strip():
            assert_shown(shown, came, f"{block.place}: $ {command}")

    def _background(self, block: Block, command: str, shown: str) -> None:
        said = self._folder.parent / f"background-{block.line}"
        # `exec`: what is stopped at the end is the program, not the shell around it.
        started = f"source {self._state}; set -a; exec {self._here(command)}"
        with said.open("wb") as output:
            process = subprocess.Popen(
                ["bash", "-c", started],
                cwd=self._folder,
                env=self._environment(),
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._stack.callback(process.wait, SECONDS)
        self._stack.callback(os.killpg, process.pid, signal.SIGTERM)
        until = time.monotonic() + SECONDS
        while not shows(shown, came := self._as_written(said.read_text(encoding="utf-8"))):
            assert process.poll() is None, f"{block.place}: $ {command} &: ended:\n{came}"
            assert time.monotonic() < until, f"{block.place}: $ {command} &: did not say what is shown:\n{came}"
            time.sleep(0.02)

    def _environment(self) -> dict[str, str]:
        ours = {name: value for name, value in os.environ.items() if not name.startswith("KABINET__")}
        return {
            **ours,
            "PATH": f"{self._demo.kabinet}:{Path(sys.executable).parent}:{ours['PATH']}",
            "PYTHONPATH": str(self._site),
            "PYTEST_PLUGINS": "patient_defaults",
            "PYTHONUNBUFFERED": "1",
            "COLUMNS": "160",
        }

    def _graphql(self, block: Block, after: Block | None) -> bool:
        document = parse(block.text)
        faults = validate(graphql_schema(), document)
        assert not faults, f"{block.place}: {faults}"
        customer = block.options.get("customer", "c-1001")
        reply = httpx2.post(
            f"{self._demo.address}/graphql",
            json={"query": block.text},
            headers={"Authorization": f"Bearer {self._demo.token(customer)}", "Accept-Language": "en"},
            timeout=SECONDS,
        )
        answer: dict[str, Any] = reply.json()
        if after is not None and after.language == "json" and "file" not in after.options:
            assert_same(json.loads(after.text), answer, after.place)
            return True
        assert "errors" not in answer, f"{block.place}: {answer}"
        return False

    def _toml(self, block: Block) -> None:
        raw = tomllib.loads(self._here(block.text))
        if "wrong" in block.options:
            return  # what it does is shown by the commands below it
        base = block.options.get("fragment")
        if base is not None:
            folder = self._folder.parent / "fragments" / f"{block.document.stem}-{block.line}"
            settings.load_fragment(base, raw, folder, demo="demo" in block.options)
        elif "project" in raw:
            assert {"kabinet.adapters", "kabinet.senders"} & raw["project"]["entry-points"].keys(), block.place
        elif "format" in raw:
            settings.load_whole_mapping(self._folder / block.options["file"], block.options["adapter"])
        else:
            self._settings(self._folder / block.options["file"], raw)

    def _settings(self, file: Path, raw: Mapping[str, Any]) -> None:
        with _on_path(self._site):
            assemble(load_settings(file, flags=settings.secrets_for(raw), environment=False))

    def _page(self, block: Block) -> None:
        """Insist that it is JavaScript; `tests/browser/site.py` serves it to a browser."""
        assert block.document == ROOT / "docs/sign-in/front-end.md", f"{block.place}: no browser gets this"
        node = shutil.which("node")
        if node is not None:
            module = self._folder.parent / "page.mjs"
            module.write_text(block.text, encoding="utf-8")
            done = subprocess.run([node, "--check", module], capture_output=True, text=True, check=False)
            assert done.returncode == 0, f"{block.place}: {done.stderr}"

    def _program(self, block: Block, after: Block | None, interpreter: list[str], name: str) -> bool:
        program = self._folder.parent / name
        program.write_text(self._here(block.text), encoding="utf-8")
        done = subprocess.run(
            [*interpreter, str(program)],
            cwd=self._folder,
            env={**self._environment(), "TOKEN": self._demo.token("c-1001")},
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        assert done.returncode == 0, f"{block.place}: status {done.returncode}:\n{done.stdout}{done.stderr}"
        if not after_is_output(after):
            return False
        assert after is not None
        assert_shown(after.text, self._as_written(done.stdout), after.place)
        return True


def _read(block: Block) -> None:
    """Insist that a file's block is what its language says."""
    match block.language:
        case "python":
            compile(block.text, block.place, "exec")
        case "xml":
            etree.fromstring(block.text.encode())
        case _:
            json.loads(block.text)


def after_is_output(after: Block | None) -> bool:
    """Say whether a block shows what the program before it prints."""
    return after is not None and after.language == "text" and "output" in after.options


def _commands(block: Block) -> Iterator[tuple[str, str]]:
    """Commands, with lines that end in a backslash joined, and what is shown below each."""
    command, shown = "", ""
    for line in block.text.splitlines():
        if command.endswith("\\"):
            command = command.removesuffix("\\") + line.strip()
        elif line.startswith("$ "):
            if command:
                yield command, shown
            command, shown = line.removeprefix("$ "), ""
        else:
            shown += line + "\n"
    if command:
        yield command, shown


@contextmanager
def _on_path(folder: Path) -> Iterator[None]:
    """Let this process find packages in a folder, as if they were installed, and forget them afterwards."""
    known = set(sys.modules)
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        sys.path.remove(str(folder))
        for name in set(sys.modules) - known:
            file = getattr(sys.modules[name], "__file__", None)
            if file is not None and Path(file).is_relative_to(folder):
                del sys.modules[name]
