"""Displaying the page of a run outside of notebooks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.unit.producer.programs import finished

if TYPE_CHECKING:
    from pathlib import Path

_TERMINAL = """
import IPython, IPython.terminal.interactiveshell
shell = IPython.terminal.interactiveshell.TerminalInteractiveShell.instance()
assert IPython.get_ipython() is shell
"""


def test_nothing_is_displayed_in_plain_python(tmp_path: Path) -> None:
    """display() returns False, prints nothing, and does not import IPython."""
    source = "print(run.display(), 'IPython' in sys.modules); run.finish()"
    assert finished(tmp_path, source)[:2] == (0, "False False\n")


def test_nothing_is_displayed_in_the_ipython_terminal(tmp_path: Path) -> None:
    """A terminal cannot show HTML."""
    status, output, errors = finished(tmp_path, f"{_TERMINAL}print(run.display()); run.finish()", PYTHONWARNINGS="")
    assert (status, output) == (0, "False\n"), errors


def test_a_run_without_a_page_is_a_note(tmp_path: Path) -> None:
    """The id is escaped, and there is no frame."""
    status, output, _ = finished(tmp_path, "print(run.to_html()); print(run._repr_html_()); run.finish()")
    assert status == 0
    assert output.count("Run r1 has no page") == 2
    assert "<iframe" not in output
