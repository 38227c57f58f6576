"""Files of a run from ``save()`` to ``Api``, with the whole stack."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

import runstream
from runstream import Api, CommError
from runstream.media.places import RunPlace
from tests.e2e.scripts import ended, trained
from tests.polling import eventually
from tests.trainers import new_id

if TYPE_CHECKING:
    from pathlib import Path

    from tests.running_stack import Stack
    from tests.trainers import Server

_PROGRAM = """
from pathlib import Path
Path("d").mkdir()
for policy in ("now", "live", "end"):
    Path("d", f"{policy}.txt").write_text("before")
    run.save(f"d/{policy}.txt", policy=policy)
    Path("d", f"{policy}.txt").write_text("after")
Path(run.dir, "unsaved.txt").write_text("written to run.dir")
run.save("missing.txt")
print("first line\\nsecond line")
run.config["large"] = [0.5] * 600_000
run.log({"text": "x" * 300_000})
run.finish()
"""


#: Five calls for one row, which are too large for a message together.
_KILLED = """
from pathlib import Path
Path(run.dir, "sub").mkdir()
Path(run.dir, "sub/left.txt").write_text("written to run.dir")
for part in range(5):
    run.log({f"part{part}": [0.25 * part] * 120_000}, step=7, commit=False)
run.log({"last": 1}, step=8)
os.kill(os.getpid(), signal.SIGKILL)
"""


def _read(run: object, name: str, folder: Path) -> str:
    with run.file(name).download(folder, replace=True) as opened:  # type: ignore[attr-defined]
        return str(opened.read())


def test_files_are_saved_listed_read_and_deleted(
    stack: Stack, server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each policy stores what it promises; values that are too large for a message are files; losses have reasons."""
    run_id = new_id()
    assert trained(stack, tmp_path, run_id, _PROGRAM) == 0
    ended(server, run_id)
    api = Api(overrides={"base_url": stack.url}, api_key=stack.token)
    run = api.run(f"{server.entity}/tests/{run_id}")
    eventually(lambda: {"uploading"}.isdisjoint(file.state for file in run.files()))
    eventually(lambda: {file.name for file in run.files(pattern="d/%") if file.state == "stored"} >= {"d/end.txt"})

    assert {name: _read(run, f"d/{name}.txt", tmp_path / "got") for name in ("now", "live", "end")} == {
        "now": "before",
        "live": "after",
        "end": "after",
    }
    for name, value in stack.environment.items():
        monkeypatch.setenv(name, value)
    path = f"{server.entity}/tests/{run_id}"
    with runstream.restore("d/live.txt", path, root=tmp_path / "restored") or pytest.fail("no file") as restored:
        assert restored.read() == "after"
    with pytest.raises(ValueError, match="Cannot restore"):
        runstream.restore("d/none.txt", path, root=tmp_path / "restored")
    (lost,) = run.files(["missing.txt"])
    assert (lost.state, lost.reason, lost.policy) == ("dropped", "there is no such file", "live")
    with pytest.raises(CommError, match="there is no such file"):
        lost.download(tmp_path)
    assert json.loads(_read(run, "wandb-metadata.json", tmp_path))["python"].startswith("3.")
    assert "msgspec==" in _read(run, "requirements.txt", tmp_path)
    eventually(lambda: [file.state for file in run.files(["output.log"])] == ["stored"])
    lines = _read(run, "output.log", tmp_path).splitlines()
    assert [line.split(" ", 2)[1:] for line in lines] == [["stdout", "first line"], ["stdout", "second line"]]
    (row,) = [row for row in run.scan_history() if "text" in row]
    assert row["text"]["_type"] == "value-file"
    assert run.resolve(row)["text"] == "x" * 300_000
    assert run.resolve(run.config)["large"] == [0.5] * 600_000

    (tmp_path / "new.txt").write_text("uploaded")
    file = run.upload_file(str(tmp_path / "new.txt"), root=str(tmp_path.parent))
    assert (file.name, file.size, file.mimetype) == (f"{tmp_path.name}/new.txt", 8, "text/plain")
    assert _read(run, file.name, tmp_path / "got") == "uploaded"
    file.delete()
    assert len(run.files([file.name])) == 0
    with pytest.raises(CommError, match="no file"):
        run.file(file.name)


def test_files_of_a_killed_process_and_rows_that_are_joined_are_stored(
    stack: Stack, server: Server, tmp_path: Path
) -> None:
    """What a killed process wrote to its folder is a file of the run, and so are values too large for a message."""
    run_id = new_id()
    assert trained(stack, tmp_path, run_id, _KILLED) == -9
    eventually(lambda: server.run(run_id, "/delivery")["complete"])
    run = Api(overrides={"base_url": stack.url}, api_key=stack.token).run(f"{server.entity}/tests/{run_id}")

    assert _read(run, "sub/left.txt", tmp_path / "got") == "written to run.dir"
    row = next(row for row in run.scan_history() if "part0" in row)
    assert sum(type(row[f"part{part}"]) is dict for part in range(5)) >= 1
    assert all(run.resolve(row)[f"part{part}"] == [0.25 * part] * 120_000 for part in range(5))


_TABLES = """
from datetime import datetime, UTC
import numpy as np, runstream
boxes = {"b": {"box_data": [{"position": {"minX": 0, "maxX": 1, "minY": 0, "maxY": 1}, "class_id": 1}]}}
masks = {"m": {"mask_data": np.ones((4, 6), np.uint8), "class_labels": {1: "cat"}}}
table = runstream.Table(columns=["n", "at", "image"], log_mode="INCREMENTAL")
for n in range(3):
    image = runstream.Image(np.full((4, 6, 3), n, np.uint8), caption=f"c{n}", boxes=boxes, masks=masks)
    table.add_data(n, datetime(2026, 1, 1 + n, tzinfo=UTC), image)
    run.log({"table": table})
run.log({"whole": runstream.Table(columns=["x"], data=[[1.5], [None]])})
run.finish()
"""


def test_tables_are_read_as_tables(stack: Stack, server: Server, tmp_path: Path) -> None:
    """What a run holds of a table gives the table: increments up to it are joined, and cells are values and media."""
    run_id = new_id()
    assert trained(stack, tmp_path, run_id, _TABLES) == 0
    ended(server, run_id)
    run = Api(overrides={"base_url": stack.url}, api_key=stack.token).run(f"{server.entity}/tests/{run_id}")
    eventually(lambda: {"uploading"}.isdisjoint(file.state for file in run.files()))

    table = run.table(run.summary["table"], root=tmp_path)
    assert [(row[0], row[1].isoformat()[:10], row[2].image.getpixel((0, 0))) for row in table.data] == [
        (n, f"2026-01-0{n + 1}", (n, n, n)) for n in range(3)
    ]
    assert table.data[2][2].record(RunPlace(None, 0))["caption"] == "c2"
    assert [*map(str, table.column_types)] == ["n", "at", "image"]
    second = [row for row in run.scan_history() if "table" in row][1]
    assert run.table(second["table"], root=tmp_path).get_column("n") == [0, 1]
    assert run.table(run.summary["whole"], root=tmp_path).data == [[1.5], [None]]
    with pytest.raises(ValueError, match="Invalid table 3"):
        run.table(3)
