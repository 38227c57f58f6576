"""TensorBoard's event files are read as TensorBoard shows them: a folder is a run."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import numpy as np
from tensorboardX import SummaryWriter

from runstream.importing.records import (
    Attributes,
    Config,
    Content,
    Damage,
    NotImported,
    Row,
    SourceRun,
    UnreadablePlace,
)
from runstream.importing.tensorboard import find_runs

if TYPE_CHECKING:
    from pathlib import Path

    from runstream.importing.records import Record


def write(folder: Path, steps: int = 5) -> None:
    """Write an event file with values of several kinds."""
    with SummaryWriter(str(folder)) as writer:
        for step in range(steps):
            writer.add_scalar("loss", 1 / 2**step, step)
        for step in range(steps):
            writer.add_scalar("acc", step, step)
        writer.add_text("note", "hello", 2)
        writer.add_histogram("weights", np.arange(10.0), 4)
        writer.add_image("image", np.zeros((3, 4, 6), dtype=np.uint8), 4)
        writer.add_audio("sound", np.zeros((100, 1)), 4)
        writer.add_scalar("loss", 7.0, 1)


def runs_in(folder: Path) -> dict[str, SourceRun]:
    """Return the runs by their names."""
    found = {}
    for run in find_runs([folder]):
        assert isinstance(run, SourceRun)
        attributes = next(iter(run.records()))
        assert isinstance(attributes, Attributes)
        found[attributes.values["name"]] = run
    return found


def of_kind(run: SourceRun, kind: Any) -> list[Any]:
    """Return the records of a kind."""
    return [record for record in run.records() if isinstance(record, kind)]


def test_each_folder_is_a_run_and_each_step_a_row(tmp_path: Path) -> None:
    """Scalars of one step are one row, also if other steps come between; a repeated one is a row of its own."""
    write(tmp_path / "logs" / "a")
    write(tmp_path / "logs" / "b" / "c")

    runs = runs_in(tmp_path / "logs")

    assert [*runs] == ["a", "b/c"]
    assert {run.project for run in runs.values()} == {"logs"}
    assert len({run.run_id for run in runs.values()}) == 2
    rows = of_kind(runs["a"], Row)
    assert [row.step for row in rows] == [1, 0, 2, 3, 4, 1]
    assert rows[0].values == {"loss": 0.5, "acc": 1.0}
    assert rows[2].values == {"loss": 0.25, "acc": 2.0, "note": "hello"}
    assert rows[4].values["weights"]["_type"] == "histogram"
    assert rows[5].values == {"loss": 7.0}
    started = runs["a"].started
    assert all(started <= row.time < started + 60_000_000 for row in rows)
    assert of_kind(runs["a"], NotImported) == [
        NotImported("values of the plugin audio", "TensorBoard's data of this kind is not imported")
    ]
    (file,) = of_kind(runs["a"], Content)
    assert rows[4].values["image"] == {
        "_type": "image-file", "format": "png", "width": 6, "height": 4, "path": file.name,
        "sha256": hashlib.sha256(file.data).hexdigest(), "size": len(file.data),
    }  # fmt: skip
    assert file.name.startswith("media/images/image_4_")
    assert file.data.startswith(b"\x89PNG")


def test_hyperparameters_are_the_config(tmp_path: Path) -> None:
    """What ``add_hparams`` writes is config, and not counted as left out."""
    with SummaryWriter(str(tmp_path)) as writer:
        writer.add_hparams({"lr": 0.1, "optimizer": "sgd", "bias": True}, {"acc": 1.0})

    (run,) = [run for run in find_runs([tmp_path]) if isinstance(run, SourceRun) and of_kind(run, Config)]

    configs = [config.values for config in of_kind(run, Config)]
    assert {key: value for values in configs for (key,), value in values.items()} == {
        "lr": 0.1, "optimizer": "sgd", "bias": True,
    }  # fmt: skip
    assert [row.values for row in of_kind(run, Row)] == [{"acc": 1.0}]


def test_torn_and_damaged_files_are_read_as_far_as_possible(tmp_path: Path) -> None:
    """The place of a torn record and the number of unreadable ones are reported."""
    write(tmp_path, steps=50)
    (path,) = tmp_path.iterdir()
    content = path.read_bytes()

    path.write_bytes(content[:-10])
    (torn,) = runs_in(tmp_path).values()
    damage, torn_rows = of_kind(torn, Damage), of_kind(torn, Row)
    path.write_bytes(content[:1000] + b"\xff" + content[1001:])
    (changed,) = runs_in(tmp_path).values()

    assert len(damage) == 1
    assert damage[0].text.endswith("the file ends within a record")
    assert sum("loss" in row.values for row in torn_rows) == 50
    rows = of_kind(changed, Row)
    assert 0 < len(rows) < 50
    assert "records cannot be read: a checksum is wrong" in of_kind(changed, Damage)[0].text


def test_places_without_event_files_are_named(tmp_path: Path) -> None:
    """A missing folder, and one without event files; links to folders are not followed."""
    (tmp_path / "circle").symlink_to(tmp_path)
    found: list[Any] = [*find_runs([tmp_path / "nothing"]), *find_runs([tmp_path])]

    assert found == [
        UnreadablePlace(str(tmp_path / "nothing"), "it does not exist"),
        UnreadablePlace(str(tmp_path), "there is no event file (*tfevents*)"),
    ]


def test_any_bytes_are_reported_as_damage(tmp_path: Path) -> None:
    """A file of another kind with the name of an event file has no rows."""
    (tmp_path / "events.out.tfevents.1700000000.host").write_bytes(bytes(range(256)) * 10)

    (run,) = runs_in(tmp_path).values()
    records: list[Record] = list(run.records())

    assert not [record for record in records if isinstance(record, Row)]
    assert [record for record in records if isinstance(record, Damage)]
