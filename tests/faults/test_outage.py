"""A broker outage of half a minute does not affect a training process, and its run is not called crashed."""

from __future__ import annotations

import os
import signal
import time
from typing import TYPE_CHECKING

import pytest

from tests.faults.recount import recount
from tests.polling import eventually
from tests.trainers import Server, new_id, start

if TYPE_CHECKING:
    from pathlib import Path

    from tests.running_stack import Stack

#: Five times the time after which a silent run is called crashed.
OUTAGE_S = 30.0


@pytest.mark.timeout(400)
def test_a_broker_outage_loses_no_rows_and_crashes_no_run(stack: Stack, server: Server, tmp_path: Path) -> None:
    """While the broker is stopped, rows are accepted and the state stays running; later all rows are stored."""
    run_id = new_id()
    journal = tmp_path / "journal"
    rows = 5_000
    trainer = start(
        "log_rows",
        "--id",
        run_id,
        "--rows",
        rows,
        "--pause",
        0.01,
        "--journal",
        journal,
        environment=stack.environment,
        folder=tmp_path,
    )
    eventually(lambda: server.run(run_id)["state"] == "running")
    broker = stack.pid("kafka")

    os.kill(broker, signal.SIGSTOP)
    try:
        before = len(journal.read_text().splitlines())
        thaw = time.monotonic() + OUTAGE_S
        eventually(lambda: time.monotonic() > thaw, within=OUTAGE_S + 5, every=1.0)
        during = len(journal.read_text().splitlines())
    finally:
        os.kill(broker, signal.SIGCONT)

    assert during - before > 1000
    assert trainer.wait(180) == 0, (tmp_path / "output.txt").read_text()
    eventually(lambda: server.run(run_id, "/delivery")["complete"], within=120)
    ended = server.run(run_id, "/state")
    assert ended["state"] == "finished"
    assert "crashed" not in {transition["to"] for transition in ended["transitions"]}
    verdict = recount(journal, url=stack.url, token=stack.token)
    assert verdict.good, verdict
