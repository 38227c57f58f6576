"""The output of a run in the terminal, line by line, with a real stack."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.polling import eventually
from tests.trainers import PROGRAMS, Server, new_id, run_folders, run_to_end

if TYPE_CHECKING:
    from pathlib import Path

    from tests.running_stack import Stack

BEGIN = """\
runstream: Syncing run {name}
runstream: ⭐️ View project at {url}/{entity}/tests
runstream: 🚀 View run at {url}/{entity}/tests/runs/{id}
"""

END = """\
runstream: 
runstream: 🚀 View run {name} at: {url}/{entity}/tests/runs/{id}
runstream: ⭐️ View project at: {url}/{entity}/tests
runstream: Synced {records} record(s), 0 media file(s), 0 artifact file(s) and N other file(s)
runstream: Find logs at: ./runstream/{folder}/logs
"""  # noqa: W291 - empty lines as W&B prints them

ONCE = (
    BEGIN
    + """\
runstream: 
runstream: 
runstream: Run history:
runstream: accuracy ▁
runstream:     loss ▁
runstream: 
runstream: Run summary:
runstream: accuracy 0.9
runstream:     loss 0.1
"""  # noqa: W291 - empty lines as W&B prints them
    + END
)

LOOP = (
    BEGIN
    + """\
lr: 0.01
epoch=0, accuracy=0.0, loss=1.0
epoch=1, accuracy=0.1, loss=0.5
epoch=2, accuracy=0.2, loss=0.25
epoch=3, accuracy=0.3, loss=0.125
epoch=4, accuracy=0.4, loss=0.0625
epoch=5, accuracy=0.5, loss=0.03125
epoch=6, accuracy=0.6, loss=0.015625
epoch=7, accuracy=0.7, loss=0.0078125
epoch=8, accuracy=0.8, loss=0.00390625
epoch=9, accuracy=0.9, loss=0.001953125
runstream: 
runstream: 
runstream: Run history:
runstream: accuracy ▁▁▂▃▄▅▆▇██
runstream:     loss █▄▂▁▁▁▁▁▁▁
runstream: 
runstream: Run summary:
runstream: accuracy 0.9
runstream:     loss 0.00195312
"""  # noqa: W291
    + END
)

DEFINED = (
    BEGIN
    + """\
runstream: 
runstream: 
runstream: Run history:
runstream: loss █▁▅
runstream: 
runstream: Run summary:
runstream:     by hand 7
runstream:    loss.max 3
runstream:    loss.min 1
runstream: nested.text a�[31m
"""  # noqa: W291
    + END.replace("{name}", "renamed")
)

QUIET = """\
runstream: ⭐️ View project at {url}/{entity}/tests
runstream: 🚀 View run at {url}/{entity}/tests/runs/{id}
runstream: 🚀 View run {name} at: {url}/{entity}/tests/runs/{id}
runstream: ⭐️ View project at: {url}/{entity}/tests
"""


def _records(server: Server, run_id: str) -> int:
    """Wait until a run is complete; return its number of records."""
    delivery = eventually(lambda: (found := server.run(run_id, "/delivery"))["complete"] and found, within=120)
    return sum(topic["stored"] for writer in delivery["writers"] for topic in writer["topics"].values())


def _steady(printed: str) -> str:
    """Return an output without what depends on speed: the number of other files, and that a delivery lasts longer."""
    printed = re.sub("(?m)^runstream: Waiting for .* to be delivered.*\n", "", printed)
    return re.sub(r"\d+ other file", "N other file", printed)


@pytest.mark.parametrize(
    ("example", "settings", "expected"),
    [
        ("once", {}, ONCE),
        ("loop", {}, LOOP),
        ("defined", {}, DEFINED),
        ("once", {"quiet": True}, QUIET),
        ("once", {"silent": True}, ""),
    ],
)
def test_the_output_is_that_of_wandb(  # noqa: PLR0917 - fixtures
    stack: Stack, server: Server, tmp_path: Path, example: str, settings: dict[str, bool], expected: str
) -> None:
    """Without a terminal it is plain text. The number of records is that on the server."""
    run_id = new_id()
    # On a busy machine the delivery can last longer than the default.
    patient = {**settings, "finish_timeout_s": 300}
    arguments = {"project": "tests", "id": run_id, "name": "earnest-sunset-1", "settings": patient}
    environment = {**stack.environment, "PYTHONIOENCODING": "utf-8"}

    status = run_to_end("print_output", example, json.dumps(arguments), environment=environment, folder=tmp_path)

    printed = (tmp_path / "output.txt").read_text()
    assert status == 0, printed
    (folder,) = run_folders(tmp_path)
    assert re.fullmatch(rf"run-\d{{8}}_\d{{6}}-{run_id}", folder.name)
    assert (
        _steady(printed).splitlines()
        == expected.format(
            name="earnest-sunset-1",
            url=stack.url,
            entity=stack.entity,
            id=run_id,
            folder=folder.name,
            records=_records(server, run_id) if expected else 0,
        ).splitlines()
    )


def test_the_output_on_a_terminal_is_the_same(stack: Stack, tmp_path: Path) -> None:
    """The progress line of the delivery is removed."""
    run_id = new_id()
    patient = {"finish_timeout_s": 300}
    arguments = json.dumps({"project": "tests", "id": run_id, "name": "earnest-sunset-1", "settings": patient})
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, str(PROGRAMS / "print_output.py"), "once", arguments],
        cwd=tmp_path,
        env={**os.environ, **stack.environment, "PYTHONIOENCODING": "utf-8", "TERM": "xterm"},
        stdin=subprocess.DEVNULL,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    printed = b""
    try:
        while part := os.read(ours, 65536):
            printed += part
    except OSError:
        pass  # The program exited and closed the terminal.
    finally:
        os.close(ours)
        assert process.wait(120) == 0
    text = re.sub(r"\r\x1b\[K(runstream: Waiting[^\r\n]*)?", "", printed.decode())
    (folder,) = run_folders(tmp_path)
    expected = ONCE.format(
        name="earnest-sunset-1", url=stack.url, entity=stack.entity, id=run_id, folder=folder.name, records="N"
    )
    assert re.sub(r"Synced \d+", "Synced N", _steady(text)).splitlines() == expected.splitlines()
