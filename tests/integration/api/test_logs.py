"""The console of a run, printed by ``runstream logs``."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from runstream_schemas.events import Role, Stream
from tests.integration.api.conftest import new_recording
from tests.integration.api.serving import TOKEN
from tests.polling import eventually

if TYPE_CHECKING:
    from tests.integration.api.recording import Recording
    from tests.integration.api.serving import Served


def _lines(*texts: str, label: str = "") -> list[dict[str, Any]]:
    return [{"stream": "stdout", "text": text, "label": label, "host": f"host of {label}"} for text in texts]


def _start(served: Served, *arguments: str) -> subprocess.Popen[str]:
    environment = {**os.environ, "RUNSTREAM_URL": served.url, "RUNSTREAM_API_KEY": TOKEN}
    return subprocess.Popen(
        [sys.executable, "-m", "runstream", "logs", *arguments],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def _logs(served: Served, *arguments: str) -> list[str]:
    with _start(served, *arguments) as process:
        output, errors = process.communicate(timeout=120)
    assert (process.returncode, errors) == (0, "")
    return output.splitlines()


@pytest.fixture(scope="module")
def logged(served: Served) -> Recording:
    """Store a run with the output of two ranks, which arrived one after the other."""
    trainer = new_recording("logged", project="logs").start({})
    shippers = [new_recording("logged", project="logs", role=Role.SHIPPER) for _ in range(2)]
    served.store(trainer.exit())
    for rank, shipper in enumerate(shippers):
        texts = [f"\x1b[32mline {number}\x1b[0m" for number in range(3)] + ["50%\r", "100%\r"]
        served.store(shipper.rows(_lines(*texts, label=f"rank {rank}"), stream=Stream.CONSOLE).exit())
    return trainer


def test_logs_prints_every_line(served: Served, logged: Recording) -> None:
    """Lines come in the order of their arrival, with the label of their process, without colors in a pipe."""
    lines = _logs(served, str(logged.run))
    assert lines[:4] == ["rank 0 | line 0", "rank 0 | line 1", "rank 0 | line 2", "rank 1 | line 0"]
    assert sorted(lines[6:]) == ["rank 0 | 100%", "rank 1 | 100%"]


@pytest.mark.parametrize("choice", [["--rank", "1"], ["--writer", "rank 1"], ["--writer", "host of rank 1"]])
def test_logs_of_one_process(served: Served, logged: Recording, choice: list[str]) -> None:
    """The lines of a rank, a label or a host, without the label; the last of them with --tail."""
    assert _logs(served, str(logged.run), *choice) == ["line 0", "line 1", "line 2", "100%"]
    assert _logs(served, "logged", *choice, "--tail", "1")[0] == "line 2"


def test_logs_begin_with_the_time_if_asked(served: Served, logged: Recording) -> None:
    """The time is that of the process, in UTC."""
    assert _logs(served, str(logged.run), "--rank", "0", "-t")[0] == "2026-01-02 03:04:05.000 line 0"


def test_following_ends_with_the_run(served: Served) -> None:
    """New lines are printed as they arrive, and the command ends once the run has ended and all has arrived."""
    trainer = new_recording("followed", project="logs").start({}).beat()
    shipper = new_recording("followed", project="logs", role=Role.SHIPPER)
    served.store(trainer, shipper.rows(_lines("first"), stream=Stream.CONSOLE))
    eventually(lambda: served.run(trainer)["state"] == "running")
    with _start(served, "followed", "--follow", "--tail", "5") as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "first\n"
        served.store(trainer.exit(), shipper.rows(_lines("second"), first_step=1, stream=Stream.CONSOLE).exit())
        output, errors = process.communicate(timeout=120)
    assert (process.returncode, output, errors) == (0, "second\n", "")


def test_following_ends_with_ctrl_c(served: Served) -> None:
    """An interruption is not an error."""
    trainer = new_recording("interrupted", project="logs").start({}).beat()
    shipper = new_recording("interrupted", project="logs", role=Role.SHIPPER)
    served.store(trainer, shipper.rows(_lines("first"), stream=Stream.CONSOLE))
    with _start(served, "interrupted", "-f") as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "first\n"
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=240)
    assert (process.returncode, errors) == (0, "")


def test_an_invalid_position_is_refused(served: Served, logged: Recording) -> None:
    """The message names the parameter."""
    answer = served.ask(f"/api/v1/runs/{logged.run}/console", after="1.x")
    assert (answer.status_code, answer.json()["error"]["message"][:5]) == (422, "after")
