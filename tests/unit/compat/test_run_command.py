"""``runstream run``: Python with wandb provided by Runstream."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.polling import eventually

if TYPE_CHECKING:
    from pathlib import Path


def run(*arguments: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run ``runstream run ARGUMENTS`` in a folder."""
    return subprocess.run(
        [sys.executable, "-m", "runstream.cli.main", "run", *arguments],
        cwd=folder,
        env={**os.environ, **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.fixture
def script(tmp_path: Path) -> Path:
    """Return a script that prints how it was started and exits with status 7."""
    path = tmp_path / "script.py"
    path.write_text("import sys, wandb\nprint(sys.argv[1:], __name__, wandb.Run.__module__)\nsys.exit(7)\n")
    return path


def test_arguments_and_exit_status_are_those_of_the_script(script: Path) -> None:
    """Arguments after the script are passed on, including ``--help``."""
    done = run("script.py", "--lr", "0.1", "--help", "-h", folder=script.parent)

    assert done.stdout == "['--lr', '0.1', '--help', '-h'] __main__ runstream.tracking.run.run\n"
    assert (done.returncode, done.stderr) == (7, "")


def test_a_module_runs_as_with_python(script: Path) -> None:
    """``-m MODULE`` and the other options of Python work."""
    done = run("-W", "error", "-m", "script", "-m", "x", folder=script.parent)

    assert done.stdout == "['-m', 'x'] __main__ runstream.tracking.run.run\n"
    assert done.returncode == 7


def test_child_processes_of_the_script_get_runstream_too(tmp_path: Path) -> None:
    """Another Python process and the workers of multiprocessing import the same wandb."""
    (tmp_path / "parent.py").write_text(
        "import multiprocessing, subprocess, sys\n"
        "def where(_):\n"
        "    import wandb\n"
        "    return wandb.Run.__module__\n"
        "if __name__ == '__main__':\n"
        "    print(multiprocessing.get_context('spawn').Pool(1).map(where, [0])[0], flush=True)\n"
        "    subprocess.run([sys.executable, '-c', 'import wandb; print(wandb.Run.__module__)'])\n"
    )
    done = run("parent.py", folder=tmp_path)

    assert done.stdout.split() == ["runstream.tracking.run.run"] * 2, done.stderr


def test_another_sitecustomize_is_run_too(tmp_path: Path) -> None:
    """It is found in the rest of PYTHONPATH, which is kept."""
    (tmp_path / "path").mkdir()
    (tmp_path / "path" / "sitecustomize.py").write_text("seen = True\n")
    (tmp_path / "path" / "other.py").write_text("")
    done = run(
        "-c",
        "import other, sitecustomize; print(sitecustomize.seen)",
        folder=tmp_path,
        PYTHONPATH=str(tmp_path / "path"),
    )

    assert done.stdout == "True\n", done.stderr


def test_ctrl_c_reaches_the_script(tmp_path: Path) -> None:
    """The script is the process that was started: it gets the KeyboardInterrupt and exits because of it."""
    (tmp_path / "script.py").write_text(
        "import pathlib, signal\n"
        "try:\n"
        "    pathlib.Path('started').touch()\n"
        "    signal.pause()\n"
        "except KeyboardInterrupt:\n"
        "    pathlib.Path('interrupted').touch()\n"
        "    raise\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-m", "runstream.cli.main", "run", "script.py"], cwd=tmp_path, stderr=subprocess.DEVNULL
    )
    eventually((tmp_path / "started").exists)

    process.send_signal(signal.SIGINT)

    assert process.wait(120) == -signal.SIGINT
    assert (tmp_path / "interrupted").exists()


def test_without_a_script_the_usage_is_printed(tmp_path: Path) -> None:
    """No Python process is started; ``--help`` describes the arguments."""
    assert run(folder=tmp_path).returncode == 2
    assert "SCRIPT" in run("--help", folder=tmp_path).stdout
