"""The command line as a process, with a real server."""

from __future__ import annotations

import json
import os
import platform
import signal
import subprocess
import sys
from importlib.metadata import version
from typing import TYPE_CHECKING

import pytest

from runstream_schemas import values
from runstream_schemas.events import ExitState
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


def test_show_prints_whole_lines_to_a_pipe(environment: dict[str, str], served: Served) -> None:
    """Only a terminal gets lines that are fitted to its width."""
    text = " ".join(["word"] * 30)
    run = new_recording("wide").start({"text": "short"}, tags=["a" * 60, "b" * 60]).exit(ExitState.FAILED, reason=text)
    served.store(run)
    done = _run("show", str(run.run), environment={**environment, "COLUMNS": "40"})
    assert (done.returncode, f"tags {'a' * 60}, {'b' * 60}" in done.stdout, text in done.stdout) == (0, True, True)


def test_characters_that_the_encoding_lacks_are_replaced(environment: dict[str, str], digits: Recording) -> None:
    """The output of a terminal without Unicode has question marks in their place."""
    done = _run("show", str(digits.run), environment={**environment, "PYTHONIOENCODING": "ascii"})
    assert (done.returncode, done.stderr, "? finished" in done.stdout) == (0, "", True)


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


@pytest.fixture(scope="module")
def optimizers(served: Served) -> Recording:
    """Store two runs of the project ``optimizers`` and return the fork; one id also exists in another project."""
    parent, fork = (new_recording(name, project="optimizers") for name in ("sgd-run", "adam-run"))
    namesake = new_recording("sgd-run", project="namesakes")
    parent.start({"lr": 0.1, "opt": {"name": "sgd"}}, name="first try", tags=["slow"]).rows([{"loss": 2.0}] * 5)
    served.store(parent.exit())
    served.store(
        fork.start({"lr": 0.2}, name="x" * 60).branch(parent.run, 3).rows([{"loss": 1.5}], first_step=4).exit()
    )
    served.store(namesake.start({}).exit())
    return fork


def test_runs_are_filtered_sorted_and_printed_as_csv(environment: dict[str, str], optimizers: Recording) -> None:
    """CSV has a header, the columns in their order, and empty cells for missing values."""
    project, columns = optimizers.run.project, "--columns=id,config.lr,config.opt.name,summary.loss,steps"
    done = _run("runs", project, "--csv", columns, "--sort", "config.lr", environment=environment)
    header = "id,config.lr,config.opt.name,summary.loss,steps"
    assert done.stdout.splitlines() == [header, "sgd-run,0.1,sgd,2.0,5", "adam-run,0.2,,1.5,5"]
    for condition in (["--config", "lr=0.1"], ["--tag", "slow"], ["--name", "TRY"], ["--name", "first*"]):
        found = _run("runs", project, "--csv", "--columns", "id", *condition, environment=environment)
        assert found.stdout.splitlines() == ["id", "sgd-run"]
    whole = _run("runs", project, "--csv", environment=environment).stdout.splitlines()[0]
    assert whole.startswith("path,name,state,created,")
    assert "config.opt.name,summary.loss" in whole


def test_runs_are_printed_in_full_to_a_pipe(environment: dict[str, str], optimizers: Recording) -> None:
    """A file or a pipe gets whole names and values, whatever COLUMNS says, without color."""
    done = _run("runs", optimizers.run.project, environment={**environment, "COLUMNS": "40", "NO_COLOR": ""})
    assert "x" * 60 in done.stdout
    assert "loss 1.5" in done.stdout
    assert "\x1b" not in done.stdout


def test_runs_name_what_is_not_shown(environment: dict[str, str], optimizers: Recording) -> None:
    """A note on standard error says that there are more runs, or that none fulfills the conditions."""
    done = _run("runs", optimizers.run.project, "--limit", "1", environment=environment)
    assert "Only 1 runs are shown: use --limit" in done.stderr
    none = _run("runs", optimizers.run.project, "--since", "2099-01-01", environment=environment)
    assert (none.returncode, none.stdout) == (0, "")
    assert "No runs in optimizers fulfill these conditions" in none.stderr


def test_a_broken_pipe_is_no_error_message(environment: dict[str, str], optimizers: Recording) -> None:
    """A reader that exits early gets its lines, and nothing is printed on standard error."""
    command = " ".join([*_PROGRAM, "runs", optimizers.run.project, "| head -n 1"])
    done = subprocess.run(
        ["sh", "-c", command], env=environment, capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.stdout.split()[:2], done.stderr) == (["state", "name"], "")


def test_show_prints_config_and_origin(environment: dict[str, str], optimizers: Recording) -> None:
    """A fork names the run and the step that it continues."""
    done = _run("show", str(optimizers.run), environment=environment)
    lines = [" ".join(line.split()) for line in done.stdout.splitlines()]
    assert "forked from ada/optimizers/sgd-run at step 3" in lines
    assert "config lr 0.2" in lines


@pytest.mark.parametrize("command", ["show", "runs"])
def test_an_id_is_looked_up_in_all_projects(environment: dict[str, str], optimizers: Recording, command: str) -> None:
    """An id that two projects have is an error, unless the environment names one of them."""
    assert "ada/optimizers/adam-run" in _run(command, optimizers.run.run_id, environment=environment).stdout
    done = _run(command, "sgd-run", environment=environment)
    if command == "runs":
        assert {"ada/optimizers/sgd-run", "ada/namesakes/sgd-run"} <= set(done.stdout.split())
    else:
        assert done.returncode == 1
        assert "use one of ada/namesakes/sgd-run, ada/optimizers/sgd-run" in done.stderr
    chosen = _run("show", "sgd-run", environment={**environment, "RUNSTREAM_PROJECT": "optimizers"})
    assert "ada/optimizers/sgd-run" in chosen.stdout


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["runs", "nothing"], "Unknown project 'nothing'"),
        (["runs", "optimizer"], "Unknown project 'optimizer': no run of it has arrived. Did you mean ada/optimizers?"),
        (["show", "optimizers/adam-rum"], "Did you mean ada/optimizers/adam-run"),
        (["show", "firsttry"], "Did you mean ada/optimizers/sgd-run?"),
        (["show", "xyz-0-zyx"], "Unknown run 'xyz-0-zyx': no project has a run with this id"),
        (["runs", "--state", "fail"], "Invalid state 'fail': expected one of pending, running"),
        (["runs", "--columns", "name,lr"], "Unknown column 'lr'"),
        (["runs", "--since", "yesterday"], "Invalid time 'yesterday'"),
        (["runs", "--sort", "loss"], "Invalid order 'loss'"),
        (["runs", "--config", "lr"], "Invalid condition 'lr'"),
        (["runs", "--json", "--csv"], "Invalid options"),
    ],
)
@pytest.mark.usefixtures("optimizers")
def test_unknown_names_are_errors(environment: dict[str, str], arguments: list[str], expected: str) -> None:
    """The exit status is 1, and the message has similar names or what is expected."""
    done = _run(*arguments, environment=environment)
    assert (done.returncode, done.stdout) == (1, "")
    assert expected in done.stderr


def test_the_module_is_the_command() -> None:
    """``python -m runstream`` has the same commands, and ``--version`` names Python's version."""
    done = subprocess.run([sys.executable, "-m", "runstream", "--version"], capture_output=True, text=True, check=True)
    assert done.stdout == f"runstream {version('runstream')} (Python {platform.python_version()})\n"


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
