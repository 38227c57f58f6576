"""``watch()`` without torch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.unit.producer.programs import finished

if TYPE_CHECKING:
    from pathlib import Path


def test_watch_does_not_import_torch(tmp_path: Path) -> None:
    """Neither watch() nor unwatch() imports an installed torch."""
    (tmp_path / "torch.py").write_text("raise SystemExit('torch was imported')")
    source = """
run.watch([])
run.unwatch()
try:
    run.watch(object())
except ValueError as error:
    print(error)
run.log({"x": 1})
run.finish()
"""
    status, output, errors = finished(tmp_path, source, PYTHONPATH=str(tmp_path))

    assert (status, errors) == (0, "")
    assert output == "Invalid model object: watch() expects a torch.nn.Module or a list of them\n"


def test_an_invalid_log_argument_is_refused(tmp_path: Path) -> None:
    """It is refused even without a model."""
    source = """
try:
    run.watch([], log="everything")
except ValueError as error:
    print(error)
"""
    status, output, _ = finished(tmp_path, source)

    assert status == 0
    assert output == "Invalid log='everything': watch() expects 'gradients', 'parameters', 'all' or None\n"


def test_a_disabled_run_accepts_any_object(tmp_path: Path) -> None:
    """An object that is not a model is accepted."""
    source = """
run.finish()
with runstream.init(mode="disabled") as run:
    run.watch(object(), log="everything")
    run.unwatch(object())
"""
    assert finished(tmp_path, source)[0] == 0
