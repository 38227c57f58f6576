"""Runs of MLflow's stores are read as MLflow shows them, without the package mlflow."""

from __future__ import annotations

import math
import shutil
import sqlite3
from typing import TYPE_CHECKING, Any

import pytest

from runstream.importing.mlflow.conversion import literal
from runstream.importing.mlflow.source import find_runs
from runstream.importing.records import (
    Attributes,
    Config,
    Damage,
    Ending,
    LeftOutRun,
    Metadata,
    NotImported,
    Row,
    Sample,
    SourceRun,
    StoredFile,
    UnreadablePlace,
)
from runstream_schemas.events import ExitState
from tests.unit.importing.imports import DATA

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from runstream.importing.records import Found, Record

STARTED = 1_700_000_000_000_000


def database(folder: Path) -> Path:
    """Return a database of MLflow whose artifacts are in a folder."""
    path = folder / "mlflow.db"
    shutil.copytree(DATA / "mlflow" / "artifacts", folder / "artifacts")
    sql = (DATA / "mlflow" / "mlflow.sql").read_text().replace("/tmp/runs", str(folder))
    connection = sqlite3.connect(path)
    connection.executescript(sql)
    connection.close()
    return path


def by_start(found: Iterable[Found]) -> list[SourceRun]:
    """Return the runs in the order of their starts."""
    return sorted((run for run in found if isinstance(run, SourceRun)), key=lambda run: run.started)


def of_kind(records: list[Record], kind: Any) -> list[Any]:
    """Return the records of a kind."""
    return [record for record in records if isinstance(record, kind)]


@pytest.mark.parametrize("store", ["sqlite", "file", "mlruns"])
def test_runs_are_those_of_the_store(tmp_path: Path, store: str) -> None:
    """Metrics with steps and times, NaN and infinities, parameters, tags, artifacts and states, from any store."""
    place = str(DATA / "mlflow" / "mlruns")
    if store != "mlruns":
        place = f"sqlite:///{database(tmp_path)}" if store == "sqlite" else str(database(tmp_path))
    found = list(find_runs([place]))
    first, failed, running = by_start(found)
    records = list(first.records())

    assert [isinstance(one, LeftOutRun) for one in found].count(True) == 1  # the deleted one
    assert (first.project, first.started) == ("my/experiment", STARTED)
    rows = of_kind(records, Row)
    series = {
        key: [(row.step, row.values[key]) for row in rows if key in row.values] for key in ("train/loss", "val/acc")
    }
    assert series["train/loss"] == [(step, 1 / (step + 1)) for step in range(10)]
    assert series["val/acc"] == [(step, step / 10) for step in range(0, 10, 2)]
    odd = [row.values["odd"] for row in rows if "odd" in row.values]
    assert math.isnan(odd[0])
    assert odd[1:] == [math.inf, -math.inf, 1.5]
    assert next(row.time for row in rows if row.step == 3) == STARTED + 3_000_000
    assert of_kind(records, Sample) == [Sample(STARTED + 5_000_000, {"cpu_utilization_percentage": 12.5})]
    (attributes,) = of_kind(records, Attributes)
    assert {key: attributes.values[key] for key in ("name", "notes", "tags")} == {
        "name": "first run", "notes": "some notes", "tags": ["team=vision"],
    }  # fmt: skip
    (config,) = of_kind(records, Config)
    assert {key: value for (key,), value in config.values.items()} == {
        "lr": 0.1, "epochs": 10, "use_bias": True, "layers": [1, 2], "name": "resnet", "nothing": None,
    }  # fmt: skip
    (metadata,) = of_kind(records, Metadata)
    assert (metadata.values["program"], metadata.values["git"]) == ("train.py", {"commit": "abc123"})
    (file,) = of_kind(records, StoredFile)
    assert (file.name, file.path.read_text()) == ("model/weights.txt", "weights\n")
    assert records[-1] == Ending(ExitState.FINISHED, time=STARTED + 30_000_000)
    assert of_kind(list(failed.records()), Attributes)[0].values["group"] == first.run_id
    assert list(failed.records())[-1].state is ExitState.FAILED  # type: ignore[union-attr]
    assert list(running.records())[-1] == Ending(ExitState.CRASHED, reason="its state in MLflow is RUNNING")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1", 1), ("-1.5", -1.5), ("1e-3", 1e-3), ("nan", math.nan), ("inf", math.inf), ("007", 7), ("1_000", "1_000"),
        ("True", True), ("None", None), ("none", "none"), ("{'a': (1, 2)}", {"a": (1, 2)}), ("[1, x]", "[1, x]"),
        ("(" * 9000, "(" * 9000), ("__import__('os')", "__import__('os')"), ("'quoted'", "'quoted'"), ("", ""),
        ("9" * 5000, math.inf),
    ],
)  # fmt: skip
def test_parameters_are_values(text: str, value: Any) -> None:
    """Numbers, constants, lists and dicts are read from the text; nothing is evaluated."""
    found = literal(text)

    assert found == value or (math.isnan(found) and math.isnan(value))
    assert type(found) is type(value)


def test_a_changed_run_has_another_fingerprint(tmp_path: Path) -> None:
    """A further point of a metric changes the run, and no other."""
    path = database(tmp_path)
    before = by_start(find_runs([str(path)]))
    connection = sqlite3.connect(path)
    point = ("x", 1.0, 1_700_000_009_000, before[0].run_id, 99, 0)
    connection.execute("INSERT INTO metrics VALUES (?, ?, ?, ?, ?, ?)", point)
    connection.commit()
    connection.close()

    after = by_start(find_runs([str(path)]))

    same = [one.fingerprint == other.fingerprint for one, other in zip(before, after, strict=True)]
    assert same == [False, True, True]


@pytest.mark.parametrize(
    ("place", "reason"),
    [
        ("nothing", "does not exist"),
        ("sqlite:///nothing.db", "does not exist"),
        ("https://host/mlflow", "Invalid store 'https://host/mlflow': expected sqlite:///PATH"),
        ("mysql://me:secret@host/db", "Invalid store 'mysql://host/db'"),
        ("text.db", "is not a database of SQLite"),
        ("other.db", "Cannot read"),
        ("torn.db", "Cannot read"),
        (".", "is not a folder mlruns"),
        ("postgresql://me:secret@127.0.0.1:1/db", "Cannot read postgresql://127.0.0.1:1/db"),
    ],
)
def test_what_is_no_store_is_named_with_the_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str, reason: str
) -> None:
    """A missing file, an unknown scheme, another database, a torn one, a server that does not answer."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "text.db").write_text("no database")
    sqlite3.connect(tmp_path / "other.db").execute("CREATE TABLE x (y)").connection.close()
    (tmp_path / "source").mkdir()
    (tmp_path / "torn.db").write_bytes(database(tmp_path / "source").read_bytes()[:6000])

    (found,) = find_runs([place])

    assert isinstance(found, UnreadablePlace)
    assert reason in found.reason
    assert "secret" not in found.reason + found.place


def test_hostile_files_of_a_store_lose_only_themselves(tmp_path: Path) -> None:
    """Damaged descriptions, lines that are no points, links in circles: the rest is imported and they are named."""
    mlruns = tmp_path / "mlruns"
    shutil.copytree(DATA / "mlflow" / "mlruns", mlruns)
    first = by_start(find_runs([str(mlruns)]))[0]
    (folder,) = mlruns.glob(f"*/{first.run_id}")
    with (folder / "metrics" / "train" / "loss").open("ab") as file:
        file.write(b"\xff\xfe\n1 2\n1 x 3\n\n1700000000000 7 11")
    (folder / "metrics" / "circle").symlink_to(folder / "metrics")
    (folder / "artifacts" / "circle").symlink_to(folder / "artifacts")
    (folder / "tags" / "binary").write_bytes(b"\xff")
    damaged = mlruns / folder.parent.name / "damaged"
    damaged.mkdir()
    (damaged / "meta.yaml").write_text("{: !!python/object/apply:os.system ['false']")
    listed = mlruns / folder.parent.name / "listed"
    listed.mkdir()
    (listed / "meta.yaml").write_text("- 1")

    found = list(find_runs([str(tmp_path)]))
    records = list(by_start(found)[0].records())

    unreadable = [one.reason for one in found if isinstance(one, UnreadablePlace)]
    assert unreadable[0].startswith("it cannot be read: ")
    assert unreadable[1] == "it is not a description of MLflow"
    (damage,) = of_kind(records, Damage)
    assert "3 line(s) are not TIME VALUE STEP, such as b'\\xff\\xfe\\n'" in damage.text
    assert [row.step for row in of_kind(records, Row) if "train/loss" in row.values] == [0, *range(10), 11]
    assert of_kind(records, NotImported) == [NotImported("files", "'circle' is a link to a folder")]
    assert "binary=\ufffd" in of_kind(records, Attributes)[0].values["tags"]


def test_artifacts_that_are_elsewhere_are_named(tmp_path: Path) -> None:
    """A bucket, or a folder of another machine, is named without a password."""
    path = database(tmp_path)
    connection = sqlite3.connect(path)
    connection.execute("UPDATE runs SET artifact_uri = 's3://key:secret@bucket/a' WHERE status = 'FINISHED'")
    connection.execute("UPDATE runs SET artifact_uri = '/nowhere/at/all' WHERE status = 'FAILED'")
    connection.commit()
    connection.close()

    first, failed, _ = by_start(find_runs([str(path)]))

    (remote,) = of_kind(list(first.records()), NotImported)
    (other,) = of_kind(list(failed.records()), NotImported)
    assert remote.reason == "they are at bucket/a, which is not a folder of this machine"
    assert other.reason == "they are at /nowhere/at/all, which is not a folder of this machine"
