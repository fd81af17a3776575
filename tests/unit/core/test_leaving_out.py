"""Modules that a library does without."""

import sys

import pytest

from bff.leaving_out import leaving_out

NAME = "wsgiref"
"""A module that nothing here needs."""


def test_what_is_left_out_cannot_be_imported_and_afterwards_can(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, NAME, raising=False)
    with leaving_out(NAME), pytest.raises(ModuleNotFoundError):
        __import__(NAME)
    assert NAME not in sys.modules
    assert __import__(NAME).__name__ == NAME


def test_what_is_there_already_stays() -> None:
    with leaving_out("json"):
        assert __import__("json") is sys.modules["json"]
    assert "json" in sys.modules


def test_an_error_inside_leaves_nothing_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, NAME, raising=False)
    with pytest.raises(LookupError), leaving_out(NAME):
        raise LookupError
    assert NAME not in sys.modules
