"""The archive is read by programs that know nothing of Runstream."""

from __future__ import annotations

from typing import TYPE_CHECKING

import duckdb
import pyarrow.dataset

from runstream_consumers.history.consumer import HistoryConsumer
from tests.integration.compactor.compacting import settings_of, working
from tests.integration.history.rows import stored_rows
from tests.integration.runtime.events import block, publish, run_in, writer
from tests.integration.runtime.ledger import consuming
from tests.integration.runtime.ledger import settings_of as consumer_settings

if TYPE_CHECKING:
    from pathlib import Path

    from runstream_deploy.services.object_store import ObjectStore as Server

_QUERY = """
select run, count(*) as rows, min("train.loss") as best, max(_step) as last_step, bool_or(_late) as late
from read_parquet('{folder}/lake/entity=team/project=digits/*/stream=history/*.parquet',
                  hive_partitioning = true, union_by_name = true)
group by run order by best
"""


async def test_duckdb_and_pyarrow_read_the_files_by_project_and_run(
    broker: str, prefix: str, database: str, object_store: Server, tmp_path: Path
) -> None:
    """The runs of a project are one table: the run from the folder, keys as columns, late rows marked."""
    settings = await settings_of(database, object_store)
    runs = [run_in(0, number) for number in (0, 1)]
    events = []
    for number, run in enumerate(runs):
        rows = [{"train": {"loss": 1.0 / (step + 1 + number)}, "note": "x", "n": step} for step in range(50)]
        events += [block(run, writer(1), first, 10, rows=rows[first : first + 10]) for first in range(0, 50, 10)]
    events.append(block(runs[1], writer(1), 50, 1, rows=[{"only": True}], steps=[7]))
    await publish(broker, prefix, events)
    async with consuming(HistoryConsumer(), consumer_settings(broker, prefix, database)):
        await stored_rows(database, 101)
    async with working(settings) as compactor:
        await compactor.run_once()
        async for page in compactor.store.objects("lake/"):
            for one in page:
                target = tmp_path / one.key
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(await compactor.store.read(one.key))
    found = duckdb.sql(_QUERY.format(folder=tmp_path))
    assert found is not None
    assert found.fetchall() == [(runs[1].run_id, 51, 1 / 51, 49, True), (runs[0].run_id, 50, 1 / 50, 49, False)]
    dataset = pyarrow.dataset.dataset(tmp_path / "lake", format="parquet", partitioning="hive")
    table = dataset.to_table(filter=pyarrow.dataset.field("run") == runs[0].run_id)
    assert table.column("n").to_pylist() == list(range(50))
    assert set(table.column("note").to_pylist()) == {'"x"'}
