"""Saving the ledger survives a full disk and cancellation."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from runstream.run_folder.descriptions import RunInfo
from runstream.run_folder.folder import RunFolder
from runstream.shipper.delivery.checkpoint import Checkpoint
from runstream.shipper.delivery.report import Report
from runstream.shipper.delivery.run_delivery import RunDelivery
from runstream.shipper.ledger.ledger import Ledger
from runstream.shipper.settings import ShipperSettings

if TYPE_CHECKING:
    from pathlib import Path

    from runstream.shipper.writers.writer_tail import WriterTail


def ignore(_: WriterTail) -> None:
    """Do nothing."""


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    """Return a new run folder."""
    return RunFolder.create(tmp_path, RunInfo(run_id="r", project="p"))


def checkpoint(folder: RunFolder) -> tuple[Checkpoint, Ledger, RunDelivery]:
    """Return a checkpoint of a ledger that has changed."""
    delivery = RunDelivery(Report(), ShipperSettings(housekeeping_s=0.0), ignore)
    ledger = Ledger.load(folder.ledger)
    ledger.console, delivery.changed = 7, True
    return Checkpoint(folder, ledger, delivery), ledger, delivery


async def test_failed_save_is_repeated(folder: RunFolder) -> None:
    """On a full disk the ledger stays due, and the next save writes it."""
    saving, ledger, delivery = checkpoint(folder)
    (folder.path / ".delivery.json.new").symlink_to("/dev/full")
    await saving.save()
    after_failure = (delivery.changed, folder.ledger.exists())
    await saving.save()

    assert (after_failure, delivery.changed) == ((True, False), False)
    assert Ledger.load(folder.ledger) == ledger


async def test_cancelled_save_leaves_a_whole_file(folder: RunFolder) -> None:
    """If a save is cancelled, the file is the old or the new one, and a later save works."""
    saving, ledger, _ = checkpoint(folder)
    task = asyncio.ensure_future(saving.save())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    during = Ledger.load(folder.ledger).console
    await saving.save()

    assert during in {0, 7}
    assert Ledger.load(folder.ledger) == ledger


async def test_save_in_a_deleted_folder_is_harmless(folder: RunFolder, tmp_path: Path) -> None:
    """If the run folder is deleted, saving logs a warning and does not create it again."""
    saving, _, delivery = checkpoint(folder)
    folder.path.rename(tmp_path / "elsewhere")
    await saving.save()

    assert (delivery.changed, folder.path.exists()) == (True, False)
