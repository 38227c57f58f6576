"""The command line as a process, with a real server."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from runstream_schemas import values
from tests.integration.api.conftest import ROWS, new_recording
from tests.integration.api.serving import TOKEN
from tests.polling import eventually

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tests.integration.api.recording import Recording
    from tests.integration.api.serving import Served

_PROGRAM = [sys.executable, "-m", "runstream.cli.main"]


@pytest.fixture
def environment(served: Served) -> dict[str, str]:
    """Return an environment in which commands use the server."""
    return {**os.environ, "RUNSTREAM_URL": served.url, "RUNSTREAM_API_KEY": TOKEN, "COLUMNS": "120", "NO_COLOR": "1"}


def _run(*arguments: str, environment: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*_PROGRAM, *arguments], env=dict(environment), capture_output=True, text=True, check=False, timeout=120
    )


def test_show_prints_a_run(environment: dict[str, str], digits: Recording) -> None:
    """The output has state, transitions, curves with their range, summary and delivery."""
    done = _run("show", str(digits.run), environment=environment)
    assert (done.returncode, done.stderr) == (0, "")
    for expected in ("bright-river-1", "● finished", "ada/digits/digits", "train.loss", "best", "0.97", "complete"):
        assert expected in done.stdout
    loss = next(line for line in done.stdout.splitlines() if line.startswith("train.loss"))
    assert "█" in loss
    assert "100" in loss
    assert f"log {ROWS}/{ROWS}" in done.stdout


def test_show_prints_alerts(environment: dict[str, str], served: Served) -> None:
    """Level, time, title and text, and the number of repeats."""
    run = new_recording("alarmed").start({}).alert("loss is NaN", "step\n7", level="error").alert("loss is NaN")
    served.store(run.exit())
    done = _run("show", str(run.run), environment=environment)
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("alert")]
    for expected in ("ERROR", "loss is NaN (and 1 more)", "step 7"):
        assert expected in line
    found = json.loads(_run("show", str(run.run), "--json", environment=environment).stdout)
    assert [one["title"] for one in found["alerts"]] == ["loss is NaN"]


def test_show_prints_json(environment: dict[str, str], digits: Recording) -> None:
    """The JSON has the whole run, including infinite values."""
    document = values.load(_run("show", "digits/digits", "--json", environment=environment).stdout)
    assert (document["id"], document["state"]) == (digits.run.run_id, "finished")
    assert document["config"]["limit"] == float("inf")
    assert document["delivery"]["complete"]
    assert {"train.loss", "epoch", "val/accuracy"} == {one["key"] for one in document["series"]}


def test_show_finds_a_run_by_its_id(environment: dict[str, str], ranks: tuple[Recording, Recording]) -> None:
    """A unique id is enough; each rank has its own curve."""
    done = _run("show", ranks[0].run.run_id, environment=environment)
    assert done.returncode == 0, done.stderr
    assert "rank 0" in done.stdout
    assert "rank 1" in done.stdout


def test_show_watch_ends_with_the_run(environment: dict[str, str], served: Served) -> None:
    """With --watch the output is updated until the run has ended."""
    writer = new_recording("watched").start({}).beat().rows([{"loss": 1.0}])
    served.store(writer)
    eventually(lambda: served.run(writer)["state"] == "running")
    arguments = [*_PROGRAM, "show", str(writer.run), "--watch", "--interval", "0.1"]
    with subprocess.Popen(arguments, env=environment, stdout=subprocess.PIPE, text=True) as watching:
        served.store(writer.rows([{"loss": 2.0}], first_step=1).exit())
        output, _ = watching.communicate(timeout=120)
    assert watching.returncode == 0
    assert "finished" in output


def test_show_watch_ends_with_ctrl_c(
    environment: dict[str, str], ranks: tuple[Recording, Recording], tmp_path: Path
) -> None:
    """The exit status is 0, and there is no traceback."""
    arguments = [*_PROGRAM, "show", str(ranks[0].run), "--watch", "--interval", "0.1"]
    log = tmp_path / "log"
    with log.open("w") as output, subprocess.Popen(
        arguments, env={**environment, "TTY_COMPATIBLE": "1"}, stdout=output, stderr=subprocess.STDOUT
    ) as watching:  # fmt: skip
        eventually(lambda: "two-ranks" in log.read_text())
        watching.send_signal(signal.SIGINT)
        assert watching.wait(120) == 0
    assert "Traceback" not in log.read_text()


def test_runs_lists_runs(environment: dict[str, str], digits: Recording) -> None:
    """The table has a line for each run; JSON has the documents."""
    table = _run("runs", "digits", environment=environment)
    assert table.returncode == 0, table.stderr
    assert "bright-river-1" in table.stdout
    listed = json.loads(_run("runs", "ada/digits", "--json", environment=environment).stdout)
    assert digits.run.run_id in [run["id"] for run in listed]


def test_runs_of_an_empty_project_print_a_note(environment: dict[str, str]) -> None:
    """It is not an error, and standard output is empty."""
    done = _run("runs", "nothing", environment=environment)
    assert (done.returncode, done.stdout) == (0, "")
    assert "No runs in nothing yet" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "status", "expected"),
    [
        (["show", "digits/nothing"], 1, "Unknown run ada/digits/nothing"),
        (["show", "a/b/c/d"], 1, "Invalid path"),
        (["show", "x", "--watch", "--json"], 1, "use only one"),
        (["show"], 2, "Missing argument"),
        (["runs", "--limit", "0"], 2, "--limit"),
        (["nothing"], 2, "No such command"),
    ],
)
def test_errors_are_one_line(environment: dict[str, str], arguments: list[str], status: int, expected: str) -> None:
    """An error has a message and an exit status, and no traceback."""
    done = _run(*arguments, environment=environment)
    assert status == done.returncode
    assert expected in done.stderr
    assert "Traceback" not in done.stderr


def test_a_missing_server_is_an_error(environment: dict[str, str]) -> None:
    """The message explains how to start the stack."""
    done = _run("runs", environment={**environment, "RUNSTREAM_URL": "http://127.0.0.1:1"})
    assert done.returncode == 1
    assert "runstream up" in done.stderr
    assert "Traceback" not in done.stderr


def test_help_names_every_command(environment: dict[str, str]) -> None:
    """It includes the commands of the entry-point group."""
    done = _run("--help", environment=environment)
    assert done.returncode == 0
    for command in ("runs", "show", "sync", "version", "up", "down", "status"):
        assert f" {command} " in done.stdout


@pytest.mark.parametrize("url", ["http://[::1", "http://127.0.0.1:99999", "ftp://x"])
def test_an_invalid_server_url_is_one_line(environment: dict[str, str], url: str) -> None:
    """Errors of the HTTP client have no traceback either."""
    done = _run("runs", environment={**environment, "RUNSTREAM_URL": url})
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1, done.stderr
