"""Event files of TensorBoard as files of the run, and their images, without a server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import runstream
from runstream.run_folder.folder import RunFolder
from runstream.spool.format import TopicCode
from runstream.tensorboard.reader import RunReader
from tests.unit.producer.spooled import of_topic, only_run, rows, writers

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")


def _read(folder: Path) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Read the event files of the only run in a folder; return the files and the rows of this reader."""
    known = writers(only_run(folder), "shipper")
    RunReader(RunFolder(only_run(folder))).finish()
    (writer,) = [one for one in writers(only_run(folder), "shipper") if one not in known]
    return of_topic(writer, TopicCode.FILE), [row.values for row in rows(writer)]


def _write(folder: Path) -> None:
    from tensorboardX import SummaryWriter  # noqa: PLC0415 - after init(), as in most scripts

    with SummaryWriter(str(folder)) as writer:
        writer.add_scalar("loss", 1.0, 0)
        writer.add_image("val/picture", np.zeros((3, 4, 6), np.uint8), 1)


def test_event_files_and_images_are_files_of_the_run(tmp_path: Path) -> None:
    """Names begin with the folder, as those of values do; a reader that continues adds no image again."""
    with runstream.init(project="p", mode="offline", dir=tmp_path, sync_tensorboard=True, settings={"silent": True}):
        for name in ("a", "b"):
            _write(tmp_path / "logs" / name)
    files, values = _read(tmp_path)

    events = [file for file in files if file["policy"] == "end"]
    sources = [next((tmp_path / "logs" / name).iterdir()) for name in ("a", "b")]
    assert [(file["path"], file["source"]) for file in events] == [
        (sources[0].name, str(sources[0])),
        (f"b/{sources[1].name}", str(sources[1])),
    ]
    images = {file["path"]: only_run(tmp_path) / file["staged"] for file in files if file["policy"] == "now"}
    pictures = {key: row[key] for row in values for key in row if key.endswith("picture")}
    assert {key: (one["_type"], one["width"], one["height"]) for key, one in pictures.items()} == {
        "val/picture": ("image-file", 6, 4),
        "b/val/picture": ("image-file", 6, 4),
    }
    assert {one["path"] for one in pictures.values()} == images.keys()
    assert {path.read_bytes()[:4] for path in images.values()} == {b"\x89PNG"}
    assert pictures["b/val/picture"]["path"].startswith("media/images/b/val/picture_1_")
    assert _read(tmp_path) == (events, [])


def test_event_files_are_not_saved_on_request(tmp_path: Path) -> None:
    """After ``patch(save=False)`` values are logged, and the files stay where they are."""
    runstream.tensorboard.patch(save=False)
    try:
        with runstream.init(project="p", mode="offline", dir=tmp_path, settings={"silent": True}):
            _write(tmp_path / "logs")
    finally:
        runstream.tensorboard.unpatch()
    files, values = _read(tmp_path)

    assert [file["policy"] for file in files] == ["now"]
    assert len(values) == 2
