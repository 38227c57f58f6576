"""A run whose files are uploaded while its shipper is killed twice and the object store once."""

from __future__ import annotations

import os
import signal
import threading
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from runstream.spool.control_page import CONTROL_NAME, ControlPage, Phase, Word
from tests.faults.recount_files import FileVerdict, recount_files
from tests.polling import eventually
from tests.trainers import Server, kill, new_id, run_folders, start

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.running_stack import Stack

_SAMPLES_S = 0.1


@dataclass(frozen=True, slots=True)
class Uploaded:
    """The result: what the recount found, and the most memory of any of the shippers, in MiB."""

    verdict: FileVerdict
    memory: float
    #: Shippers that were seen.
    shippers: int
    run_folder: Path


def upload_with_kills(
    stack: Stack, folder: Path, *, files: int, size: int, large: int, between: int = 0, within: float = 200
) -> Uploaded:
    """Save ``files`` of ``size`` bytes, one of ``large`` MiB, and two that change until the process is killed.

    Half of the files are saved one by one, the others by one call.

    A shipper is killed, the object store, and another shipper, each after it has sent ``between`` bytes. With 0, the
    store does not answer until the first of them is killed, so that few files are not uploaded before.
    """
    run_id, journal = new_id(), folder / "journal"
    server = Server(url=stack.url, token=stack.token, entity=stack.entity)
    trainer = start(
        "save_files",
        *("--id", run_id, "--files", files // 2, "--together", files - files // 2, "--size", size, "--large", large),
        *("--journal", journal, "--seed", run_id, "--watched", "--end", "kill"),
        environment=stack.environment,
        folder=folder,
    )
    (run_folder,) = eventually(lambda: run_folders(folder))
    eventually((run_folder / CONTROL_NAME).exists)

    def sent() -> bool:
        return word(run_folder, Word.UPLOADED_BYTES) > between or delivered()

    def delivered() -> bool:
        return word(run_folder, Word.PHASE) == Phase.DELIVERED

    with _memory_of_shippers(run_folder) as memory:
        store = stack.pid("s3")
        with nullcontext() if between else suspended(store):
            trainer.wait(within)
            eventually(lambda: sent() if between else word(run_folder, Word.UPLOAD_FILES), within=within)
            _kill_shipper(run_folder)
        eventually(lambda: sent() if between else True, within=within)
        kill([store])
        eventually(sent, within=within)
        _kill_shipper(run_folder)
        eventually(delivered, within=within)
    eventually(lambda: server.run(run_id, "/delivery")["complete"], within=within)
    verdict = recount_files(journal, url=stack.url, token=stack.token, store=stack.data_dir / "s3")
    return Uploaded(verdict, max(memory.values(), default=0.0), len(memory), run_folder)


def word(folder: Path, name: Word) -> int:
    """Return a word of the control page of a run folder."""
    with ControlPage(folder / CONTROL_NAME) as control:
        return control[name]


@contextmanager
def suspended(pid: int) -> Iterator[None]:
    """Stop a process until the block ends."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def _kill_shipper(folder: Path) -> None:
    """Kill the shipper of a run folder, unless it has delivered everything, and wait for the next one."""
    if not (pid := word(folder, Word.SHIPPER_PID)):
        return
    kill([pid])
    eventually(lambda: word(folder, Word.SHIPPER_PID) != pid or word(folder, Word.PHASE) == Phase.DELIVERED)


@contextmanager
def _memory_of_shippers(folder: Path) -> Iterator[dict[int, float]]:
    """Note the largest resident memory of each shipper of a run folder, by process id, until the block ends."""
    memory: dict[int, float] = {}
    stop = threading.Event()

    def note() -> None:
        while not stop.wait(_SAMPLES_S):
            if (pid := word(folder, Word.SHIPPER_PID)) and (peak := _peak(pid)):
                memory[pid] = peak

    thread = threading.Thread(target=note)
    thread.start()
    try:
        yield memory
    finally:
        stop.set()
        thread.join()


def _peak(pid: int) -> float:
    """Return the largest resident memory that a process has had, in MiB; 0 if it has ended."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0.0
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM:")), 0.0)
