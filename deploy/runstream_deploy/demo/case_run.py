"""A case that is being trained: its processes, how they end, and the wait for its run to be stored."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from runstream import Api
from runstream.cli.run_view import Snapshot
from runstream.public_api.exceptions import NotFoundError
from runstream.run_names import generate_run_id
from runstream_deploy.demo.cases import Case
from runstream_deploy.exceptions import ServiceError
from runstream_deploy.services.service import last_lines

#: Time limit of the training, for a slow machine.
TRAINING_S = 300.0
#: Time limit for the last event of a run to be stored.
ARRIVAL_S = 60.0

#: The exit code of the processes of a case, by the expected state of its run.
_EXITS: Mapping[str, int] = {"finished": 0, "failed": 1, "crashed": -signal.SIGKILL}


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseRun:
    """A case that is being trained."""

    case: Case
    run_id: str
    processes: Sequence[subprocess.Popen[bytes]]
    #: The output of the processes.
    log: Path

    @property
    def is_running(self) -> bool:
        """Whether a process is still running."""
        return any(process.poll() is None for process in self.processes)

    def require_expected_end(self) -> None:
        """Raise ServiceError, with the end of the log, unless every process exited as expected."""
        codes = [process.wait() for process in self.processes]
        if set(codes) != {_EXITS[self.case.expected]}:
            raise ServiceError(f"the case {self.case.name}", f"exited with codes {codes}", last_lines(self.log))


def start(case: Case, work: Path, environment: Mapping[str, str]) -> CaseRun:
    """Start the processes of a case in the folder ``work``; two ranks get the ends of a socket pair."""
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
    return CaseRun(case=case, run_id=run_id, processes=processes, log=log)


def await_ends(case_runs: Sequence[CaseRun], console: Console) -> None:
    """Wait until all cases have ended; show which are running. Raise ServiceError if one does not end as expected."""
    deadline = time.monotonic() + TRAINING_S
    try:
        with console.status("training") as status:
            while running := [case_run for case_run in case_runs if case_run.is_running]:
                if time.monotonic() > deadline:
                    late = running[0]
                    raise ServiceError(f"the case {late.case.name}", "did not end in time", last_lines(late.log))
                status.update("training: " + ", ".join(case_run.case.name for case_run in running))
                time.sleep(0.1)
    finally:
        for case_run in case_runs:
            for process in case_run.processes:
                process.kill()
    for case_run in case_runs:
        case_run.require_expected_end()


def await_stored(api: Api, case_run: CaseRun) -> Snapshot:
    """Wait until the API returns a run complete and in its expected state; after a minute return it anyway.

    ServiceError is raised if the API does not know the run then.
    """
    deadline = time.monotonic() + ARRIVAL_S
    while True:
        late = time.monotonic() > deadline
        try:
            snapshot = Snapshot.read(api.run(case_run.run_id))
            if late or (snapshot.ended and snapshot.document["state"] == case_run.case.expected):
                return snapshot
        except NotFoundError as error:
            if late:
                problem = f"of the case {case_run.case.name} did not arrive"
                raise ServiceError(f"run {case_run.run_id}", problem, last_lines(case_run.log)) from error
        time.sleep(0.2)
