"""Files are stored once and complete, whatever is killed while they are uploaded."""

from __future__ import annotations

import os
import signal
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from runstream.spool.control_page import CONTROL_NAME, ControlPage, Phase, Word
from tests.faults.recount_files import recount_files
from tests.polling import eventually
from tests.trainers import Server, kill, new_id, run_folders, start

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.running_stack import Stack

FILES = 200


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


def kill_shipper(folder: Path) -> None:
    """Kill the shipper of a run folder, unless it has delivered everything."""
    if pid := word(folder, Word.SHIPPER_PID):
        kill([pid])


@pytest.mark.timeout(400)
def test_files_are_stored_while_shippers_and_the_object_store_are_killed(
    stack: Stack, server: Server, tmp_path: Path
) -> None:
    """A killed process leaves 200 small files and a large one, which are uploaded while others are killed, too.

    Files that it changes until its end are stored as it left them.
    """
    run_id, journal = new_id(), tmp_path / "journal"
    trainer = start(
        "save_files",
        *("--id", run_id, "--files", FILES, "--size", 5_000, "--large", 100),
        *("--journal", journal, "--seed", run_id, "--watched", "--end", "kill"),
        environment=stack.environment,
        folder=tmp_path,
    )
    (folder,) = eventually(lambda: run_folders(tmp_path))
    eventually((folder / CONTROL_NAME).exists)
    store = stack.pid("s3")
    with suspended(store):
        trainer.wait(120)
        eventually(lambda: word(folder, Word.UPLOAD_FILES))
        kill_shipper(folder)
    kill([store])
    eventually(lambda: word(folder, Word.UPLOADED_BYTES) or word(folder, Word.PHASE) == Phase.DELIVERED)
    kill_shipper(folder)
    eventually(lambda: word(folder, Word.PHASE) == Phase.DELIVERED, within=200)
    eventually(lambda: server.run(run_id, "/delivery")["complete"])

    verdict = recount_files(journal, url=stack.url, token=stack.token, store=stack.data_dir / "s3")
    assert verdict.good, verdict
    assert verdict.accepted == FILES + 3
    eventually(lambda: not (folder / "staged").exists())
