"""Every fenced block of every document is run, or the test fails."""

import json
import subprocess
from contextlib import ExitStack
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from tests.docs.blocks import DOCUMENTS, ROOT, blocks
from tests.docs.runner import Demo, Runner
from tests.patience import until


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_block_does_what_the_document_says(document: Path, demo: Demo, tmp_path: Path) -> None:
    folder = tmp_path / "here"
    folder.mkdir()
    found = blocks(document)
    with ExitStack() as stack:
        stack.callback(demo.reset)
        runner = Runner(folder, demo, stack)
        answered = False
        for block, after in pairwise([*found, None]):
            assert block is not None
            answered = not answered and runner.run(block, after)


def _is_installed() -> bool:
    """Whether `scripts/venv` would find nothing to do: a test installs nothing."""
    marks = ["cat", "constraints-dev.txt", "pyproject.toml"]
    read = subprocess.run(marks, cwd=ROOT, capture_output=True, check=True).stdout
    mark = subprocess.run(["cksum"], input=read, capture_output=True, check=True).stdout.split()[0].decode()
    return (ROOT / f".venv/.installed-{mark}").exists()


@pytest.mark.skipif(not _is_installed(), reason="scripts/venv has not been run since the locked versions changed")
def test_the_first_command_of_the_readme_works() -> None:
    answer: dict[str, Any] = {}

    def is_whole() -> bool:
        # It has its users' limits, which a busy machine may pass.
        done = subprocess.run(["scripts/demo", "--once"], cwd=ROOT, capture_output=True, check=False, timeout=60)
        answer.update(json.loads(done.stdout))
        return done.returncode == 0

    until(is_whole)
    assert answer["data"]["dashboard"]["profile"]["displayName"] == "Анна Соколова"


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("```\nls\n```\n", "nothing runs"),
        ("```sh\nls\n```\n", "nothing runs"),
        ("```json\n{}\n```\n", "nothing runs"),
        ("```text\nwhat it prints\n```\n", "nothing runs"),
        ("```console\n$ false\n```\n", "status 1"),
        ("```console\n$ echo 8000 2\n8000 3\n```\n", "shown"),
        ("```console fails\n$ true\n```\n", "status 0"),
        ("```graphql\n{ dashboard { nonsense } }\n```\n", "nonsense"),
        ('```graphql\n{ __typename }\n```\n\n```json\n{"data": {"__typename": "Queen"}}\n```\n', "Queen"),
        ("```toml fragment=cms.toml\n[reads.products.reply.fields]\nid = 'id'\n```\n", "products"),
        ("```toml fragment=kabinet.toml\n[server]\nprot = 8000\n```\n", "prot"),
        ("```bsl\nЕсли А Тогда\n```\n", "КонецЕсли"),
        ("```python\nraise SystemExit(3)\n```\n", "status 3"),
    ],
)
def test_a_block_that_does_not_do_what_it_says_is_noticed(
    text: str, fault: str, demo: Demo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    document = tmp_path / "made.md"
    document.write_text(text, encoding="utf-8")
    monkeypatch.setattr("tests.docs.blocks.ROOT", tmp_path)
    with pytest.raises(Exception, match=fault):
        test_every_block_does_what_the_document_says(document, demo, tmp_path)


@pytest.mark.parametrize("text", ["Run this:\n\n    ls\n", "```console\n$ ls\n"])
def test_code_that_would_be_run_by_nobody_is_refused(text: str, tmp_path: Path) -> None:
    document = tmp_path / "made.md"
    document.write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=r"made\.md:"):
        blocks(document)
