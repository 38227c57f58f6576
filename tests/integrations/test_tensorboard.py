"""``sync_tensorboard`` with the writers of torch: scalars, text, histograms, and folders of their own."""

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
    # torch and tensorboard warn of themselves and of each other.
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning"),
]


@pytest.fixture
def run(tmp_path: Path) -> Iterator[runstream.Run]:
    """Begin an offline run that follows the writers of this process."""
    run = runstream.init(project="p", mode="offline", dir=tmp_path, sync_tensorboard=True, settings={"silent": True})
    yield run
    run.finish()


def read(folder: Path) -> list[tuple[int, dict[str, Any]]]:
    """Read the event files of the one run below a folder; return steps and values of its rows."""
    path = only_run(folder)
    RunReader(RunFolder(path)).finish()
    return [(row.step, row.values) for writer in writers(path, "shipper") for row in rows(writer)]


def test_what_a_writer_of_torch_writes_are_rows(run: runstream.Run, tmp_path: Path) -> None:
    """Scalars are numbers, text is text, a histogram is one of W&B's form; what was not closed is there as well."""
    from torch.utils.tensorboard import SummaryWriter  # noqa: PLC0415 - behind init(), as in most scripts

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


def test_add_scalars_makes_folders_that_are_found(run: runstream.Run, tmp_path: Path) -> None:
    """Each of its curves lies in a folder of its own, which is the first part of the name."""
    from torch.utils.tensorboard import SummaryWriter  # noqa: PLC0415

    with SummaryWriter(tmp_path / "events") as writer:
        writer.add_scalars("loss", {"train": 1.0, "test": 2.0}, 5)
    run.finish()

    assert sorted((values for _, values in read(tmp_path)), key=str) == [
        {"loss_test/global_step": 5, "loss_test/loss": 2.0},
        {"loss_train/global_step": 5, "loss_train/loss": 1.0},
    ]


def test_a_root_is_read_whoever_writes_below_it(tmp_path: Path) -> None:
    """patch() before the run: the folders below the root are the first part of the names."""
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


def test_a_run_that_does_not_follow_leaves_writers_alone(tmp_path: Path) -> None:
    """Without the setting no request is made."""
    from torch.utils.tensorboard import SummaryWriter  # noqa: PLC0415

    with runstream.init(project="p", mode="offline", dir=tmp_path, settings={"silent": True}):
        SummaryWriter(tmp_path / "events").close()

    assert not (only_run(tmp_path) / "tensorboard.jsonl").exists()
    assert "tensorflow" not in sys.modules
