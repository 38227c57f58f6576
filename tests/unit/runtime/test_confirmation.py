"""The question before a rebuild."""

from __future__ import annotations

import sys

import pytest

from runstream_consumers.runtime import __main__ as command
from runstream_consumers.runtime.exceptions import RuntimeFault


def ask(monkeypatch: pytest.MonkeyPatch, answer: str | BaseException) -> None:
    """Ask on a terminal on which a user answers."""

    def read(prompt: str) -> str:
        assert prompt == "Continue? [y/N] "
        if isinstance(answer, BaseException):
            raise answer
        return answer

    monkeypatch.setattr(sys.stdin, "isatty", lambda: True)
    monkeypatch.setattr("builtins.input", read)
    command._confirm("drop best.best", is_confirmed=False)  # noqa: SLF001


@pytest.mark.parametrize("answer", ["", "n", "maybe", EOFError(), KeyboardInterrupt()])
def test_anything_but_yes_changes_nothing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], answer: str | BaseException
) -> None:
    """No, Ctrl-C and a closed terminal end the command; the tables have been listed before."""
    with pytest.raises(RuntimeFault, match="Nothing was changed"):
        ask(monkeypatch, answer)
    assert capsys.readouterr().out == "drop best.best\n"


@pytest.mark.parametrize("answer", ["y", " YES "])
def test_yes_continues(monkeypatch: pytest.MonkeyPatch, answer: str) -> None:
    """The rebuild begins."""
    ask(monkeypatch, answer)
