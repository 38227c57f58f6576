"""How a frame was left, and the exit code of sys.exit()."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from runstream.tracking.lifecycle import exit_hooks
from runstream.tracking.lifecycle.exit_hooks import frame_returned, observe_sys_exit
from tests.unit.producer.programs import finished

if TYPE_CHECKING:
    from pathlib import Path
    from types import FrameType


def _returning() -> FrameType:
    return sys._getframe()  # noqa: SLF001


def _raising(frames: list[FrameType]) -> None:
    frames.append(sys._getframe())  # noqa: SLF001
    raise KeyError


def test_a_returned_frame_differs_from_one_that_raised() -> None:
    """The last instruction of a frame shows how it was left."""
    frames: list[FrameType] = []
    with pytest.raises(KeyError):
        _raising(frames)
    assert frame_returned(_returning()) is True
    assert frame_returned(frames[0]) is False


def test_an_unknown_interpreter_has_no_result(monkeypatch: pytest.MonkeyPatch) -> None:
    """With an untested version of Python, the end of a frame is unknown."""
    monkeypatch.setattr(exit_hooks, "_NEWEST", (3, 10))
    assert frame_returned(_returning()) is None


def test_a_program_with_an_unknown_end_is_left_to_its_exit_status(tmp_path: Path) -> None:
    """If the end is unknown, a script that simply ends has still finished."""
    source = "from runstream.tracking.lifecycle import exit_hooks; exit_hooks._NEWEST = (3, 10)"
    status, _, errors = finished(tmp_path, source)
    assert (status, errors) == (0, "")


def test_sys_exit_is_observed_until_undone() -> None:
    """The observer sees the code, the program exits as usual, and undoing restores the function."""
    seen: list[int] = []
    original = sys.exit
    undo = observe_sys_exit(seen.append)
    with pytest.raises(SystemExit) as caught:
        sys.exit(3)
    undo()
    assert (seen, caught.value.code, sys.exit) == ([3], 3, original)


def test_replacement_of_sys_exit_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """A function that replaced ours later stays in place when ours is undone."""
    undo = observe_sys_exit(lambda _: None)
    later = sys.exit
    monkeypatch.setattr(sys, "exit", lambda status=None: later(status))
    replaced = sys.exit
    undo()
    assert sys.exit is replaced
    monkeypatch.undo()
    undo()
