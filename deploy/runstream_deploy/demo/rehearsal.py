"""A case in training: its processes, their ends, and the wait for its run to be stored."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from runstream.cli.run_view import Snapshot
from runstream.naming import generate_run_id
from runstream.public_api.exceptions import NotFoundError
from runstream_deploy.exceptions import ServiceFailed
from runstream_deploy.services.service import last_lines

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from rich.console import Console

    from runstream import Api
    from runstream_deploy.demo.cases import Case

#: Longer than a slow machine trains.
TRAINING_S = 300.0
#: Longer than a run's last event takes to be stored.
ARRIVAL_S = 60.0

#: How the processes of a case end whose run comes to a state.
_EXITS: Mapping[str, int] = {"finished": 0, "failed": 1, "crashed": -signal.SIGKILL}


@dataclass(frozen=True, slots=True, kw_only=True)
class Rehearsal:
    """A case in training."""

    case: Case
    run_id: str
    processes: Sequence[subprocess.Popen[bytes]]
    #: What the processes print.
    log: Path

    @property
    def is_running(self) -> bool:
        """Whether a process still trains."""
        return any(process.poll() is None for process in self.processes)

    def require_expected_end(self) -> None:
        """Raise ServiceFailed, with the end of the log, unless every process ended as the case means it to."""
        codes = [process.wait() for process in self.processes]
        if set(codes) != {_EXITS[self.case.expected]}:
            raise ServiceFailed(f"the case {self.case.name}", f"ended with codes {codes}", last_lines(self.log))


def begin(case: Case, work: Path, environment: Mapping[str, str]) -> Rehearsal:
    """Start a case's processes in the folder ``work``; two ranks get the two ends of a socket."""
    run_id = generate_run_id()
    log = work / f"{run_id}.log"
    training = [sys.executable, "-m", "runstream_deploy.demo.training", case.name, run_id]
    ends = socket.socketpair() if case.ranks > 1 else ()
    ranks = [[str(rank), str(end.fileno())] for rank, end in enumerate(ends)] or [[]]
    with log.open("wb") as output:
        processes = [
            subprocess.Popen(  # noqa: S603 - our own module
                [*training, *rank],
                cwd=work,
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                pass_fds=[int(descriptor) for descriptor in rank[1:]],
            )
            for rank in ranks
        ]
    for end in ends:
        end.close()
    return Rehearsal(case=case, run_id=run_id, processes=processes, log=log)


def await_ends(rehearsals: Sequence[Rehearsal], console: Console) -> None:
    """Wait for all cases to end as they should; show how far they are.

    Raises:
        ServiceFailed: one ended otherwise, or takes far too long.
    """
    deadline = time.monotonic() + TRAINING_S
    try:
        with console.status("training") as status:
            while running := [rehearsal for rehearsal in rehearsals if rehearsal.is_running]:
                if time.monotonic() > deadline:
                    raise ServiceFailed(f"the case {running[0].case.name}", "does not end", last_lines(running[0].log))
                status.update("training: " + ", ".join(rehearsal.case.name for rehearsal in running))
                time.sleep(0.1)
    finally:
        for rehearsal in rehearsals:
            for process in rehearsal.processes:
                process.kill()
    for rehearsal in rehearsals:
        rehearsal.require_expected_end()


def await_stored(api: Api, rehearsal: Rehearsal) -> Snapshot:
    """Wait until the API has all of a run in its expected state; after a minute return what it has.

    Raises:
        ServiceFailed: the API never heard of the run.
    """
    deadline = time.monotonic() + ARRIVAL_S
    while True:
        try:
            snapshot = Snapshot.read(api.run(rehearsal.run_id))
        except NotFoundError as error:
            if time.monotonic() > deadline:
                problem = f"of the case {rehearsal.case.name} did not arrive"
                raise ServiceFailed(f"run {rehearsal.run_id}", problem, last_lines(rehearsal.log)) from error
        else:
            if snapshot.ended and snapshot.document["state"] == rehearsal.case.expected:
                return snapshot
            if time.monotonic() > deadline:
                return snapshot
        time.sleep(0.2)
