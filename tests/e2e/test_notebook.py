"""A run in a notebook, with a real Jupyter kernel and a real stack."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Any

import httpx
import nbformat
import pytest
from nbclient import NotebookClient

from tests.trainers import new_id

if TYPE_CHECKING:
    from pathlib import Path

    from tests.running_stack import Stack


def html_of(cell: Any) -> str:
    """Return the HTML that a cell displayed."""
    return "\n".join(output["data"]["text/html"] for output in cell.outputs if "text/html" in output.get("data", {}))


def printed(cell: Any) -> str:
    """Return the text output of a cell."""
    return "".join(output["text"] for output in cell.outputs if output.output_type == "stream")


@pytest.fixture
def cells(stack: Stack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return a function that runs cells in a new kernel and returns them."""
    for name in [name for name in os.environ if name.startswith(("RUNSTREAM_", "WANDB_"))]:
        monkeypatch.delenv(name)
    for name, value in stack.environment.items():
        monkeypatch.setenv(name, value)
    # finish() shows what is delivered; by default, it waits only 5 s for a server that has not answered yet.
    monkeypatch.setenv("RUNSTREAM_FINISH_TIMEOUT_S", "60")
    # Settings, history and connection files of the kernel.
    for name in ("IPYTHONDIR", "JUPYTER_RUNTIME_DIR", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR"):
        monkeypatch.setenv(name, str(tmp_path / name.lower()))

    def run(*sources: str) -> list[Any]:
        make: Any = nbformat.v4  # without types
        notebook = make.new_notebook(cells=[make.new_code_cell(source) for source in sources])
        client = NotebookClient(notebook, timeout=120, resources={"metadata": {"path": str(tmp_path)}})
        return list(client.execute().cells)

    return run


def test_a_notebook_shows_a_run_as_html(stack: Stack, cells: Any) -> None:
    """init() and finish() show HTML with links; a run shows its page in a frame."""
    run_id = new_id()
    begin, shown, hidden, itself, end = cells(
        f"import runstream\nrun = runstream.init(project='tests', id='{run_id}', name='<b>&')",
        "run.log({'loss': 0.5})\nprint(run.display(height=300))",
        "print(run.display(hidden=True))",
        "run",
        "run.finish()",
    )
    url = f"{stack.url}/{stack.entity}/tests/runs/{run_id}"
    assert len(begin.outputs) == 1
    assert f'<a href="{url}" target="_blank">' in html_of(begin)
    assert "Syncing run &lt;b&gt;&amp;" in html_of(begin)

    assert printed(shown) == "True\n"
    assert f'src="{url}?embed=true"' in html_of(shown)
    assert "height:300px" in html_of(shown)
    assert "<button" not in html_of(shown)
    assert re.search(r"<button [^>]*>Show run &lt;b&gt;&amp;</button><iframe [^>]*display:none", html_of(hidden))
    assert "<iframe" in html_of(itself)

    for expected in ("Run history:", "loss ▁", "Run summary:", "loss 0.5", "Find logs at: ./runstream/run-"):
        assert expected in html_of(end)
    assert f'<a href="{url}" target="_blank">{url}</a>' in html_of(end)
    assert "runstream:" not in printed(begin) + printed(end)

    framed = httpx.get(f"{url}?embed=true", headers={"Accept": "text/html", "Authorization": f"Bearer {stack.token}"})
    assert framed.status_code == 200
    assert "X-Frame-Options" not in framed.headers


def test_a_run_without_a_page_displays_nothing(cells: Any) -> None:
    """display() returns False for offline and disabled runs, and to_html() is a note."""
    for mode in ("offline", "disabled"):
        (cell,) = cells(
            f"import runstream\nrun = runstream.init(project='tests', mode='{mode}')\n"
            "print(run.display())\nprint(run.to_html())\nrun.finish()"
        )
        assert "False\n" in printed(cell)
        assert "has no page" in printed(cell)
        assert "<iframe" not in html_of(cell)


def test_running_a_cell_again_starts_a_new_run(stack: Stack, cells: Any) -> None:
    """In a notebook, init() finishes the previous run, and config values can be changed without a warning."""
    first, second = cells(
        "import runstream\nrun = runstream.init(project='tests', config={'lr': 1})\nrun.config.lr = 2\nprint(run.id)",
        "before = run\nrun = runstream.init(project='tests')\nprint(run.id)\nassert run is not before\nrun.finish()",
    )

    del stack
    assert printed(first).split()[0] != printed(second).split()[0]
