"""What is printed at the end of a run."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from runstream.run_folder.descriptions import RunInfo
from runstream.run_folder.folder import RunFolder
from runstream.run_folder.json_files import write_json
from runstream.settings import Settings
from runstream.shipper.ledger.ledger import Ledger, WriterAccount
from runstream.spool.control_page import Phase, Word
from runstream.spool.format import TopicCode
from runstream.terminal.terminal import Terminal
from runstream.tracking.lifecycle.final_report import FinalReport
from runstream.tracking.lifecycle.shipper_launcher import ShipperLauncher

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


@dataclass(frozen=True)
class NamedRun:
    """The names of a run."""

    name: str = "bright-river-1"
    url: str | None = None
    project_url: str | None = None


def test_lost_records_are_not_counted_as_synced(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The last lines have the number of records that were delivered, of those that were lost, and why."""
    folder = RunFolder.create(tmp_path, RunInfo(run_id="r1", project="p", mode="online", name="n"))
    account = WriterAccount(exit_acked=True)
    account.acknowledge(TopicCode.LOG, 98)
    account.acknowledge(TopicCode.LOG, 100, "the disk was full")
    ledger = Ledger(folder.ledger)
    ledger.account("cluster", entity="e", prefix="p", partitions=8).writers[bytes(16)] = account
    write_json(ledger.path, ledger.to_json())
    folder.control[Word.PHASE] = Phase.DELIVERED

    report = FinalReport(folder, NamedRun(), Settings(), Terminal())
    report.conclude(ShipperLauncher(folder, {}), summary={}, dropped=2)

    printed = capsys.readouterr().err
    assert "WARNING Synced 99 record(s), 2 lost: 2 rows (the disk was full)" in printed
    assert printed.count("disk was full") == 1


def test_uploads_that_are_left_are_reported(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """If the wait ends at its limit, the last lines name files and bytes that are left, and the command for them."""
    folder = RunFolder.create(tmp_path, RunInfo(run_id="r1", project="p", mode="online", name="n"))
    control = folder.control
    control[Word.PHASE] = Phase.CONNECTED
    control[Word.SHIPPER_ALIVE] = time.time_ns() // 1000 + 10**9
    control[Word.UPLOAD_FILES], control[Word.UPLOAD_BYTES] = 3, 1_500_000

    report = FinalReport(folder, NamedRun(), Settings(finish_timeout_s=0.0), Terminal())
    report.conclude(ShipperLauncher(folder, {}), summary={}, dropped=0)

    printed = capsys.readouterr().err
    assert "not delivered yet, and 3 files (1.5 MB) not uploaded; delivery continues in the background" in printed
    assert f"runstream sync {os.path.relpath(folder.path)}" in printed
