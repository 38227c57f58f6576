"""Downloads of the Parquet files of a run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow.parquet
import pytest

import runstream
from runstream.apis.public import Api, IncompleteRunHistoryError, WandbApiFailedError
from tests.conftest import run_aside
from tests.integration.api.conftest import new_recording
from tests.integration.api.serving import TOKEN
from tests.integration.compactor.compacting import settings_of, working

if TYPE_CHECKING:
    from pathlib import Path

    from tests.integration.api.serving import Served


async def compact(served: Served) -> None:
    """Archive all rows of the server."""
    assert served.object_store is not None
    settings = await settings_of(
        served.settings["RUNSTREAM_POSTGRES"], served.object_store, s3_bucket=served.settings["RUNSTREAM_S3_BUCKET"]
    )
    async with working(settings) as compactor:
        await compactor.run_once()


def test_the_parquet_files_of_a_run_are_downloaded(
    served: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows that are not archived are an error if all are required, else left out; later all rows are in the files."""
    monkeypatch.setenv("RUNSTREAM_URL", served.url)
    monkeypatch.setenv("RUNSTREAM_API_KEY", TOKEN)
    writer = new_recording("exported", project="exports").start({})
    served.store(writer.rows([{"loss": 1.0 / (step + 1)} for step in range(100)]))
    run = Api().run(str(writer.run))
    with pytest.raises(IncompleteRunHistoryError, match="require_complete_history=False"):
        run.download_history_exports(tmp_path / "none")
    found = run.download_history_exports(tmp_path / "none", require_complete_history=False)
    assert (found.paths, found.contains_live_data, found.errors) == ([], True, None)

    run_aside(compact(served))

    found = run.download_history_exports(tmp_path / "all")
    assert (found.contains_live_data, found.errors) == (False, None)
    rows = [row for path in found.paths for row in pyarrow.parquet.read_table(path).to_pylist()]
    assert [(row["_step"], row["loss"]) for row in rows] == [(step, 1.0 / (step + 1)) for step in range(100)]
    assert sorted(path.name for path in (tmp_path / "all").iterdir()) == sorted(path.name for path in found.paths)
    assert [row["loss"] for row in run.scan_history(keys=["loss"])] == [row["loss"] for row in rows]
    run.delete()
    with pytest.raises(WandbApiFailedError, match="was deleted") as error:
        run.download_history_exports(tmp_path / "gone")
    assert isinstance(error.value, runstream.Error)
