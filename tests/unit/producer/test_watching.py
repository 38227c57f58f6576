"""``watch()`` where there is no torch, and what it does not do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.unit.producer.programs import finished

if TYPE_CHECKING:
    from pathlib import Path


def test_nothing_imports_torch(tmp_path: Path) -> None:
    """A torch that is installed and not imported stays so, whatever is asked of watch() and unwatch()."""
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


def test_a_log_argument_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    """Only gradients, parameters, all and None; even where there is no model."""
    source = """
try:
    run.watch([], log="everything")
except ValueError as error:
    print(error)
"""
    status, output, _ = finished(tmp_path, source)

    assert status == 0
    assert output == "Invalid log='everything': watch() expects 'gradients', 'parameters', 'all' or None\n"


def test_a_disabled_run_refuses_nothing(tmp_path: Path) -> None:
    """Not even what is no model."""
    source = """
run.finish()
with runstream.init(mode="disabled") as run:
    run.watch(object(), log="everything")
    run.unwatch(object())
"""
    assert finished(tmp_path, source)[0] == 0
