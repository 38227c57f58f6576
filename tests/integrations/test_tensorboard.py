"""``sync_tensorboard`` with the writers of torch: scalars, text, histograms, and several folders."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import pytest
import torch

import runstream
from runstream.run_folder.folder import RunFolder
from runstream.tensorboard.reader import RunReader
from tests.unit.producer.spooled import only_run, rows, writers

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = [
    pytest.mark.integrations,
    # torch and tensorboard cause warnings.
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning"),
]


@pytest.fixture
def run(tmp_path: Path) -> Iterator[runstream.Run]:
    """Start an offline run that syncs the event files of this process."""
    run = runstream.init(project="p", mode="offline", dir=tmp_path, sync_tensorboard=True, settings={"silent": True})
    yield run
    run.finish()


def read(folder: Path) -> list[tuple[int, dict[str, Any]]]:
    """Read the event files of the run in a folder; return steps and values of its rows."""
    path = only_run(folder)
    RunReader(RunFolder(path)).finish()
    return [(row.step, row.values) for writer in writers(path, "shipper") for row in rows(writer)]


def test_events_of_a_torch_writer_are_rows(run: runstream.Run, tmp_path: Path) -> None:
    """Scalars, text and histograms are logged, although the writer is not closed."""
    from torch.utils.tensorboard import SummaryWriter  # noqa: PLC0415 - after init(), as in most scripts

    writer = SummaryWriter(tmp_path / "events")
    for step in range(3):
        writer.add_scalar("loss", step / 2, step)
        writer.add_scalar("accuracy", step / 4, step)
    writer.add_text("note", "hello", 3)
    writer.add_histogram("weights", torch.ones(10), 3)
    run.finish()

    (*scalars, last) = read(tmp_path)
    assert scalars == [(step, {"global_step": step, "loss": step / 2, "accuracy": step / 4}) for step in range(3)]
    assert last[1]["note"] == "hello"
    histogram = last[1]["weights"]
    assert histogram["_type"] == "histogram"
    assert sum(histogram["values"]) == 10
    assert len(histogram["bins"]) == len(histogram["values"]) + 1
    writer.close()


def test_add_scalars_writes_folders_that_are_found(run: runstream.Run, tmp_path: Path) -> None:
    """Each of its curves has a separate folder, which is the first part of the name."""
    from torch.utils.tensorboard import SummaryWriter  # noqa: PLC0415

    with SummaryWriter(tmp_path / "events") as writer:
        writer.add_scalars("loss", {"train": 1.0, "test": 2.0}, 5)
    run.finish()

    assert sorted((values for _, values in read(tmp_path)), key=str) == [
        {"loss_test/global_step": 5, "loss_test/loss": 2.0},
        {"loss_train/global_step": 5, "loss_train/loss": 1.0},
    ]


def test_all_event_files_below_a_root_are_read(tmp_path: Path) -> None:
    """After patch(), the folders below the root are the first part of the names."""
    from torch.utils.tensorboard import SummaryWriter  # noqa: PLC0415

    root = tmp_path / "logs"
    runstream.tensorboard.patch(root_logdir=root)
    try:
        with (
            runstream.init(project="p", mode="offline", dir=tmp_path, settings={"silent": True}),
            SummaryWriter(root / "a") as writer,
        ):
            writer.add_scalar("x", 1.0, 1)
    finally:
        runstream.tensorboard.unpatch()

    assert read(tmp_path) == [(0, {"a/global_step": 1, "a/x": 1.0})]


def test_event_files_are_not_synced_by_default(tmp_path: Path) -> None:
    """Without the setting there is no request."""
    from torch.utils.tensorboard import SummaryWriter  # noqa: PLC0415

    with runstream.init(project="p", mode="offline", dir=tmp_path, settings={"silent": True}):
        SummaryWriter(tmp_path / "events").close()

    assert not (only_run(tmp_path) / "tensorboard.jsonl").exists()
    assert "tensorflow" not in sys.modules
