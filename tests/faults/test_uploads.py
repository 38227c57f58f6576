"""Files are stored once and complete, whatever is killed while they are uploaded."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.faults.contributions_with_kills import contribute_with_kills
from tests.faults.upload_with_kills import upload_with_kills
from tests.polling import eventually

if TYPE_CHECKING:
    from pathlib import Path

    from tests.running_stack import Stack

FILES = 200


@pytest.mark.timeout(400)
def test_files_are_stored_while_shippers_and_the_object_store_are_killed(stack: Stack, tmp_path: Path) -> None:
    """A killed process leaves 200 small files and a large one, which are uploaded while others are killed, too.

    Files that it changes until its end are stored as it left them. ``python -m tests.benchmarks kills`` does the same
    with 10,000 files and 5 GiB.
    """
    found = upload_with_kills(stack, tmp_path, files=FILES, size=5_000, large=100)
    assert found.verdict.good, found.verdict
    assert found.verdict.accepted == FILES + 3
    assert found.memory <= 300
    eventually(lambda: not (found.run_folder / "staged").exists())


@pytest.mark.timeout(400)
def test_contributions_of_killed_writers_are_in_the_version_once(stack: Stack, tmp_path: Path) -> None:
    """Two of five writers of one artifact are killed and started again: one version has the files of all, each once.

    ``python -m tests.benchmarks kills`` does the same with 64 writers.
    """
    found = contribute_with_kills(stack, tmp_path, writers=5)
    assert not found.problems
    assert found.killed == 2
