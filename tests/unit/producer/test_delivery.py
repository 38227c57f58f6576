"""Starting guardian and shipper, and waiting for them, in the training process."""

from __future__ import annotations

import math
import os
import signal
import time
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from runstream.run_folder.descriptions import RunInfo
from runstream.run_folder.folder import RunFolder
from runstream.spool.control_page import Phase, Word
from runstream.tracking.lifecycle.shipper_launcher import LauncherTimeouts, ShipperLauncher, shipper_dies_with_trainer
from tests.polling import eventually
from tests.unit.producer.programs import environment

if TYPE_CHECKING:
    from pathlib import Path

QUICK = LauncherTimeouts(silent_s=0.3, starting_s=1.0, quiet_s=0.0, never_answered_s=0.2, delivery_s=0.4)


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    """Return a new run folder."""
    return RunFolder.create(tmp_path, RunInfo(run_id="r1", project="p", mode="online", name="n"))


def test_guardian_and_shipper_are_not_children(folder: RunFolder, tmp_path: Path) -> None:
    """They run in their own sessions, and this process cannot wait for them."""
    ShipperLauncher(folder, environment(tmp_path), QUICK).start()

    guardian = eventually(lambda: folder.control[Word.GUARDIAN_PID])
    shipper = eventually(lambda: folder.control[Word.SHIPPER_PID])
    assert os.getsid(0) not in {os.getsid(guardian), os.getsid(shipper)}
    for pid in (guardian, shipper):
        with pytest.raises(ChildProcessError):
            os.waitpid(pid, os.WNOHANG)


def test_guardian_and_shipper_are_restarted_if_both_exited(folder: RunFolder, tmp_path: Path) -> None:
    """They are started again once both have exited and no longer update the control page, but not before."""
    delivery = ShipperLauncher(folder, environment(tmp_path), QUICK)
    delivery.start()
    first = eventually(lambda: folder.control[Word.GUARDIAN_PID])
    eventually(lambda: folder.control[Word.SHIPPER_ALIVE])
    delivery.ensure()
    os.kill(first, signal.SIGKILL)
    os.kill(folder.control[Word.SHIPPER_PID], signal.SIGKILL)

    def another() -> bool:
        delivery.ensure()
        return folder.control[Word.GUARDIAN_PID] not in {0, first}

    assert eventually(another)


def test_waiting_ends_with_delivery(folder: RunFolder) -> None:
    """The wait ends when the shipper reports that all is delivered; the shipper is informed about the wait."""
    delivery = ShipperLauncher(folder, {}, QUICK)
    folder.control[Word.PENDING] = 3
    seen: list[int] = []

    def progress(pending: int) -> None:
        seen.append(pending)
        folder.control[Word.PHASE] = Phase.DELIVERED

    assert delivery.wait(None, progress)
    assert (seen, folder.control[Word.FINISH_REQUESTED], delivery.done) == ([3], 1, True)


#: Each has one finite limit, so a wait with the wrong limit does not end.
ENDLESS = LauncherTimeouts(connecting_s=math.inf, never_answered_s=math.inf, delivery_s=math.inf)
CONNECTING = replace(ENDLESS, connecting_s=0.05)
NEVER_ANSWERED = replace(ENDLESS, never_answered_s=0.05)
DELIVERY = replace(ENDLESS, delivery_s=0.05)


@pytest.mark.parametrize(
    ("phase", "limit", "timeouts"),
    [
        (Phase.CONNECTING, None, CONNECTING),
        (Phase.NEVER_CONNECTED, None, NEVER_ANSWERED),
        (Phase.CONNECTED, None, DELIVERY),
        (Phase.BROKER_UNREACHABLE, None, DELIVERY),
        (Phase.CONNECTED, 0.05, ENDLESS),
        (Phase.NEVER_CONNECTED, 0.0, ENDLESS),
    ],
)
def test_wait_ends_at_its_limit(
    folder: RunFolder, phase: Phase, limit: float | None, timeouts: LauncherTimeouts
) -> None:
    """Without progress the wait ends at the limit, which depends on whether a server was tried and answered."""
    folder.control[Word.PHASE] = phase
    folder.control[Word.SHIPPER_ALIVE] = time.time_ns() // 1000 + 10**9

    assert not ShipperLauncher(folder, {}, timeouts).wait(limit, lambda _: None)


@pytest.mark.parametrize("limit", [None, math.inf])
def test_wait_in_a_container_lasts_while_delivery_progresses(folder: RunFolder, limit: float | None) -> None:
    """If the shipper would be killed with this process, the limit restarts with each delivered record."""
    folder.control[Word.PHASE] = Phase.CONNECTED
    folder.control[Word.SHIPPER_ALIVE] = time.time_ns() // 1000 + 10**9
    timeouts = LauncherTimeouts(quiet_s=0.0, never_answered_s=0.0, delivery_s=1.0)

    def progress(_: int) -> None:
        folder.control[Word.TRAINERS_ACKED] += 1
        # The control page is read every 20 ms, so this is later than the limit.
        if folder.control[Word.TRAINERS_ACKED] == 75:
            folder.control[Word.PHASE] = Phase.DELIVERED

    assert ShipperLauncher(folder, {"SLURM_STEP_ID": "0"}, timeouts).wait(limit, progress)


@pytest.mark.parametrize("variable", ["SLURM_STEP_ID", "KUBERNETES_SERVICE_HOST"])
def test_containers_and_job_steps_are_detected(variable: str) -> None:
    """The environment shows that all processes are killed with the training process."""
    assert shipper_dies_with_trainer({variable: "x"})
